package issuer

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// registration is what is read of a registration (RFC 7591); clients send more.
type registration struct {
	Name      string   `json:"client_name"`
	Redirects []string `json:"redirect_uris"`
}

// sealedClient is what a dynamic client's id holds.
type sealedClient struct {
	Name      string   `json:"n,omitempty"`
	Redirects []string `json:"r"`
	At        int64    `json:"t"`
}

// dynamicLife is how long a dynamic client may be used.
const dynamicLife = 365 * 24 * time.Hour

// register gives a client on the person's own machine an id. The id is the
// sealed registration itself: nothing is stored, so nobody can fill the store,
// and being registered gives nothing: a person allows each login. Redirect URIs
// must be http loopback addresses: such a name, which nobody vouches for,
// cannot send a code to another machine (A22).
func (i *Issuer) register(w http.ResponseWriter, r *http.Request) {
	if err := i.start(r); err != nil {
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "slow_down", "Too many registrations.")
		return
	}
	var in registration
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<10+1))
	if err != nil || len(body) > 16<<10 || json.Unmarshal(body, &in) != nil {
		fail(w, http.StatusBadRequest, "invalid_client_metadata", "The registration cannot be read.")
		return
	}
	err = checkRedirects(in.Redirects)
	for _, uri := range in.Redirects {
		if u, bad := checkRedirect(uri); bad == nil && (u.Scheme != "http" || !loopback(u)) {
			err = errors.New("a dynamic client redirects to another machine")
		}
	}
	if err != nil {
		i.log("refused a registration", err)
		fail(w, http.StatusBadRequest, "invalid_redirect_uri",
			"Redirect URIs must be http addresses of this machine; other clients use a client ID metadata document.")
		return
	}
	now := i.now()
	kept := sealedClient{Name: shown(in.Name), Redirects: in.Redirects, At: now.Unix()}
	payload, err := json.Marshal(kept)
	if err != nil {
		i.broken(w, "register a client", err)
		return
	}
	id := registeredPrefix + i.cfg.Ring.Handles().Seal(clientHandle, "", i.id(), payload, now.Add(dynamicLife))
	if len(id) > 4096 {
		fail(w, http.StatusBadRequest, "invalid_client_metadata", "The registration is too long.")
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"client_id": id, "client_id_issued_at": now.Unix(), "client_name": kept.Name, "redirect_uris": kept.Redirects,
		"token_endpoint_auth_method": "none", "application_type": "native",
		"grant_types": []string{grantCode, grantRefresh, grantDevice}, "response_types": []string{"code"},
	})
}

// registered opens the id of a dynamic client.
func (i *Issuer) registered(id string) (client, error) {
	payload, err := i.cfg.Ring.Handles().Open(clientHandle, "", i.id(), strings.TrimPrefix(id, registeredPrefix), i.now())
	if err != nil {
		return client{}, err
	}
	var c sealedClient
	if err := json.Unmarshal(payload, &c); err != nil {
		return client{}, err
	}
	return client{ID: id, Name: c.Name, Redirects: c.Redirects}, nil
}

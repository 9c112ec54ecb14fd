package issuer

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// A user code has eight of these twenty letters, 34 bits: no vowels, so that it
// spells nothing, and none that look alike (RFC 8628 6.1).
const userLetters = "BCDFGHJKLMNPQRSTVWXZ"

// maxDevices bounds the device logins that wait for a person at once.
const maxDevices = 256

// States of a device login.
const (
	devicePending = "pending"
	deviceAllowed = "allowed"
	deviceDenied  = "denied"
)

// userCode draws a user code.
func (i *Issuer) userCode() string {
	raw, err := base64.RawURLEncoding.DecodeString(i.cfg.Ring.NewSecret())
	if err != nil {
		panic("issuer: a secret in another form: " + err.Error())
	}
	var out []byte
	for _, b := range raw { // 240 is the largest multiple of 20 in a byte: no letter is likelier
		if b < 240 && len(out) < 8 {
			out = append(out, userLetters[b%20])
		}
	}
	if len(out) < 8 {
		return i.userCode()
	}
	return string(out)
}

// canonical returns a user code as it was drawn from what a person typed.
func canonical(typed string) (string, bool) {
	if len(typed) > 32 {
		return "", false
	}
	c := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	return c, len(c) == 8 && strings.Trim(c, userLetters) == ""
}

// deviceID is where the login of a user code is kept.
func (i *Issuer) deviceID(user string) string { return hex.EncodeToString(i.hash("user", user)) }

// deviceStart begins a login on a device without a browser (RFC 8628 3.1).
func (i *Issuer) deviceStart(w http.ResponseWriter, r *http.Request) {
	if err := i.start(r); err != nil {
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "slow_down", "Too many logins were started.")
		return
	}
	out, err := i.startDevice(r)
	if err != nil {
		i.refuse(w, "start a login", err)
		return
	}
	answer(w, http.StatusOK, out)
}

func (i *Issuer) startDevice(r *http.Request) (map[string]any, error) {
	f, err := form(r)
	if err != nil {
		return nil, err
	}
	c, err := i.prove(r, f)
	if err != nil {
		return nil, err
	}
	scope, err := i.scope(f["scope"])
	if err != nil {
		return nil, err
	}
	if !i.cfg.Resource(f["resource"]) {
		return nil, bad("invalid_target", "The parameter resource must be the URL of an MCP endpoint of this gateway.")
	}
	user := i.userCode()
	id := i.deviceID(user)
	code := id + "." + i.cfg.Ring.NewSecret()
	now := i.now().UTC()
	n, err := registry.NewNoun(registry.KindDevice, id, "", registry.Device{Hash: i.hash("device", code), State: devicePending, Expires: now.Add(deviceLife),
		Login: registry.Login{Client: c.ID, Name: c.title(), Resource: f["resource"], Scope: scope}})
	if err != nil {
		return nil, err
	}
	err = i.cfg.Store.Change(r.Context(), func(s registry.NounStore) ([]auditlog.Act, error) {
		if all, err := s.Nouns(registry.KindDevice); err != nil || len(all) >= maxDevices {
			return nil, errors.Join(err, &oauthError{status: http.StatusTooManyRequests, code: "slow_down", text: "Too many logins wait for a person."})
		}
		return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "oauth.device", Subject: subjectOf(c.ID)}}, s.InsertNoun(n)
	})
	shown := user[:4] + "-" + user[4:]
	page := i.id() + "/oauth/device"
	return map[string]any{"device_code": code, "user_code": shown, "verification_uri": page,
		"expires_in": int(deviceLife.Seconds()), "interval": int(deviceEvery.Seconds())}, err
}

// byDevice answers a poll (RFC 8628 3.4). A device code gives tokens once.
func (i *Issuer) byDevice(ctx context.Context, c client, f params) (given, error) {
	id, _, _ := strings.Cut(f["device_code"], ".")
	if len(id) != 64 {
		return given{}, errGrant("no such device code")
	}
	if err := i.polls.Take(id, i.now()); err != nil {
		return given{}, bad("slow_down", "Poll less often.")
	}
	n, d, err := i.device(i.cfg.Store, id)
	if err != nil {
		return given{}, err
	}
	if !i.matches("device", f["device_code"], d.Hash) || d.Login.Client != c.ID {
		return given{}, errGrant("no such device code")
	}
	switch {
	case !i.now().Before(d.Expires):
		return given{}, bad("expired_token", "The login was not confirmed in time.")
	case d.State == devicePending:
		return given{}, bad("authorization_pending", "Nobody has confirmed the login yet.")
	case d.State != deviceAllowed:
		return given{}, bad("access_denied", "The person did not allow it.")
	}
	if err := sameResource(f, d.Login); err != nil {
		return given{}, err
	}
	family := i.cfg.Ring.NewSecret()
	var refresh string
	err = i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		person, agent, err := i.still(d.Login)
		if err != nil {
			return nil, err
		}
		if err := s.DeleteNoun(registry.KindDevice, n.ID); err != nil {
			return nil, err
		}
		refresh, err = i.begin(s, person, family, d.Login)
		return []auditlog.Act{{Kind: auditlog.AuthnSucceeded, Action: "oauth.login", By: person, Agent: agent, Subject: subjectOf(c.ID)}}, err
	})
	if errors.Is(err, registry.ErrNotFound) {
		err = errGrant("the device code was used at the same moment")
	}
	if err != nil {
		return given{}, err
	}
	return i.first(family, d.Login, refresh)
}

// reader reads one noun.
type reader interface {
	Noun(registry.NounKind, string) (registry.Noun, error)
}

func (i *Issuer) device(s reader, id string) (registry.Noun, registry.Device, error) {
	n, err := s.Noun(registry.KindDevice, id)
	if errors.Is(err, registry.ErrNotFound) {
		return n, registry.Device{}, errGrant("no such device code")
	}
	if err != nil {
		return n, registry.Device{}, err
	}
	d, err := registry.ValueOf[registry.Device](n)
	return n, d, err
}

// devicePage asks a person for the code that the device shows. The code never
// comes with the link: whoever sends one cannot have a person confirm a login
// that they did not start by one click.
func (i *Issuer) devicePage(w http.ResponseWriter, r *http.Request) {
	p, ok := i.cfg.Sessions.Session(r)
	if !ok {
		i.cfg.Sessions.Require(w, r, "/oauth/device")
		return
	}
	i.page(w, http.StatusOK, view{Kind: "code", Action: "/oauth/device", Person: shown(p.Name)})
}

// deviceEntered takes the code, and then the decision.
func (i *Issuer) deviceEntered(w http.ResponseWriter, r *http.Request) {
	p, ok := i.cfg.Sessions.Session(r)
	f, err := form(r)
	if err != nil || !ok || http.NewCrossOriginProtection().Check(r) != nil {
		i.page(w, http.StatusForbidden, problem("This form is no longer valid. Open the page again."))
		return
	}
	if f["request"] != "" {
		i.deviceDecided(w, r, p, f)
		return
	}
	if i.guesses.Take(p.Pseudonym, i.now()) != nil {
		i.page(w, http.StatusTooManyRequests, problem("Too many codes were tried. Wait a minute."))
		return
	}
	user, well := canonical(f["user_code"])
	_, d, err := i.device(i.cfg.Store, i.deviceID(user))
	if !well || err != nil || d.State != devicePending || !i.now().Before(d.Expires) {
		i.page(w, http.StatusNotFound, view{Kind: "code", Action: "/oauth/device", Person: shown(p.Name), Problem: "This code is not known, or has expired."})
		return
	}
	agents := i.active(p.Agents)
	if len(agents) == 0 {
		i.page(w, http.StatusForbidden, problem("You are signed in, but no agent is open to you. Ask your operator."))
		return
	}
	sealed := i.cfg.Ring.Handles().Seal("oauth-device", p.Pseudonym, p.Session, []byte(i.deviceID(user)), d.Expires)
	i.page(w, http.StatusOK, view{Kind: "consent", Device: true, Action: "/oauth/device", Request: sealed, Person: shown(p.Name), Client: d.Login.Name,
		Unvouched: true, Agents: agents, Scopes: strings.Fields(d.Login.Scope), Levels: levels(d.Login.Scope), Resource: d.Login.Resource})
}

func (i *Issuer) deviceDecided(w http.ResponseWriter, r *http.Request, p Person, f params) {
	id, err := i.cfg.Ring.Handles().Open("oauth-device", p.Pseudonym, p.Session, f["request"], i.now())
	if err != nil || f["decision"] == "allow" && !slices.Contains(i.active(p.Agents), f["agent"]) {
		i.page(w, http.StatusForbidden, problem("This form is no longer valid. Open the page again."))
		return
	}
	allowed := f["decision"] == "allow"
	err = i.cfg.Store.Change(r.Context(), func(s registry.NounStore) ([]auditlog.Act, error) {
		n, d, err := i.device(s, string(id))
		if err != nil {
			return nil, err
		}
		if d.State != devicePending || !i.now().Before(d.Expires) {
			return nil, errGrant("the device login was decided already")
		}
		act := auditlog.Act{Kind: auditlog.AuthnFailed, Action: "oauth.deny", By: p.Name, Subject: subjectOf(d.Login.Client)}
		d.State = deviceDenied
		if allowed {
			l := i.login(p, client{ID: d.Login.Client, Name: d.Login.Name}, f["agent"])
			l.Name, l.Resource = d.Login.Name, d.Login.Resource
			if l.Scope, err = narrower(d.Login.Scope, f["scope"]); err != nil {
				return nil, err
			}
			d.State, d.Login = deviceAllowed, l
			act.Kind, act.Action, act.Agent = auditlog.AuthnSucceeded, "oauth.allow", f["agent"]
		}
		next, err := registry.NewNoun(n.Kind, n.ID, n.Owner, d)
		if err != nil {
			return nil, err
		}
		next.Revision = n.Revision
		return []auditlog.Act{act}, s.UpdateNoun(next)
	})
	switch {
	case err != nil:
		i.log("could not decide a device login", err)
		i.page(w, http.StatusForbidden, problem("This login was decided already, or has expired."))
	case allowed:
		i.page(w, http.StatusOK, view{Kind: "done", Title: "Allowed", Problem: "You can close this page and go back to the device."})
	default:
		i.page(w, http.StatusOK, view{Kind: "done", Title: "Not allowed", Problem: "The device gets nothing."})
	}
}

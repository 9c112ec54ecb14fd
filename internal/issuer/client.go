package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/registry"
)

// client is whoever asks for tokens.
type client struct {
	ID        string
	Name      string          // what it calls itself; hostile text
	Host      string          // what vouches for the name: the host of its document, or ""
	Redirects []string        // exact, but for loopback ports
	JWKS      json.RawMessage // keys it proves itself with; nil: it is public
	Agent     string          // pseudonym of the agent of a registered client; "" = a person chooses
}

// Forms of client ids.
const (
	registeredPrefix = "dyn_"    // dynamic: the id is its own sealed registration
	operatorPrefix   = "client:" // an operator registered it
	clientHandle     = "oauth-client"
)

// client finds a client by its id. Whoever it is, it gets nothing by being
// known: a person has to allow it, or it has to prove a registered key.
func (i *Issuer) client(ctx context.Context, id string) (client, error) {
	switch {
	case len(id) > 4096:
		return client{}, errors.New("the client_id is too long")
	case strings.HasPrefix(id, "https://"):
		return i.documented(ctx, id)
	case strings.HasPrefix(id, registeredPrefix) && i.cfg.Register:
		return i.registered(id)
	case strings.HasPrefix(id, operatorPrefix):
		return i.known(id)
	}
	return client{}, errors.New("the client_id has no known form")
}

// known is a client that an operator registered, as the data path sees it now.
func (i *Issuer) known(id string) (client, error) {
	c := registry.Get[registry.OAuthClient](i.cfg.Live.Load(), registry.KindOAuthClient, id)
	if c == nil {
		return client{}, errors.New("no operator registered this client")
	}
	return client{ID: id, Name: c.Name, Host: "registered by the operator", Redirects: c.Redirects, JWKS: c.JWKS, Agent: c.Agent}, nil
}

// may reports whether the agent exists and may take part, by name.
func (i *Issuer) active(agents []string) []string {
	view := i.cfg.Live.Load()
	var out []string
	for _, a := range agents {
		if view.AgentActive(a) {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

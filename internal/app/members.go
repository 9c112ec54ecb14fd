package app

import (
	"net/http"

	"ostiary.dev/ostiary/internal/issuer"
	"ostiary.dev/ostiary/internal/registry"
)

// members are the people that operators invited, as the issuer and the data
// path ask for them. Whoever is disabled or erased is nobody from the next view
// on, and so ends every login of theirs.
type members struct{ app *App }

// Person implements issuer.Sessions, as do the two below.
func (m members) Person(pseudonym string) (issuer.Person, bool) {
	name, err := m.app.store.Name(pseudonym)
	if err != nil {
		return issuer.Person{}, false
	}
	p := registry.Get[registry.Person](m.app.live.Load(), registry.KindPerson, name)
	if p == nil || p.State != registry.PersonActive {
		return issuer.Person{}, false
	}
	out := issuer.Person{Name: name, Pseudonym: pseudonym}
	for _, agent := range p.Agents {
		if id, err := m.app.store.Name(agent); err == nil {
			out.Agents = append(out.Agents, id)
		}
	}
	return out, true
}

// Session says that nobody is signed in: there are no pages to sign in at.
func (members) Session(*http.Request) (issuer.Person, bool) { return issuer.Person{}, false }

// Require says that nobody can sign in.
func (members) Require(w http.ResponseWriter, _ *http.Request, _ string) {
	http.Error(w, "nobody can sign in at this gateway yet", http.StatusServiceUnavailable)
}

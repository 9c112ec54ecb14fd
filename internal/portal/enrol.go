package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/login"
	"ostiary.dev/ostiary/internal/registry"
)

// enrolHandle is the purpose of the sealed first half of an enrolment.
const enrolHandle = "portal-enrol"

const noInvitation = "This invitation does not exist, was used, or is over. Ask your operator for a new one."

// half is the first half of an enrolment: what the second page confirms.
type half struct {
	Password string `json:"p"`
	Seed     []byte `json:"s"`
	Revision int64  `json:"r"` // generation that was invited
}

// InvitationHash is how the token of an invitation is stored.
func InvitationHash(ring *keys.Ring, token string) []byte {
	return ring.HashToken("portal-invitation:" + token)
}

func (p *Portal) enrolPage(w http.ResponseWriter, _ *http.Request) {
	p.page(w, http.StatusOK, view{Kind: "enrol", Title: "Set up your account", Action: "/login/enrol"})
}

// invited returns whose invitation a token is. The token comes in the body of a
// form, never in an address: proxies write those down.
func (p *Portal) invited(r *http.Request) (name string, who *registry.Person) {
	token := strings.TrimSpace(r.PostFormValue("token"))
	if len(token) > 128 || p.tries.Take(peer(r), p.now()) != nil {
		return "", nil
	}
	registry.All(p.cfg.Live.Load(), registry.KindPerson, func(n *registry.Noun, v *registry.Person) {
		if v.Enrol != nil && v.State != registry.PersonDisabled && p.now().Before(v.Enrol.Expires) &&
			p.cfg.Ring.MatchToken("portal-invitation:"+token, v.Enrol.Hash) {
			name, who = n.ID, v
		}
	})
	return name, who
}

// enrolFirst takes the password and shows the seed of the codes.
func (p *Portal) enrolFirst(w http.ResponseWriter, r *http.Request) {
	name, who := p.invited(r)
	if who == nil {
		p.failed("person.enrol", auditlog.AuthnFailed, "")
		p.page(w, http.StatusForbidden, view{Kind: "enrol", Title: "Set up your account", Action: "/login/enrol", Problem: noInvitation})
		return
	}
	again := view{Kind: "enrol", Title: "Set up your account", Action: "/login/enrol", Token: strings.TrimSpace(r.PostFormValue("token"))}
	password := r.PostFormValue("password")
	if err := errors.Join(keys.HasTOTP(), login.CheckPassword(name, password)); err != nil {
		again.Problem = sentence(err)
		p.page(w, http.StatusUnprocessableEntity, again)
		return
	}
	if password != r.PostFormValue("again") {
		again.Problem = "The two passwords are not the same."
		p.page(w, http.StatusUnprocessableEntity, again)
		return
	}
	if err := p.hashing.Take("password"); err != nil {
		again.Problem = "The gateway is busy. Try again in a moment."
		p.page(w, http.StatusServiceUnavailable, again)
		return
	}
	hash, err := keys.HashPassword(password)
	p.hashing.Give("password")
	if err != nil {
		p.broken(w, "hash a password", err)
		return
	}
	p.showSeed(w, name, again.Token, half{Password: hash, Seed: keys.NewTOTP(), Revision: who.Generation})
}

func (p *Portal) showSeed(w http.ResponseWriter, name, token string, h half) {
	text, err := json.Marshal(h)
	if err != nil {
		p.broken(w, "seal an enrolment", err)
		return
	}
	seed := keys.TOTPText(h.Seed)
	link := url.URL{Scheme: "otpauth", Host: "totp", Path: "/Ostiary:" + name,
		RawQuery: url.Values{"secret": {seed}, "issuer": {"Ostiary"}}.Encode()}
	p.page(w, http.StatusOK, view{Kind: "seed", Title: "Set up your account", Action: "/login/enrol/confirm", Token: token, Person: name,
		State: p.cfg.Ring.Handles().Seal(enrolHandle, name, token, text, p.now().Add(enrolLife)), Seed: grouped(seed), Link: link.String()})
}

// grouped puts a space after each four characters.
func grouped(s string) string {
	var out strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// enrolSecond takes the first code, and spends the invitation in the transaction
// that sets the factors.
func (p *Portal) enrolSecond(w http.ResponseWriter, r *http.Request) {
	name, who := p.invited(r)
	token := strings.TrimSpace(r.PostFormValue("token"))
	var h half
	if who != nil {
		text, err := p.cfg.Ring.Handles().Open(enrolHandle, name, token, r.PostFormValue("state"), p.now())
		if err != nil || json.Unmarshal(text, &h) != nil || h.Revision != who.Generation {
			who = nil
		}
	}
	if who == nil {
		p.failed("person.enrol", auditlog.AuthnFailed, "")
		p.page(w, http.StatusForbidden, problem(noInvitation))
		return
	}
	step, ok := keys.MatchTOTP(h.Seed, strings.ReplaceAll(r.PostFormValue("code"), " ", ""), p.now(), 0)
	if !ok {
		seed := keys.TOTPText(h.Seed)
		p.page(w, http.StatusUnprocessableEntity, view{Kind: "seed", Title: "Set up your account", Action: "/login/enrol/confirm", Token: token,
			Person: name, State: r.PostFormValue("state"), Seed: grouped(seed), Problem: "This code is not right. Is the clock of your phone?"})
		return
	}
	codes, hashes := p.newRecovery(name)
	act := auditlog.Act{Kind: auditlog.AdminChanged, Action: "person.enrol"}
	err := p.edit(r.Context(), name, act, func(have *registry.Person) error {
		if have.Enrol == nil || !p.cfg.Ring.MatchToken("portal-invitation:"+token, have.Enrol.Hash) || !p.now().Before(have.Enrol.Expires) {
			return errRefused
		}
		s, ok := p.cfg.Ring.FindSubject(name)
		if !ok {
			return errRefused
		}
		sealed, err := s.Seal(seedIdentity(s.Pseudonym), h.Seed)
		if err != nil {
			return err
		}
		have.State, have.Password, have.TOTP, have.Step, have.Recovery = registry.PersonActive, h.Password, sealed, step, hashes
		have.Enrol = nil
		have.Generation++
		return nil
	})
	if err != nil {
		p.broken(w, "enrol a person", err)
		return
	}
	p.page(w, http.StatusOK, view{Kind: "codes", Title: "Keep these codes", Person: name, Codes: codes})
}

// account shows what somebody has.
func (p *Portal) account(w http.ResponseWriter, r *http.Request) {
	v, ok := p.Session(r)
	if !ok {
		p.Require(w, r, login.Home)
		return
	}
	page := view{Kind: "account", Title: "Your account", Action: "/login/logout", Person: v.Name, Agents: v.Agents, Keys: p.passkeys() != nil}
	page.Decides = p.cfg.Desk != nil && decides(v)
	for _, role := range v.Roles {
		page.Roles = append(page.Roles, string(role))
	}
	if who := p.person(v.Name); who != nil {
		for _, k := range who.Passkeys {
			page.Passkeys = append(page.Passkeys, k.Name)
		}
		page.Left = len(who.Recovery)
	}
	p.page(w, http.StatusOK, page)
}

// maxPasskeys bounds those of one person.
const maxPasskeys = 16

func (p *Portal) beginAdd(w http.ResponseWriter, r *http.Request) {
	v, k, who, ok := p.adding(w, r)
	if !ok {
		return
	}
	s, _ := p.cfg.Ring.FindSubject(v.Name)
	options, state, err := k.BeginAdd(whoOf(s, who))
	if err != nil {
		p.log("begin a passkey", err)
		sendJSON(w, http.StatusInternalServerError, map[string]string{"error": "This did not work."})
		return
	}
	p.offer(w, ceremony{state: state, name: v.Name}, options)
}

// adding returns who may add a passkey: somebody who has just proved themselves,
// so that a browser left open gives nobody a key of their own.
func (p *Portal) adding(w http.ResponseWriter, r *http.Request) (Person, *login.Passkeys, *registry.Person, bool) {
	v, ok := p.Session(r)
	k, who := p.passkeys(), p.person(v.Name)
	if !ok || k == nil || who == nil || v.Strength < identity.TwoStep || p.now().Sub(v.AuthTime) > tryLife {
		sendJSON(w, http.StatusForbidden, map[string]string{"error": "Sign in again first.", "login": "/login?next=%2Flogin%2Faccount"})
		return v, nil, nil, false
	}
	if len(who.Passkeys) >= maxPasskeys {
		sendJSON(w, http.StatusConflict, map[string]string{"error": "You have as many passkeys as one may have."})
		return v, nil, nil, false
	}
	return v, k, who, true
}

func (p *Portal) add(w http.ResponseWriter, r *http.Request) {
	v, k, who, ok := p.adding(w, r)
	if !ok {
		return
	}
	a, err := readAnswer(r)
	var credential []byte
	if err == nil {
		state, found := p.take(a.ID, v.Name)
		s, _ := p.cfg.Ring.FindSubject(v.Name)
		err = errRefused
		if found {
			credential, err = k.FinishAdd(whoOf(s, who), state, a.Response)
		}
	}
	if err != nil {
		sendJSON(w, http.StatusForbidden, map[string]string{"error": "The passkey is not accepted here."})
		return
	}
	name := a.Name
	if name == "" {
		name = "passkey"
	}
	err = p.edit(r.Context(), v.Name, auditlog.Act{Kind: auditlog.AdminChanged, Action: "person.passkey"}, func(have *registry.Person) error {
		if len(have.Passkeys) >= maxPasskeys || have.Generation != who.Generation {
			return errRefused
		}
		have.Passkeys = append(have.Passkeys, registry.Passkey{Name: name, Credential: credential, Created: p.now().UTC()})
		return nil
	})
	if err != nil {
		p.log("keep a passkey", err)
		sendJSON(w, http.StatusInternalServerError, map[string]string{"error": "This did not work."})
		return
	}
	sendJSON(w, http.StatusOK, map[string]string{"next": login.Home})
}

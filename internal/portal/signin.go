package portal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/login"
	"ostiary.dev/ostiary/internal/registry"
)

// refused is what everybody gets whose sign-in failed, whatever was wrong.
const refused = "The name, the password or the code is not right. After some tries, wait a minute."

var errRefused = errors.New("refused")

func (p *Portal) loginPage(w http.ResponseWriter, r *http.Request) {
	p.page(w, http.StatusOK, p.loginView(r.URL.Query().Get("next"), ""))
}

func (p *Portal) loginView(next, trouble string) view {
	return view{Kind: "login", Title: "Sign in", Action: "/login", Next: login.Next(next), Problem: trouble, Keys: p.passkeys() != nil}
}

// byPassword signs somebody in with a password and a code. Name, password and
// code come together, and are all looked at, so that no answer and no time
// tells which of them was wrong (X01, TestX01SameAnswerForUnknownName).
func (p *Portal) byPassword(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("password") == "" {
		p.page(w, http.StatusUnauthorized, p.loginView(r.PostFormValue("next"), refused))
		return
	}
	name, next := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("next")
	// Failures are counted per address and name: a stranger elsewhere cannot
	// lock anybody out (TestStrangersCannotLockOut).
	if p.tries.Take(peer(r), p.now()) != nil || p.pairs.Take(peer(r)+" "+name, p.now()) != nil {
		p.failed("person.locked", auditlog.AuthnLocked, name)
		p.page(w, http.StatusTooManyRequests, p.loginView(next, refused))
		return
	}
	if err := p.hashing.Take("password"); err != nil {
		w.Header().Set("Retry-After", "5")
		p.page(w, http.StatusServiceUnavailable, p.loginView(next, "The gateway is busy. Try again in a moment."))
		return
	}
	who := p.person(name)
	hash := ""
	if who != nil {
		hash = who.Password
	}
	right := keys.MatchPassword(hash, r.PostFormValue("password"))
	p.hashing.Give("password")
	fits := who != nil && p.fit(name, r.PostFormValue("code"), who)
	err := errRefused
	if right && fits {
		err = p.second(r.Context(), name, r.PostFormValue("code"), generation(who))
	}
	if err != nil {
		if !errors.Is(err, errRefused) {
			p.log("a sign-in could not be kept", err)
		}
		p.failed("person.login", auditlog.AuthnFailed, name)
		p.page(w, http.StatusUnauthorized, p.loginView(next, refused))
		return
	}
	p.start(w, r, session{name: name, generation: generation(who), strength: identity.TwoStep})
	http.Redirect(w, r, login.Next(next), http.StatusSeeOther)
}

// fit looks at a code without spending it.
func (p *Portal) fit(name, code string, who *registry.Person) bool {
	copied := *who
	copied.Recovery = slices.Clone(who.Recovery)
	return p.spend(name, code, &copied) == nil
}

// second checks a code inside the transaction that spends it, so that one code
// signs in once, also when it comes twice at the same time.
func (p *Portal) second(ctx context.Context, name, code string, generation int64) error {
	act := auditlog.Act{Kind: auditlog.AuthnSucceeded, Action: "person.login", Change: how{"password and code"}}
	return p.edit(ctx, name, act, func(who *registry.Person) error {
		if who.State != registry.PersonActive || who.Generation != generation {
			return errRefused
		}
		return p.spend(name, code, who)
	})
}

// spend takes a code of the app, which counts once, or a recovery code, which
// is gone then.
func (p *Portal) spend(name, code string, who *registry.Person) error {
	code = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(code), " ", ""))
	seed, err := p.seed(name, who.TOTP)
	if err != nil {
		return err
	}
	if step, ok := keys.MatchTOTP(seed, code, p.now(), who.Step); ok {
		who.Step = step
		return nil
	}
	for i, hash := range who.Recovery {
		if p.cfg.Ring.MatchToken("recovery:"+name+":"+code, hash) {
			who.Recovery = slices.Delete(who.Recovery, i, i+1)
			return nil
		}
	}
	return errRefused
}

// how says by what somebody signed in.
type how struct {
	By string `json:"by"`
}

// seedIdentity is where the seed of a person's codes belongs.
func seedIdentity(pseudonym string) keys.Identity {
	return keys.Identity{Tenant: keys.DefaultTenant, Kind: string(registry.KindPerson), Record: pseudonym, Column: "totp"}
}

func (p *Portal) seed(name string, sealed []byte) ([]byte, error) {
	s, ok := p.cfg.Ring.FindSubject(name)
	if !ok {
		return nil, errRefused
	}
	return s.Open(seedIdentity(s.Pseudonym), sealed)
}

// failed records a failed try, without the name when it is nobody's: people type
// passwords there. So many a minute are recorded, so that a flood cannot fill
// the log.
func (p *Portal) failed(action string, kind auditlog.Kind, name string) {
	if p.records.Take("", p.now()) != nil {
		return
	}
	if p.person(name) == nil {
		name = ""
	}
	if err := p.cfg.Store.Note(auditlog.Act{Kind: kind, Action: action, By: name}); err != nil {
		p.log("record a failed sign-in", err)
	}
}

func (p *Portal) note(action, name string) {
	if err := p.cfg.Store.Note(auditlog.Act{Kind: auditlog.AdminChanged, Action: action, By: name}); err != nil {
		p.log("record "+action, err)
	}
}

// answer is what the script of a page sends.
type answer struct {
	ID       string          `json:"id"`
	Response json.RawMessage `json:"response"`
	Next     string          `json:"next"`
	Name     string          `json:"name"`
}

// readAnswer reads what a script sends. The type is demanded because a form
// elsewhere cannot have it without asking first (CORS), which nobody answers.
func readAnswer(r *http.Request) (answer, error) {
	var a answer
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return a, errRefused
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return a, errRefused
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil || d.More() || len(a.Name) > 64 {
		return a, errRefused
	}
	return a, nil
}

func (p *Portal) beginPasskey(w http.ResponseWriter, r *http.Request) {
	k := p.passkeys()
	if k == nil || p.tries.Take(peer(r), p.now()) != nil {
		sendJSON(w, http.StatusTooManyRequests, map[string]string{"error": "Try again in a minute."})
		return
	}
	options, state, err := k.Begin()
	if err != nil {
		p.log("begin a passkey", err)
		sendJSON(w, http.StatusInternalServerError, map[string]string{"error": "This did not work."})
		return
	}
	p.offer(w, ceremony{state: state}, options)
}

func (p *Portal) offer(w http.ResponseWriter, c ceremony, options []byte) {
	id, ok := p.keep(c)
	if !ok {
		sendJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "The gateway is busy. Try again in a moment."})
		return
	}
	sendJSON(w, http.StatusOK, map[string]any{"id": id, "options": json.RawMessage(options)})
}

// byPasskey signs somebody in with a passkey.
func (p *Portal) byPasskey(w http.ResponseWriter, r *http.Request) {
	a, err := readAnswer(r)
	var s session
	if err == nil {
		s, err = p.checkPasskey(r, a)
	}
	if err != nil {
		p.failed("person.login", auditlog.AuthnFailed, "")
		sendJSON(w, http.StatusUnauthorized, map[string]string{"error": "The passkey is not accepted here."})
		return
	}
	p.start(w, r, s)
	sendJSON(w, http.StatusOK, map[string]string{"next": login.Next(a.Next)})
}

func (p *Portal) checkPasskey(r *http.Request, a answer) (session, error) {
	state, ok := p.take(a.ID, "")
	k := p.passkeys()
	if !ok || k == nil {
		return session{}, errRefused
	}
	who, at, credential, err := k.Finish(state, a.Response, p.holder)
	if err != nil {
		return session{}, err
	}
	s := session{name: who.Name, strength: identity.Passkey}
	act := auditlog.Act{Kind: auditlog.AuthnSucceeded, Action: "person.login", Change: how{"passkey"}}
	err = p.edit(r.Context(), who.Name, act, func(have *registry.Person) error {
		// Still theirs: removed or reset meanwhile is refused.
		if have.State != registry.PersonActive || at >= len(have.Passkeys) || string(have.Passkeys[at].Credential) != string(who.Credentials[at]) {
			return errRefused
		}
		have.Passkeys[at].Credential, s.generation = credential, have.Generation
		return nil
	})
	return s, err
}

// holder finds whose user handle it is.
func (p *Portal) holder(handle []byte) (login.Who, bool) {
	s, ok := p.cfg.Ring.SubjectOf(string(handle))
	if !ok {
		return login.Who{}, false
	}
	who := p.person(s.Name())
	if who == nil || len(who.Passkeys) == 0 {
		return login.Who{}, false
	}
	return whoOf(s, who), true
}

func whoOf(s keys.Subject, who *registry.Person) login.Who {
	out := login.Who{ID: []byte(s.Pseudonym), Name: s.Name()}
	for _, k := range who.Passkeys {
		out.Credentials = append(out.Credentials, k.Credential)
	}
	return out
}

// newRecovery makes the codes for a lost second factor: 50 random bits each.
func (p *Portal) newRecovery(name string) (codes []string, hashes [][]byte) {
	for range 8 {
		raw := hex.EncodeToString(p.cfg.Ring.HashToken("recovery-code:" + p.cfg.Ring.NewSecret()))
		code := raw[:5] + "-" + raw[5:10] + "-" + raw[10:15]
		codes, hashes = append(codes, code), append(hashes, p.cfg.Ring.HashToken("recovery:"+name+":"+code))
	}
	return codes, hashes
}

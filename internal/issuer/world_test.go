package issuer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

const (
	at       = "https://gate.example"
	mcp      = at + "/mcp"
	callback = "http://127.0.0.1:7777/callback"
	verifier = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ"
)

// memory is a Store whose changes are atomic.
type memory struct {
	t     *testing.T
	nouns map[registry.NounRef]registry.Noun
	live  *registry.Live
	acts  []auditlog.Act
	names map[string]string
}

func (m *memory) Noun(kind registry.NounKind, id string) (registry.Noun, error) {
	n, ok := m.nouns[registry.NounRef{Kind: kind, ID: id}]
	if !ok {
		return n, registry.ErrNotFound
	}
	return n, nil
}

func (m *memory) Nouns(kind registry.NounKind) (out []registry.Noun, err error) {
	for ref, n := range m.nouns {
		if ref.Kind == kind {
			out = append(out, n)
		}
	}
	return out, nil
}

func (m *memory) InsertNoun(n registry.Noun) error {
	ref := registry.NounRef{Kind: n.Kind, ID: n.ID}
	if _, ok := m.nouns[ref]; ok {
		return registry.ErrExists
	}
	m.nouns[ref] = n
	return registry.CheckNoun(n)
}

func (m *memory) UpdateNoun(n registry.Noun) error {
	ref := registry.NounRef{Kind: n.Kind, ID: n.ID}
	old, ok := m.nouns[ref]
	if !ok {
		return registry.ErrNotFound
	}
	if old.Revision != n.Revision {
		return registry.ErrConflict
	}
	n.Revision++
	m.nouns[ref] = n
	return registry.CheckNoun(n)
}

func (m *memory) DeleteNoun(kind registry.NounKind, id string) error {
	ref := registry.NounRef{Kind: kind, ID: id}
	if _, ok := m.nouns[ref]; !ok {
		return registry.ErrNotFound
	}
	delete(m.nouns, ref)
	return nil
}

func (m *memory) Name(pseudonym string) (string, error) {
	if n, ok := m.names[pseudonym]; ok {
		return n, nil
	}
	return "", registry.ErrNotFound
}

func (m *memory) Note(acts ...auditlog.Act) error {
	m.acts = append(m.acts, acts...)
	return nil
}

func (m *memory) Change(_ context.Context, fn func(registry.NounStore) ([]auditlog.Act, error)) error {
	before := maps.Clone(m.nouns)
	acts, err := fn(m)
	if err != nil {
		m.nouns = before
		return err
	}
	m.acts = append(m.acts, acts...)
	return nil
}

func (m *memory) count(kind registry.NounKind) int {
	all, err := m.Nouns(kind)
	if err != nil {
		m.t.Fatal(err)
	}
	return len(all)
}

// people is a Sessions: the cookie "who" names who is signed in.
type people struct {
	all map[string]Person
}

func (p *people) Session(r *http.Request) (Person, bool) {
	c, err := r.Cookie("who")
	if err != nil {
		return Person{}, false
	}
	one, ok := p.all[c.Value]
	return one, ok
}

func (p *people) Require(w http.ResponseWriter, _ *http.Request, returnTo string) {
	w.Header().Set("Location", "/login?next="+url.QueryEscape(returnTo))
	w.WriteHeader(http.StatusSeeOther)
}

func (p *people) Person(pseudonym string) (Person, bool) {
	for _, one := range p.all {
		if one.Pseudonym == pseudonym {
			return one, true
		}
	}
	return Person{}, false
}

type world struct {
	t       *testing.T
	issuer  *Issuer
	store   *memory
	people  *people
	now     time.Time
	docs    map[string]string
	fetched int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), docs: map[string]string{}}
	live := &registry.Live{}
	live.Swap(registry.NewSnapshot(1, nil, []registry.Agent{
		{ID: "helper", Pseudonym: "a-1", State: registry.Active}, {ID: "other", Pseudonym: "a-2", State: registry.Active},
		{ID: "asleep", Pseudonym: "a-3", State: registry.Suspended},
	}, nil, nil, nil))
	w.store = &memory{t: t, nouns: map[registry.NounRef]registry.Noun{}, live: live, names: map[string]string{"a-1": "helper", "a-2": "other", "a-3": "asleep"}}
	w.people = &people{all: map[string]Person{
		"alice": {Name: "Alice", Pseudonym: "p-1", Agents: []string{"helper", "asleep"}, Strength: identity.TwoStep, AuthTime: w.now, Session: "s-1"},
		"bob":   {Name: "Bob", Pseudonym: "p-2", Agents: []string{"other"}, Strength: identity.Passkey, AuthTime: w.now, Session: "s-2"},
		"none":  {Name: "None", Pseudonym: "p-3", Strength: identity.TwoStep, AuthTime: w.now, Session: "s-3"},
	}}
	w.issuer = New(Config{Issuer: func() string { return at }, Resource: func(u string) bool { return u == mcp || u == at+"/s/crm/mcp" },
		Scopes: []string{identity.ScopeModify, identity.ScopeRead, identity.ScopeWrite}, Register: true, Ring: ring, Live: live, Store: w.store, Sessions: w.people,
		Clock: clock.Fixed(func() time.Time { return w.now }), Fetch: func(_ context.Context, u string, limit int64) ([]byte, error) {
			w.fetched++
			d, ok := w.docs[u]
			if !ok || int64(len(d)) > limit {
				return nil, errors.New("no such document")
			}
			return []byte(d), nil
		}, Log: func(msg string, err error) { t.Log(msg, err) }})
	return w
}

// get and post send one request as the browser of who, or as nobody.
func (w *world) get(who, target string) *httptest.ResponseRecorder {
	return w.do(httptest.NewRequest("GET", at+target, nil), who)
}

func (w *world) post(who, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", at+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(r, who)
}

func (w *world) do(r *http.Request, who string) *httptest.ResponseRecorder {
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "who", Value: who})
	}
	rec := httptest.NewRecorder()
	w.issuer.ServeHTTP(rec, r)
	return rec
}

// dynamic registers a client on this machine.
func (w *world) dynamic() string {
	w.t.Helper()
	r := httptest.NewRequest("POST", at+"/oauth/register", strings.NewReader(`{"client_name":"App","redirect_uris":["http://127.0.0.1/callback"]}`))
	rec := w.do(r, "")
	var out struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); rec.Code != http.StatusCreated || err != nil || out.ID == "" {
		w.t.Fatalf("registration: %d %s", rec.Code, rec.Body)
	}
	return out.ID
}

// asked is a good authorization request.
func asked(client string) url.Values {
	return url.Values{"client_id": {client}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"st"}, "scope": {"mcp:read mcp:write"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}, "resource": {mcp}}
}

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// form opens the consent page and returns the sealed request in it.
func (w *world) form(who string, q url.Values) string {
	w.t.Helper()
	rec := w.get(who, "/oauth/authorize?"+q.Encode())
	m := hidden.FindStringSubmatch(rec.Body.String())
	if rec.Code != http.StatusOK || m == nil {
		w.t.Fatalf("consent page: %d %s %s", rec.Code, rec.Header().Get("Location"), rec.Body)
	}
	return m[1]
}

// code lets who allow q.
func (w *world) code(who string, q url.Values) string {
	w.t.Helper()
	agent := w.people.all[who].Agents[0]
	rec := w.post(who, "/oauth/authorize", url.Values{"request": {w.form(who, q)}, "agent": {agent}, "decision": {"allow"}})
	back := w.location(rec)
	if back.Get("code") == "" || back.Get("iss") != at {
		w.t.Fatalf("no code: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	return back.Get("code")
}

func (w *world) location(rec *httptest.ResponseRecorder) url.Values {
	w.t.Helper()
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || rec.Code != http.StatusSeeOther {
		w.t.Fatalf("not a redirect: %d %q %s", rec.Code, rec.Header().Get("Location"), rec.Body)
	}
	return u.Query()
}

// token posts to the token endpoint and returns the answer or the error code.
func (w *world) token(form url.Values) (given, string) {
	w.t.Helper()
	rec := w.post("", "/oauth/token", form)
	if rec.Code == http.StatusOK {
		var g given
		if err := json.Unmarshal(rec.Body.Bytes(), &g); err != nil {
			w.t.Fatal(err)
		}
		return g, ""
	}
	var e struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Error == "" {
		w.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return given{}, e.Error
}

func spend(client, code string) url.Values {
	return url.Values{"grant_type": {grantCode}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}, "resource": {mcp}}
}

func renew(client, token string) url.Values {
	return url.Values{"grant_type": {grantRefresh}, "client_id": {client}, "refresh_token": {token}}
}

func (w *world) claims(token string) claims {
	w.t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var c claims
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) recorded(action string) bool {
	return slices.ContainsFunc(w.store.acts, func(a auditlog.Act) bool { return a.Action == action })
}

package portal

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// world is a portal over nouns in memory.
type world struct {
	t      *testing.T
	ring   *keys.Ring
	live   *registry.Live
	portal *Portal
	nouns  map[string]registry.Noun
	acts   []auditlog.Act
	now    time.Time
	peer   string
	desk   *desk
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ring: ring, live: &registry.Live{}, nouns: map[string]registry.Noun{}, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), peer: "192.0.2.1:5"}
	w.live.Swap(registry.NewSnapshot(1, nil, nil, nil, nil, nil))
	w.desk = &desk{calls: map[string]Call{}}
	w.portal = New(Config{Desk: w.desk, Origins: func() []string { return []string{"https://gw.test:8443", "https://gw.test:8444"} }, Ring: ring, Live: w.live,
		Store: w, Clock: clock.Fixed(func() time.Time { return w.now }), Log: func(m string, err error) { t.Log(m, err) }})
	return w
}

func (w *world) show() {
	s, err := registry.NewSnapshot(1, nil, nil, nil, nil, nil).WithNouns(mapValues(w.nouns), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.live.Swap(s)
}

func mapValues(m map[string]registry.Noun) (out []registry.Noun) {
	for _, n := range m {
		out = append(out, n)
	}
	return out
}

func (w *world) Note(acts ...auditlog.Act) error { w.acts = append(w.acts, acts...); return nil }

func (w *world) Change(_ context.Context, fn func(registry.NounStore) ([]auditlog.Act, error)) error {
	before := maps.Clone(w.nouns)
	acts, err := fn(store{w})
	if err != nil {
		w.nouns = before
		return err
	}
	w.acts = append(w.acts, acts...)
	w.show()
	return nil
}

type store struct{ *world }

func (s store) Nouns(registry.NounKind) ([]registry.Noun, error) { return mapValues(s.nouns), nil }
func (s store) Noun(_ registry.NounKind, id string) (registry.Noun, error) {
	if n, ok := s.nouns[id]; ok {
		return n, nil
	}
	return registry.Noun{}, registry.ErrNotFound
}
func (s store) InsertNoun(n registry.Noun) error { s.nouns[n.ID] = n; return nil }
func (s store) UpdateNoun(n registry.Noun) error {
	if s.nouns[n.ID].Revision != n.Revision {
		return registry.ErrConflict
	}
	n.Revision++
	s.nouns[n.ID] = n
	return nil
}
func (s store) DeleteNoun(_ registry.NounKind, id string) error { delete(s.nouns, id); return nil }

// set changes a person as an operator would.
func (w *world) set(name string, fn func(*registry.Person)) {
	w.t.Helper()
	n := w.nouns[name]
	var p registry.Person
	if n.ID != "" {
		var err error
		if p, err = registry.ValueOf[registry.Person](n); err != nil {
			w.t.Fatal(err)
		}
	}
	fn(&p)
	next, err := registry.NewNoun(registry.KindPerson, name, name, p)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.ring.Subject(name); err != nil {
		w.t.Fatal(err)
	}
	next.Revision = n.Revision + 1
	w.nouns[name] = next
	w.show()
}

func (w *world) person(name string) registry.Person {
	p, err := registry.ValueOf[registry.Person](w.nouns[name])
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) send(method, target string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://gw.test:8443"+target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.RemoteAddr = w.peer
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	out := httptest.NewRecorder()
	w.portal.ServeHTTP(out, r)
	return out
}

const goodPassword = "a quiet green boat"

var stateField = regexp.MustCompile(`name="state" value="([^"]+)"`)
var seedText = regexp.MustCompile(`<code>([A-Z2-7 ]+)</code>`)
var listItem = regexp.MustCompile(`<li>([0-9a-f-]{17})</li>`)

// enrol invites pat and walks through both pages; it returns the seed and the
// recovery codes.
func (w *world) enrol(name string) (seed []byte, codes []string) {
	w.t.Helper()
	token := "invitation-of-" + name
	w.set(name, func(p *registry.Person) {
		*p = registry.Person{State: registry.PersonInvited, Enrol: &registry.Enrol{Hash: InvitationHash(w.ring, token), Expires: w.now.Add(15 * time.Minute)}}
	})
	out := w.send("POST", "/login/enrol", url.Values{"token": {token}, "password": {goodPassword}, "again": {goodPassword}}, nil)
	text := seedText.FindStringSubmatch(out.Body.String())
	state := stateField.FindStringSubmatch(out.Body.String())
	if text == nil || state == nil {
		w.t.Fatalf("%d %s", out.Code, out.Body)
	}
	seed = readSeed(w.t, text[1])
	out = w.send("POST", "/login/enrol/confirm", url.Values{"token": {token}, "state": {state[1]}, "code": {code(seed, w.now)}}, nil)
	for _, m := range listItem.FindAllStringSubmatch(out.Body.String(), -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != 8 {
		w.t.Fatalf("%d codes; %d %s", len(codes), out.Code, out.Body)
	}
	return seed, codes
}

func (w *world) signIn(name, password, code string) *httptest.ResponseRecorder {
	return w.send("POST", "/login", url.Values{"name": {name}, "password": {password}, "code": {code}, "next": {"/oauth/authorize?x=1"}}, nil)
}

func sessionCookie(out *httptest.ResponseRecorder) *http.Cookie {
	for _, c := range out.Result().Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	return nil
}

func (w *world) session(c *http.Cookie) (Person, bool) {
	r := httptest.NewRequest("GET", "https://gw.test:8443/", nil)
	if c != nil {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return w.portal.Session(r)
}

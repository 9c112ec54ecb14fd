package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/keys"
)

func TestAGrowingLogIsCosigned(t *testing.T) {
	l := newTree(t, "ostiary.dev/gw/0/default/control")
	h := newHouse(t, "witness.example/w", l)
	c := client(policy(t, 1, h))
	for i := range 40 {
		l.add(fmt.Sprint("entry ", i))
		r := cosign(t, c, l)
		if !r.Met || r.New != 1 || len(r.Errs) > 0 || r.Bad != nil {
			t.Fatalf("size %d: %+v", l.size, r)
		}
		// Anybody who knows both keys can open it.
		v, err := note.NewVerifier(l.vkey)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(r.Note, note.VerifierList(v, h.key.Cosignature))
		if err != nil || len(n.Sigs) != 2 {
			t.Fatalf("%v, %d signatures", err, len(n.Sigs))
		}
		if again, err := c.Cosign(context.Background(), r.Note, l.prove); err != nil || again.New != 0 || !again.Met {
			t.Fatalf("a witness was asked again: %+v, %v", again, err)
		}
	}
	if last := h.server.state.Last(l.origin); last.Size != 40 {
		t.Fatalf("the witness remembers %d", last.Size)
	}
	if at, ok := cosignatureOf(cosign(t, c, l).Note, h.key.Cosignature); !ok || !at.Equal(noon) {
		t.Fatalf("cosigned at %v", at)
	}
}

// A log that lost entries, was put back to an earlier state, or shows another
// history gets no cosignature, from this process or after a restart of both.
func TestRollbackTruncationAndForkAreRefused(t *testing.T) {
	l := newTree(t, "origin")
	for i := range 20 {
		l.add(fmt.Sprint(i))
	}
	h := newHouse(t, "w", l)
	if !cosign(t, client(policy(t, 1, h)), l).Met {
		t.Fatal("the honest log was refused")
	}
	fork := l.at(10)
	fork.add("other 10", "other 11")
	longer, equal := fork.copy(), fork.copy()
	for i := range 8 {
		equal.add(fmt.Sprint("other ", i))
	}
	for i := range 30 {
		longer.add(fmt.Sprint("other ", i))
	}
	empty := l.at(0)
	for name, c := range map[string]struct {
		log  *tree
		want error
	}{
		"truncated by one":        {l.at(19), ErrRolledBack},
		"rolled back":             {l.at(3), ErrRolledBack},
		"emptied":                 {empty, ErrRolledBack},
		"shorter fork":            {fork, ErrRolledBack},
		"fork of the same size":   {equal, ErrForked},
		"longer fork":             {longer, ErrForked},
		"truncated and rewritten": {grown(l.at(19), "x", "y", "z"), ErrForked},
	} {
		h.restart(l)
		for _, who := range []string{"a new client", "the same client"} {
			cl := client(policy(t, 1, h))
			if who == "the same client" {
				if !cosign(t, cl, l).Met {
					t.Fatal("the honest log was refused")
				}
			}
			r := cosign(t, cl, c.log)
			if r.Met || r.New != 0 || !errors.Is(r.Bad, c.want) {
				t.Errorf("%s, %s: met %v, %v", name, who, r.Met, r.Errs)
			}
		}
		if last := h.server.state.Last("origin"); last.Size != 20 {
			t.Fatalf("%s changed the state to %d", name, last.Size)
		}
	}
	kept := 0
	for _, s := range h.seen {
		if s.Note != nil {
			kept++
		}
	}
	if kept == 0 {
		t.Fatal("no proof of what the log did was kept")
	}
	l.add("20")
	if !cosign(t, client(policy(t, 1, h)), l).Met {
		t.Fatal("the honest log is refused after all that")
	}
}

func grown(l *tree, entries ...string) *tree {
	l.add(entries...)
	return l
}

func TestTheStatusCodesAreThoseOfTheSpecification(t *testing.T) {
	l, other := newTree(t, "origin"), newTree(t, "other")
	l.add("a", "b", "c", "d")
	h := newHouse(t, "w", l)
	send := func(body string) (int, string, string) {
		t.Helper()
		rec := httptest.NewRecorder()
		h.server.ServeHTTP(rec, httptest.NewRequest("POST", "/x/add-checkpoint", strings.NewReader(body)))
		return rec.Code, rec.Body.String(), rec.Header().Get("Content-Type")
	}
	text := func(old uint64, proof []tlog.Hash, signed []byte) string {
		return string(request{old: old, proof: proof, note: signed}.encode())
	}
	thief := newTree(t, "origin") // another key in the same name
	thief.add("a", "b", "c", "d")
	other.add("a")
	if code, body, _ := send(text(0, nil, l.at(2).note())); code != 200 || !strings.HasPrefix(body, "— w ") || !strings.HasSuffix(body, "\n") {
		t.Fatalf("%d %q", code, body)
	}
	proof, err := l.prove(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"an unknown log":            {text(0, nil, other.note()), 404},
		"another key":               {text(2, proof, thief.note()), 403},
		"an old size beyond":        {text(5, nil, l.note()), 400},
		"a wrong old size":          {text(0, nil, l.note()), 409},
		"no proof":                  {text(2, nil, l.note()), 422},
		"a wrong proof":             {text(2, []tlog.Hash{{1}}, l.note()), 422},
		"a proof for the same size": {text(2, proof, l.at(2).note()), 422},
		"nothing":                   {"", 400},
		"no old size":               {"\n" + string(l.note()), 400},
		"a size with a zero":        {"old 02\n\n" + string(l.note()), 400},
		"a size with a sign":        {"old +2\n\n" + string(l.note()), 400},
		"a negative size":           {"old -2\n\n" + string(l.note()), 400},
		"a hash that is short":      {"old 2\nAAAA\n\n" + string(l.note()), 400},
		"too many hashes":           {text(2, make([]tlog.Hash, 64), l.note()), 400},
		"no checkpoint":             {"old 2\n\nnothing\n", 400},
		"too large":                 {"old 2\n\n" + strings.Repeat("x", maxBody), 413},
	} {
		code, body, kind := send(c.body)
		if code != c.want {
			t.Errorf("%s: %d %q, want %d", name, code, body, c.want)
		}
		if code == 409 && (body != "2\n" || kind != "text/x.tlog.size") {
			t.Errorf("%s: %q, %q", name, body, kind)
		}
	}
	rec := httptest.NewRecorder()
	h.server.ServeHTTP(rec, httptest.NewRequest("GET", "/x/add-checkpoint", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", rec.Code)
	}
	if code, _, _ := send(text(2, proof, l.note())); code != 200 {
		t.Errorf("the right request: %d", code)
	}
}

// Requests that race cannot roll the witness back: the check and the change are
// one.
func TestRacingRequestsNeverShrinkTheState(t *testing.T) {
	l := newTree(t, "origin")
	h := newHouse(t, "w", l)
	for i := range 30 {
		l.add(fmt.Sprint(i))
	}
	var bodies [][]byte
	for old := range uint64(6) {
		for size := old + 1; size < 7; size++ {
			r := request{old: old, note: l.at(size).note()}
			if old > 0 {
				var err error
				if r.proof, err = l.prove(old, size); err != nil {
					t.Fatal(err)
				}
			}
			bodies = append(bodies, r.encode())
		}
	}
	h.server.seen = func(Seen) {}
	var wait sync.WaitGroup
	for range 4 {
		for _, b := range bodies {
			wait.Go(func() {
				if _, err := h.server.Add(b); err != nil && !errors.As(err, new(*Refusal)) {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	size := h.server.state.Last("origin").Size
	h.restart(l)
	if again := h.server.state.Last("origin"); again.Size != size || size == 0 {
		t.Fatalf("in memory %d, on disk %d", size, again.Size)
	}
}

func TestTheQuorumDecides(t *testing.T) {
	l := newTree(t, "origin")
	l.add("a")
	one, two, three := newHouse(t, "w1", l), newHouse(t, "w2", l), newHouse(t, "w3")
	if r := cosign(t, client(policy(t, 2, one, two, three)), l); !r.Met || r.New != 2 || len(r.Errs) != 1 {
		t.Fatalf("two of three: %+v", r)
	}
	if r := cosign(t, client(policy(t, 3, one, two, three)), l); r.Met || r.New != 2 {
		t.Fatalf("three of three: %+v", r)
	}
	// The third learns about the log: only it is asked, and the quorum is met.
	c := client(policy(t, 3, one, two, three))
	first := cosign(t, c, l)
	three.serve(three.server.state, l)
	r, err := c.Cosign(context.Background(), first.Note, l.prove)
	if err != nil || !r.Met || r.New != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// What a witness sends is not believed: a cosignature counts when it verifies.
func TestALyingWitnessIsIgnored(t *testing.T) {
	l := newTree(t, "origin")
	l.add("a", "b")
	h, liar := newHouse(t, "w", l), newHouse(t, "w", l)
	good := cosign(t, client(policy(t, 1, h)), l)
	wrong := cosign(t, client(policy(t, 1, liar)), l) // another key in the same name
	other := l.at(1)
	for name, answer := range map[string]struct {
		status int
		kind   string
		text   string
	}{
		"nothing":             {200, "", ""},
		"another key":         {200, "", lastLine(wrong.Note)},
		"another checkpoint":  {200, "", lastLine(cosign(t, client(policy(t, 1, newHouse(t, "w", l))), other).Note)},
		"a cut line":          {200, "", strings.TrimSuffix(lastLine(good.Note), "\n")},
		"a flipped bit":       {200, "", strings.Replace(lastLine(good.Note), "A", "B", 1)},
		"a redirect":          {307, "", ""},
		"an error":            {500, "", "sorry\x1b[31m"},
		"a size that is none": {409, "text/x.tlog.size", "many\n"},
		"a size without type": {409, "text/plain", "1\n"},
		"an endless answer":   {200, "", strings.Repeat("— w AAAA\n", 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", answer.kind)
				w.WriteHeader(answer.status)
				_, _ = io.WriteString(w, answer.text)
			}))
			defer web.Close()
			fake := *h
			fake.url = web.URL
			r := cosign(t, client(policy(t, 1, &fake)), l)
			if r.Met || r.New != 0 || len(r.Errs) != 1 || r.Bad != nil {
				t.Fatalf("%+v", r)
			}
		})
	}
}

// A witness cannot make us believe that the log was rolled back without naming
// a size, and it cannot keep us busy.
func TestAWitnessThatChangesItsMindIsAskedTwiceAtMost(t *testing.T) {
	l := newTree(t, "origin")
	l.add("a", "b", "c", "d")
	h := newHouse(t, "w", l)
	asked := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", 1+asked%2)
	}))
	defer web.Close()
	h.url = web.URL
	if r := cosign(t, client(policy(t, 1, h)), l); r.Met || r.Bad != nil || asked != 2 {
		t.Fatalf("asked %d times, %+v", asked, r)
	}
}

func lastLine(signed []byte) string {
	lines := strings.SplitAfter(string(signed), "\n")
	return lines[len(lines)-2]
}

func TestStateIsWholeOrRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s, err := NewState(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewState(path); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a state was replaced: %v", err)
	}
	for i := range 3 {
		if err := s.set(Checkpoint{Origin: fmt.Sprint("log/", i), Size: uint64(i + 1), Root: tlog.Hash{byte(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenState(path); !errors.Is(err, ErrStateDamaged) {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := OpenState(path)
	if err != nil || len(again.All()) != 3 || again.Last("log/2") != s.Last("log/2") {
		t.Fatalf("%v, %v", again, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(path); !errors.Is(err, ErrNoState) {
		t.Fatalf("a missing state: %v", err)
	}
}

// A state that cannot be written signs nothing, and stays as it was.
func TestNothingIsSignedThatIsNotRemembered(t *testing.T) {
	l := newTree(t, "origin")
	l.add("a")
	h := newHouse(t, "w", l)
	if err := os.RemoveAll(filepath.Dir(h.path)); err != nil {
		t.Fatal(err)
	}
	line, err := h.server.Add(request{note: l.note()}.encode())
	if err == nil || line != "" || h.server.state.Last("origin").Size != 0 {
		t.Fatalf("%q, %v, size %d", line, err, h.server.state.Last("origin").Size)
	}
}

func TestPolicyFiles(t *testing.T) {
	var vkeys []string
	for i := range 4 {
		k, err := keys.NewCosigner(fmt.Sprint("w", i))
		if err != nil {
			t.Fatal(err)
		}
		vkeys = append(vkeys, k.VKey())
	}
	log := newTree(t, "o").vkey
	good := "# who watches\n\nlog " + log + " https://log.example/\n witness\ta " + vkeys[0] + " https://w.example/a\nwitness b " + vkeys[1] +
		"\nwitness c " + vkeys[2] + "\ngroup x 2 a b\ngroup y any c\ngroup z all x y\nquorum z\n"
	p, err := ParsePolicy([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]bool{"abc": true, "ab": false, "ac": false, "bc": false, "": false} {
		set := map[string]bool{}
		for _, r := range who {
			set[vkeys[r-'a']] = true
		}
		if p.Met(set) != want {
			t.Errorf("%q: %v", who, !want)
		}
	}
	if p, err := ParsePolicy([]byte("quorum none\n")); err != nil || !p.Met(nil) || p.Needed() {
		t.Errorf("none: %v, %v", p, err)
	}
	w := "witness a " + vkeys[0] + "\n"
	for name, text := range map[string]string{
		"empty":                  "",
		"no quorum":              w,
		"two quorums":            w + "quorum a\nquorum a\n",
		"an unknown name":        w + "quorum b\n",
		"a name below":           "quorum a\n" + w,
		"a name twice":           w + strings.Replace(w, vkeys[0], vkeys[1], 1) + "quorum a\n",
		"a key twice":            w + strings.Replace(w, " a ", " b ", 1) + "quorum a\n",
		"the name none":          strings.Replace(w, " a ", " none ", 1) + "quorum none\n",
		"a member twice":         w + "group g 2 a a\nquorum g\n",
		"a member of two":        w + "group g any a\ngroup h any a\nquorum h\n",
		"a threshold of 0":       w + "group g 0 a\nquorum g\n",
		"a threshold too high":   w + "group g 2 a\nquorum g\n",
		"a threshold with zero":  w + "group g 01 a\nquorum g\n",
		"an empty group":         w + "group g any\nquorum g\n",
		"none in a group":        w + "group g any none\nquorum g\n",
		"a log's key as witness": "witness a " + log + "\nquorum a\n",
		"a witness's key as log": "log " + vkeys[0] + "\nquorum none\n",
		"a damaged key":          "witness a " + strings.Replace(vkeys[0], "+", "+0", 1) + "\nquorum a\n",
		"another word":           "policy\nquorum none\n",
		"a control character":    "quorum none\r\n",
		"plain http":             "witness a " + vkeys[0] + " http://w.example/\nquorum a\n",
		"a URL with a user":      "witness a " + vkeys[0] + " https://u:p@w.example/\nquorum a\n",
		"a log twice":            "log " + log + "\nlog " + log + "\nquorum none\n",
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	l := newTree(f, "origin")
	l.add("a", "b", "c")
	proof, err := l.prove(1, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request{old: 1, proof: proof, note: l.note()}.encode())
	f.Add([]byte("witness a b+c+d\nquorum a\n"))
	f.Add([]byte(stateHead + "\norigin 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nend 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRequest(b); err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatalf("a second spelling: %q", b)
		}
		if p, err := ParsePolicy(b); err == nil {
			p.Met(map[string]bool{})
		}
		if _, err := parseState(string(b)); err == nil && !bytes.HasPrefix(b, []byte(stateHead)) {
			t.Fatalf("a state without its head: %q", b)
		}
		if c, err := ParseCheckpoint(string(b)); err == nil && (c.Origin == "" || strings.Contains(c.Origin, "\n")) {
			t.Fatalf("%q", c.Origin)
		}
	})
}

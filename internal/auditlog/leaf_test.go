package auditlog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func fullLeaf() Leaf {
	l := Leaf{
		Decision: "allow", Kind: CallDecided, Log: "calls/2026", Policy: 7, Server: "wiki",
		Time: time.UnixMilli(1795910259123), Exchange: "0199c1de-8a5e-7c3b-9d5e-0123456789ab",
	}
	for i := range l.Commit {
		l.Commit[i] = byte(i * 7)
	}
	return l
}

// canonical writes a leaf as JCS by another way: encoding/json sorts members,
// and plain ASCII and small integers have one form.
func canonical(t interface{ Fatal(...any) }, l Leaf) []byte {
	m := map[string]any{
		"h": base64.RawURLEncoding.EncodeToString(l.Commit[:]), "kind": string(l.Kind), "log": string(l.Log),
		"t": l.Time.UnixMilli(), "v": 1,
	}
	for name, value := range map[string]string{"dec": l.Decision, "srv": l.Server, "x": l.Exchange} {
		if value != "" {
			m[name] = value
		}
	}
	if l.Policy != 0 {
		m["pol"] = l.Policy
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func TestLeafBytes(t *testing.T) {
	l := fullLeaf()
	want := `{"dec":"allow","h":"AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk","kind":"call.decided","log":"calls/2026","pol":7,"srv":"wiki","t":1795910259123,"v":1,"x":"0199c1de-8a5e-7c3b-9d5e-0123456789ab"}`
	if got := string(l.Append(nil)); got != want {
		t.Errorf("leaf is\n%s, want\n%s", got, want)
	}
	l.Decision, l.Policy, l.Server, l.Exchange = "", 0, "", ""
	want = `{"h":"AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk","kind":"call.decided","log":"calls/2026","t":1795910259123,"v":1}`
	if got := string(l.Append(nil)); got != want {
		t.Errorf("leaf is\n%s, want\n%s", got, want)
	}
}

func TestLeafIsJCS(t *testing.T) {
	text := rapid.StringMatching(`[!#-\[\]-~]{0,16}`)
	rapid.Check(t, func(t *rapid.T) {
		l := fullLeaf()
		l.Decision, l.Server, l.Exchange = text.Draw(t, "dec"), text.Draw(t, "srv"), text.Draw(t, "x")
		l.Policy = rapid.Uint64Range(0, maxInteger).Draw(t, "pol")
		l.Time = time.UnixMilli(rapid.Int64Range(0, maxInteger).Draw(t, "t"))
		copy(l.Commit[:], rapid.SliceOfN(rapid.Byte(), HashSize, HashSize).Draw(t, "h"))
		if err := l.check(); err != nil {
			t.Fatal(err)
		}
		raw := l.Append(nil)
		if want := canonical(t, l); !bytes.Equal(raw, want) {
			t.Fatalf("leaf is\n%s, JCS is\n%s", raw, want)
		}
		back, err := ParseLeaf(raw)
		if err != nil {
			t.Fatal(err)
		}
		if back.Time = back.Time.Local(); back.Time.UnixMilli() != l.Time.UnixMilli() {
			t.Fatal("time")
		}
		if back.Time = l.Time; back != l {
			t.Fatalf("read %+v", back)
		}
	})
}

func TestLongestLeaf(t *testing.T) {
	l := fullLeaf()
	l.Decision, l.Server, l.Exchange = strings.Repeat("d", maxDecision), strings.Repeat("s", maxServer), strings.Repeat("x", maxExchange)
	l.Kind, l.Log = Kind(strings.Repeat("k", maxKind)), Name(strings.Repeat("l", maxLog))
	l.Policy, l.Time = maxInteger, time.UnixMilli(maxInteger)
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	if n := len(l.Append(nil)); n > MaxLeaf {
		t.Errorf("the longest leaf has %d bytes", n)
	}
	for _, k := range Kinds() {
		if len(k.Kind) > maxKind {
			t.Errorf("%s is too long", k.Kind)
		}
	}
}

func TestLeafTakesNoInjection(t *testing.T) {
	for _, bad := range []string{"\n", "\x1b[1m", `"`, `\`, "\u2028", "é", " ", "\x00", "\x7f", `a","v":2,"x":"`, "=cmd()|'\t"} {
		for name, set := range map[string]func(*Leaf){
			"decision": func(l *Leaf) { l.Decision = bad }, "server": func(l *Leaf) { l.Server = bad },
			"exchange": func(l *Leaf) { l.Exchange = bad }, "kind": func(l *Leaf) { l.Kind = Kind(bad) },
			"log": func(l *Leaf) { l.Log = Name(bad) },
		} {
			l := fullLeaf()
			set(&l)
			if err := l.check(); !errors.Is(err, ErrEntry) {
				t.Errorf("%s %q: %v", name, bad, err)
			}
		}
	}
}

// TestOneLeafOneForm: what JSON takes for the same, but was written otherwise,
// is refused.
func TestOneLeafOneForm(t *testing.T) {
	l := fullLeaf()
	raw := string(l.Append(nil))
	for name, other := range map[string]string{
		"space":           strings.Replace(raw, `,"h"`, `, "h"`, 1),
		"order":           strings.Replace(raw, `"v":1,"x":"0199c1de-8a5e-7c3b-9d5e-0123456789ab"`, `"x":"0199c1de-8a5e-7c3b-9d5e-0123456789ab","v":1`, 1),
		"escape":          strings.Replace(raw, "wiki", `wik\u0069`, 1),
		"exponent":        strings.Replace(raw, `"pol":7`, `"pol":7e0`, 1),
		"leading zero":    strings.Replace(raw, `"pol":7`, `"pol":07`, 1),
		"zero policy":     strings.Replace(raw, `"pol":7`, `"pol":0`, 1),
		"negative":        strings.Replace(raw, `"pol":7`, `"pol":-7`, 1),
		"huge":            strings.Replace(raw, `"pol":7`, `"pol":9007199254740992`, 1),
		"overflow":        strings.Replace(raw, `"pol":7`, `"pol":99999999999999999999`, 1),
		"empty server":    strings.Replace(raw, `"wiki"`, `""`, 1),
		"padding":         strings.Replace(raw, `0tk"`, `0tk="`, 1),
		"stray bits":      strings.Replace(raw, `0tk"`, `0tl"`, 1),
		"short hash":      strings.Replace(raw, `0tk"`, `"`, 1),
		"long hash":       strings.Replace(raw, `0tk"`, `0tkAAAA"`, 1),
		"another version": strings.Replace(raw, `"v":1`, `"v":2`, 1),
		"unknown member":  strings.Replace(raw, `,"v":1`, `,"u":1,"v":1`, 1),
		"twice":           strings.Replace(raw, `"srv":"wiki",`, `"srv":"wiki","srv":"wiki",`, 1),
		"more after it":   raw + " ",
		"cut":             raw[:len(raw)-1],
		"no kind":         strings.Replace(raw, `"kind":"call.decided",`, "", 1),
		"no log":          strings.Replace(raw, `"log":"calls/2026",`, "", 1),
		"no time":         strings.Replace(raw, `"t":1795910259123`, `"t":`, 1),
		"empty":           "",
	} {
		if other == raw {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ParseLeaf([]byte(other)); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s is taken: %s", name, other)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	l := fullLeaf()
	f.Add(l.Append(nil))
	f.Add([]byte(`{"h":"AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk","kind":"a","log":"b","t":1,"v":1}`))
	f.Add([]byte(`{"h":"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseLeaf(raw)
		if err != nil {
			return
		}
		if want := canonical(t, l); !bytes.Equal(raw, want) {
			t.Fatalf("took\n%s, JCS is\n%s", raw, want)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add(appendBytes(appendBytes(nil, []byte("a")), bytes.Repeat([]byte("b"), 300)), uint64(2))
	f.Add([]byte{0x80, 0}, uint64(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint64(1))
	f.Add([]byte{}, uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, blob []byte, count uint64) {
		all, err := split(blob, count, MaxPart)
		if err != nil {
			return
		}
		var back []byte
		for _, e := range all {
			back = appendBytes(back, e)
		}
		if uint64(len(all)) != count || !bytes.Equal(back, blob) {
			t.Fatalf("%d elements do not make up the blob", len(all))
		}
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add("a/b\n12\nAAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK+2vcTL0tk=\n")
	f.Add("a\n01\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := ParseTree(text)
		if err == nil && tree.text() != text {
			t.Fatalf("took %q for %q", text, tree.text())
		}
	})
}

// TestKinds compares the constants with the catalogue, and the catalogue with
// itself.
func TestKinds(t *testing.T) {
	seen := map[Kind]bool{}
	for _, k := range Kinds() {
		if seen[k.Kind] || !k.Calls && !k.Control || !plain(string(k.Kind)) || !k.Kind.Known() {
			t.Errorf("%+v", k)
		}
		seen[k.Kind] = true
	}
	for _, k := range []Kind{AuthnFailed, SessionEnded, CallDecided, CallFinished, CallOutcomeUnknown, FloodSummarised, AdminChanged,
		KeyDestroyed, CertIssued, AuditRead, SystemStarted, IntegrityFailed, CheckpointUnwitnessed, RetentionPurged, ErasureExecuted} {
		if !seen[k] {
			t.Errorf("%s is not in the catalogue", k)
		}
	}
	if Kind("call.invented").Known() {
		t.Error("an invented kind is known")
	}
}

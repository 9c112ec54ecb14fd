package privacy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/pii"
)

// FuzzTransform: whatever a value is, what takes its place is valid UTF-8 and
// bounded, fits its schema, and is the same twice.
func FuzzTransform(f *testing.F) {
	for i, s := range samples {
		f.Add(i, i, s.Value, "", "", false, 0)
	}
	f.Add(1, 3, "15.03.1989 \xff", "date", `^[a-z]+$`, true, 3)
	f.Add(0, 12, strings.Repeat("a", 70_000), "email", `(((a{30}){30}){30})`, false, 0)
	strict, loose := named(f, "hipaa-safe-harbor"), named(f, "gdpr-minimal")
	types := pii.Types()
	f.Fuzz(func(t *testing.T, typ, action int, value, format, pattern string, number bool, most int) {
		if typ < 0 || action < 0 || len(value) > 100_000 {
			t.Skip()
		}
		x := Finding{Type: types[typ%len(types)], Value: value, Scope: "s", Schema: Schema{Format: format, Pattern: pattern, Numeric: number, Max: most}}
		for _, p := range []*Profile{strict, loose} {
			a := p.Shaped(actions[action%len(actions)], x)
			got, err := p.Transform(a, x, Sample{})
			if err != nil {
				if len(value) > 8 && strings.Contains(err.Error(), value) {
					t.Fatalf("the error holds the value: %v", err)
				}
				continue
			}
			if !utf8.ValidString(got) || len(got) > 3*len(value)+256 || !p.shape(x.Schema).fits(got) {
				t.Fatalf("%s of %s: %q (%d bytes of %d)", a, x.Type, got, len(got), len(value))
			}
			if again, err := p.Transform(a, x, Sample{}); err != nil || again != got {
				t.Fatalf("%s of %s: %q, then %q (%v)", a, x.Type, got, again, err)
			}
		}
	})
}

// FuzzPath: an expression that is taken names a place written like it.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a", "a.b[*].c", "**.x", "a.*", "[*]", "a..b", "a[", "]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePath(s)
		if err != nil || strings.Contains(s, ".[*]") { // wire writes a[*]
			return
		}
		if !p.match(s) && !strings.Contains(s, "*") {
			t.Fatalf("%q does not name itself", s)
		}
	})
}

// TestHiddenIsGone: in a text of known values between words, no part of one that
// identifies is left, under any profile and zone that hides its type.
func TestHiddenIsGone(t *testing.T) {
	values := map[pii.Type]string{pii.Email: "jo.canary@example.com", pii.CreditCard: "4111 1111 1111 1111", pii.IBAN: "DE89370400440532013000",
		pii.SSN: "123-45-6789", pii.Phone: "+49 30 3736418", pii.MACAddress: "3c:22:fb:12:34:56"}
	profiles := []*Profile{named(t, "gdpr-minimal"), named(t, "hipaa-safe-harbor")}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(profiles).Draw(t, "profile")
		w := Where{Toward: rapid.SampledFrom([]Toward{Server, Client}).Draw(t, "toward"), Zone: rapid.SampledFrom([]Zone{ZoneToken, ZoneMinimal}).Draw(t, "zone")}
		var text strings.Builder
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			text.WriteString(rapid.SampledFrom([]string{"please", "write", "to", "and", "or,", "then:"}).Draw(t, "word"))
			text.WriteString(" " + values[rapid.SampledFrom([]pii.Type{pii.Email, pii.CreditCard, pii.IBAN, pii.SSN, pii.Phone, pii.MACAddress}).Draw(t, "type")] + " ")
		}
		out, blocked := hidden(t, p, w, text.String())
		if len(blocked) > 0 {
			t.Fatalf("blocked: %v", blocked)
		}
		for _, part := range []string{"canary", "1111", "37040044", "123-45", "3736418", "3c:22"} {
			if strings.Contains(out, part) {
				t.Fatalf("%s is left in %s of %s", part, out, text.String())
			}
		}
		if again, _ := hidden(t, p, w, out); again != out {
			t.Fatalf("%s became %s", out, again)
		}
	})
}

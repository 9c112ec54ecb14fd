package privacy

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/pii"
)

// toy is a Secrets whose outcomes a test can write down. It hides nothing.
type toy struct{}

func (toy) sum(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return max(1, h.Sum64())
}

func (t toy) Hash(scope, typ, value string) string {
	return fmt.Sprintf("%016X", t.sum(scope, typ, value))
}
func (toy) Shift(_, _ string) int { return 10 }
func (toy) SIV(_, typ, value string) (string, error) {
	return strings.ToUpper(fmt.Sprintf("%x", typ+value)), nil
}
func (toy) FF1(_, _, digits string) (string, error) {
	if len(digits) < 6 {
		return "", keys.ErrDomain
	}
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+3)%10 }, digits), nil
}
func (t toy) Surrogate(scope, typ, value string) uint64 { return t.sum(scope, typ, value) }

// compiled returns the profile of a config that must be valid.
func compiled(t testing.TB, cfg Config) *Profile {
	t.Helper()
	p, err := Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func named(t testing.TB, name string) *Profile {
	t.Helper()
	return compiled(t, Config{Profile: name, Year: func() int { return 2026 }})
}

// hidden does to text what protect does, as far as a test needs it: every finding
// becomes what its profile says. blocked names the types that block.
func hidden(t testing.TB, p *Profile, w Where, text string) (out string, blocked []pii.Type) {
	t.Helper()
	var b strings.Builder
	last := 0
	for _, s := range p.Scanner().Scan([]byte(text)) {
		b.WriteString(text[last:s.Start])
		last = s.End
		value := text[s.Start:s.End]
		switch a := p.Decide(w, s.Type, s.Sub); a {
		case Keep, Flag:
			b.WriteString(value)
		case Block:
			blocked = append(blocked, s.Type)
		case Token:
			fmt.Fprintf(&b, "<%s_%016d>", s.Type, 1)
		case Drop:
			b.WriteString("[dropped]")
		default:
			got, err := p.Transform(a, Finding{Type: s.Type, Sub: s.Sub, Value: value, Scope: "s"}, toy{})
			if err != nil {
				t.Fatalf("%s of %s: %v", a, s.Type, err)
			}
			b.WriteString(got)
		}
	}
	b.WriteString(text[last:])
	return b.String(), blocked
}

package privacy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/pii"
)

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

// token is a pseudonym, which protect leaves alone.
var token = regexp.MustCompile(`<[A-Z_]+_[0-9]{16}>`)

// failer is a testing.TB or a rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// hidden does to text what protect does, as far as a test needs it: every finding
// becomes what its profile says. blocked names the types that block.
func hidden(t failer, p *Profile, w Where, text string) (out string, blocked []pii.Type) {
	t.Helper()
	return replaced(t, p, w, text, p.Scanner().Scan([]byte(text)))
}

func replaced(t failer, p *Profile, w Where, text string, spans []pii.Span) (out string, blocked []pii.Type) {
	t.Helper()
	var b strings.Builder
	last := 0
	ours := token.FindAllStringIndex(text, -1)
	for _, s := range spans {
		if slices.ContainsFunc(ours, func(at []int) bool { return at[0] <= s.Start && s.End <= at[1] }) {
			continue
		}
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
			got, err := p.Transform(a, Finding{Type: s.Type, Sub: s.Sub, Value: value, Scope: "s"}, Sample{})
			if err != nil {
				t.Fatalf("%s of %s: %v", a, s.Type, err)
			}
			b.WriteString(got)
		}
	}
	b.WriteString(text[last:])
	return b.String(), blocked
}

// hiddenJSON is hidden for one JSON value: keys are context.
func hiddenJSON(t testing.TB, p *Profile, w Where, text string) (out string, blocked []pii.Type) {
	t.Helper()
	return replaced(t, p, w, text, p.Scanner().ScanJSON([]byte(text)))
}

// dayNumber counts days.
func dayNumber(d date) int64 {
	return time.Date(d.full(2026), time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

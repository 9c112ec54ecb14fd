package privacy

import (
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/pii"
)

// BenchmarkDecide is what every finding of every message costs.
func BenchmarkDecide(b *testing.B) {
	p := named(b, "gdpr-minimal")
	w := Where{Toward: Client, Zone: ZoneToken, Server: "crm", Tool: "find", Path: "rows[*].email"}
	b.ReportAllocs()
	for b.Loop() {
		if p.Decide(w, pii.Email, "") != Token {
			b.Fatal("another action")
		}
	}
}

// BenchmarkTransform is what one value costs, by action.
func BenchmarkTransform(b *testing.B) {
	ring, err := keys.Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	p, s := named(b, "gdpr-minimal"), ring.Transforms()
	for _, c := range []struct {
		a Action
		f Finding
	}{
		{Redact, Finding{Type: pii.Email, Value: "jo@example.com"}}, {Mask, Finding{Type: pii.CreditCard, Value: "4111 1111 1111 1111"}},
		{Generalize, Finding{Type: pii.DateTime, Value: "1961-07-24"}}, {Generalize, Finding{Type: pii.DateTime, Value: "24 juillet 1961"}},
		{Generalize, Finding{Type: pii.IPAddress, Value: "81.2.69.142"}}, {Hash, Finding{Type: pii.Email, Value: "jo@example.com"}},
		{SIV, Finding{Type: pii.Email, Value: "jo@example.com"}}, {FF1, Finding{Type: pii.CreditCard, Value: "4111 1111 1111 1111"}},
		{Shift, Finding{Type: pii.DateTime, Value: "1961-07-24"}}, {Surrogate, Finding{Type: pii.Person, Value: "Katarzyna Wilk"}},
	} {
		b.Run(string(c.a)+"/"+c.f.Value, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Transform(c.a, c.f, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

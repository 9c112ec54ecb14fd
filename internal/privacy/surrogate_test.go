package privacy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/pii"
)

// samples has a value of each type in the forms that are invented.
var samples = []Finding{
	{Type: pii.Person, Value: "Katarzyna Wilk"},
	{Type: pii.Organization, Value: "Hartwell Plumbing Ltd"},
	{Type: pii.Location, Value: "Springfield"},
	{Type: pii.Location, Sub: "STREET_ADDRESS", Value: "12 Chestnut Road"},
	{Type: pii.Location, Sub: "ZIP_CODE", Value: "02139"},
	{Type: pii.Location, Sub: "UK_POSTCODE", Value: "SW1A 1AA"},
	{Type: pii.Location, Sub: "GEO", Value: "48.85837, 2.29448"},
	{Type: pii.NRP, Value: "Catholic"},
	{Type: pii.Title, Value: "Dr"},
	{Type: pii.Age, Value: "42"},
	{Type: pii.DateTime, Value: "15.03.1989"},
	{Type: pii.Email, Value: "jo@example.com"},
	{Type: pii.Phone, Value: "+44 20 7946 0981"},
	{Type: pii.URL, Value: "https://example.com/jo"},
	{Type: pii.IPAddress, Value: "81.2.69.142"},
	{Type: pii.IPAddress, Value: "2a01:4f8:c17:b0f::2"},
	{Type: pii.MACAddress, Value: "3c:22:fb:12:34:56"},
	{Type: pii.DeviceID, Value: "490154203237518"},
	{Type: pii.CreditCard, Value: "4111 1111 1111 1111"},
	{Type: pii.CreditCard, Value: "378282246310005"},
	{Type: pii.IBAN, Value: "DE89 3704 0044 0532 0130 00"},
	{Type: pii.BankAccount, Value: "000123456789"},
	{Type: pii.Crypto, Value: "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"},
	{Type: pii.SSN, Value: "123-45-6789"},
	{Type: pii.NationalID, Sub: "FR_NIR", Value: "1 85 05 78 006 084 91"},
	{Type: pii.TaxID, Sub: "DE_TAX_ID", Value: "86095742719"},
	{Type: pii.HealthID, Sub: "UK_NHS", Value: "943 476 5919"},
	{Type: pii.Passport, Value: "C01X00T47"},
	{Type: pii.DriverLicense, Value: "S12345678"},
	{Type: pii.VehicleID, Value: "1M8GDM9AXKP042788"},
	{Type: pii.CompanyID, Value: "HRB 12345"},
	{Type: pii.OtherID, Value: "KD-9938271"},
}

// TestSurrogates: an invented value has the form of the old one, is the same
// within its scope, another one outside, and holds nothing of the old one. The
// detector with its check digits finds no card, account or SSN in it, and no other
// number but one that begins with three noughts.
func TestSurrogates(t *testing.T) {
	all, err := pii.New(pii.Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	p := named(t, "gdpr-minimal")
	for _, f := range samples {
		made := map[string]bool{}
		for _, scope := range strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
			f.Scope = scope
			got, err := p.Transform(Surrogate, f, Sample{})
			again, _ := p.Transform(Surrogate, f, Sample{})
			if err != nil || got != again || f.Type != pii.Age && strings.Contains(got, f.Value) {
				t.Errorf("%s %q became %q and %q (%v)", f.Type, f.Value, got, again, err)
			}
			made[got] = true
			for _, s := range all.Scan([]byte(got)) {
				if checked := s.Type == pii.CreditCard || s.Type == pii.IBAN || s.Type == pii.SSN; checked || s.Type == f.Type && slices.Contains(digits, f.Type) && len(onlyDigits(got)) > 6 && f.Type != pii.Phone && !strings.HasPrefix(onlyDigits(got), "000") {
					t.Errorf("%q is a valid %s", got, s.Type)
				}
			}
			if recognised := []pii.Type{pii.Person, pii.Organization, pii.Email, pii.Phone, pii.URL, pii.IPAddress, pii.MACAddress, pii.SSN}; slices.Contains(recognised, f.Type) && !Ours(f.Type, got) {
				t.Errorf("%s %q is not known as ours", f.Type, got)
			}
			if Ours(f.Type, f.Value) {
				t.Errorf("%s %q is taken for ours", f.Type, f.Value)
			}
		}
		if len(made) < 13 {
			t.Errorf("%s: %d values in 26 scopes", f.Type, len(made))
		}
	}
}

// TestOursIsNobodys: what a stranger could be called is never ours.
func TestOursIsNobodys(t *testing.T) {
	for _, f := range []Finding{
		{Type: pii.Person, Value: "Nora Holm"}, {Type: pii.Person, Value: "Ada"}, {Type: pii.Person, Value: ""}, {Type: pii.Person, Value: "Brenombry Wilk"},
		{Type: pii.Email, Value: "jo@pseudonym.invalid.example.com"}, {Type: pii.Email, Value: "pseudonym.invalid"},
		{Type: pii.URL, Value: "https://example.com/a.pseudonym.invalid/"}, {Type: pii.URL, Value: "https://jo@x.pseudonym.invalid/"},
		{Type: pii.URL, Value: "https://example.com?.pseudonym.invalid/"}, {Type: pii.URL, Value: "https://"},
		{Type: pii.Phone, Value: "+1 617 555 0131"}, {Type: pii.Phone, Value: "+49 30 555 0100"}, {Type: pii.Phone, Value: "13912345678"},
		{Type: pii.Phone, Value: "+1 69 123456789"}, {Type: pii.Phone, Value: "+1 617 290 0000"}, {Type: pii.Phone, Value: "+1-290-200-0000"},
		{Type: pii.IPAddress, Value: "192.0.2.1"}, {Type: pii.IPAddress, Value: "203.0.113.7"}, {Type: pii.IPAddress, Value: "2001:db8::1"}, {Type: pii.IPAddress, Value: "198.20.0.1"},
		{Type: pii.SSN, Value: "123-45-0000"}, {Type: pii.CreditCard, Value: "4111 1111 1111 1111"}, {Type: pii.Secret, Value: "x@pseudonym.invalid"},
	} {
		if Ours(f.Type, f.Value) {
			t.Errorf("%s %q is taken for ours", f.Type, f.Value)
		}
	}
	common := regexp.MustCompile(`^[A-Z][a-z]+$`)
	if len(givenNames) < 50 || len(nameHalves) != 32 || len(nameEnds) != 32 {
		t.Errorf("%d given names, %d halves, %d ends", len(givenNames), len(nameHalves), len(nameEnds))
	}
	for _, w := range append(slices.Clone(givenNames), nameHalves...) {
		if !common.MatchString(w) {
			t.Errorf("%q is not a name", w)
		}
	}
}

// TestC10SchemasAreServed: what a schema demands, it gets, or nothing (C10).
func TestC10SchemasAreServed(t *testing.T) {
	p := named(t, "gdpr-minimal")
	for name, c := range map[string]struct {
		f     Finding
		a     Action
		want  Action
		looks string // expression of the outcome
	}{
		"free":           {Finding{Type: pii.Email, Value: "jo@example.com"}, Token, Token, ""},
		"mail":           {Finding{Type: pii.Email, Value: "jo@example.com", Schema: Schema{Format: "email"}}, Token, Surrogate, `^p[2-9a-z]{12}@pseudonym\.invalid$`},
		"redacted mail":  {Finding{Type: pii.Email, Value: "jo@example.com", Schema: Schema{Format: "email"}}, Redact, Replace, `^p[2-9a-z]{12}@pseudonym\.invalid$`},
		"date":           {Finding{Type: pii.DateTime, Value: "1989-03-15", Schema: Schema{Format: "date"}}, Token, Shift, `^1989-03-25$`},
		"year of a date": {Finding{Type: pii.DateTime, Value: "1989-03-15", Schema: Schema{Format: "date"}}, Generalize, Generalize, `^1989-01-01$`},
		"year of a time": {Finding{Type: pii.DateTime, Value: "1989-03-15T10:00:00Z", Schema: Schema{Format: "date-time"}}, Generalize, Generalize, `^1989-01-01T00:00:00Z$`},
		"redacted date":  {Finding{Type: pii.DateTime, Value: "1989-03-15", Schema: Schema{Format: "date"}}, Redact, Drop, ""},
		"phone":          {Finding{Type: pii.Phone, Value: "+49 30 3736418", Schema: Schema{Pattern: `^\+[0-9 ]{8,20}$`}}, Token, FF1, `^\+[0-9]{2} [0-9]{2} [0-9]{7}$`},
		"number":         {Finding{Type: pii.BankAccount, Value: "123456789", Schema: Schema{Numeric: true}}, Token, FF1, `^[1-9][0-9]{8}$`},
		"noughts":        {Finding{Type: pii.BankAccount, Value: "723456789", Schema: Schema{Numeric: true}}, Token, FF1, `^[1-9][0-9]*$`}, // FF1 begins with 0 there
		"short number":   {Finding{Type: pii.OtherID, Value: "1234", Schema: Schema{Numeric: true}}, Token, Surrogate, `^[1-9][0-9]{0,3}$`},
		"ssn":            {Finding{Type: pii.SSN, Value: "123-45-6789", Schema: Schema{Pattern: `^\d{3}-\d{2}-\d{4}$`}}, Token, Surrogate, `^000-\d{2}-\d{4}$`},
		"own form":       {Finding{Type: pii.OtherID, Value: "KD-99", Schema: Schema{Pattern: `^KD-[0-9]{2}$`}}, Token, Surrogate, `^KD-[0-9]{2}$`},
		"other form":     {Finding{Type: pii.OtherID, Value: "99/KD", Schema: Schema{Pattern: `^(KD|XD)-[0-9]{4,7}[a-f]?$`}}, Token, Surrogate, `^[KX]D-`},
		"age":            {Finding{Type: pii.Age, Value: "42", Schema: Schema{Numeric: true}}, Generalize, Generalize, `^40$`},
		"old age":        {Finding{Type: pii.Age, Value: "97", Schema: Schema{Numeric: true}}, Generalize, Generalize, `^90$`},
		"address":        {Finding{Type: pii.IPAddress, Value: "81.2.69.142", Schema: Schema{Format: "ipv4"}}, Generalize, Generalize, `^81\.2\.69\.0$`},
		"short text":     {Finding{Type: pii.Person, Value: "Katarzyna Wilk", Schema: Schema{Max: 40}}, Redact, Replace, `^[A-Z]`},
		"keep":           {Finding{Type: pii.Person, Value: "Jo", Schema: Schema{Max: 2}}, Keep, Keep, ""},
		"block":          {Finding{Type: pii.Person, Value: "Jo", Schema: Schema{Max: 2}}, Block, Block, ""},
	} {
		a := p.Shaped(c.a, c.f)
		if a != c.want {
			t.Errorf("%s: %s, want %s", name, a, c.want)
		}
		if c.looks == "" {
			continue
		}
		got, err := p.Transform(a, c.f, Sample{})
		if err != nil || !regexp.MustCompile(c.looks).MatchString(got) || !p.shape(c.f.Schema).fits(got) {
			t.Errorf("%s: %q (%v)", name, got, err)
		}
	}
}

// TestRoundTrips: what SIV and FF1 made comes back byte for byte with the ring's
// keys, inside its scope only. A card that FF1 made is nobody's.
func TestRoundTrips(t *testing.T) {
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, p := ring.Transforms(), named(t, "gdpr-minimal")
	for _, f := range samples {
		f.Scope = "s"
		sealed, err := p.Transform(SIV, f, s)
		if err != nil {
			t.Fatal(err)
		}
		typ, code, ok := Code(sealed)
		if back, err := s.OpenSIV("s", string(typ), code); !ok || err != nil || back != f.Value {
			t.Errorf("%s became %s became %q (%v)", f.Value, sealed, back, err)
		}
		if back, err := s.OpenSIV("t", string(typ), code); err == nil {
			t.Errorf("%s opens in another scope: %q", sealed, back)
		}
		if !slices.Contains(digits, f.Type) || len(onlyDigits(f.Value)) < 7 || !numberLike(f.Value) {
			continue
		}
		enc, err := p.Transform(FF1, f, s)
		if err != nil || enc == f.Value || len(enc) != len(f.Value) || f.Type == pii.CreditCard && luhn(onlyDigits(enc)) {
			t.Errorf("%s became %q (%v)", f.Value, enc, err)
		}
		back, err := Decrypted(f.Type, enc, func(d string) (string, error) {
			all, err := s.OpenFF1("s", string(f.Type), d)
			if err != nil {
				return "", err
			}
			return all[0], nil
		})
		if err != nil || back != f.Value {
			t.Errorf("%s became %q became %q (%v)", f.Value, enc, back, err)
		}
	}
	for _, bad := range []string{"", "[EMAIL]", "[EMAIL~]", "[EMAIL#AB]", "EMAIL~AB", "[MAIL~AB]", "[~AB]"} {
		if _, _, ok := Code(bad); ok {
			t.Errorf("%q is taken for a code", bad)
		}
	}
}

// TestIntervals: two dates of one subject stay as far apart as they were, whatever
// their forms; those of another subject move by other days.
func TestIntervals(t *testing.T) {
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := named(t, "gdpr-minimal")
	rapid.Check(t, func(t *rapid.T) {
		a, b := day(&dice{rapid.Uint64().Draw(t, "a")}), day(&dice{rapid.Uint64().Draw(t, "b")})
		shape := rapid.SampledFrom([]string{"2006-01-02", "02.01.2006", "2 January 2006", "January 2, 2006", "Jan 2, 2006", "2006/01/02"})
		var moved [2]int64
		for i, d := range []struct{ text string }{{a.Format(shape.Draw(t, "x"))}, {b.Format(shape.Draw(t, "y"))}} {
			got, err := p.Transform(Shift, Finding{Type: pii.DateTime, Value: d.text, Scope: "s", Subject: "wilk"}, ring.Transforms())
			if err != nil {
				t.Fatal(err)
			}
			read, ok := readDate(got)
			if !ok {
				t.Fatalf("%q became %q", d.text, got)
			}
			moved[i] = dayNumber(read)
		}
		if want := (a.Unix() - b.Unix()) / 86400; moved[0]-moved[1] != want {
			t.Fatalf("%v and %v are %d days apart", a, b, moved[0]-moved[1])
		}
	})
}

// TestPatternsAreCompiledOnce: an expression that unfolds into a thousand states
// costs its compilation once, not once per value and candidate.
func TestPatternsAreCompiledOnce(t *testing.T) {
	p := named(t, "gdpr-minimal")
	f := Finding{Type: pii.OtherID, Value: "KD-9938271", Schema: Schema{Pattern: `^(((a{10}){10}){10}|x[0-9]{3})$`}}
	first := p.compiled.of(f.Schema.Pattern)
	if first == nil {
		t.Fatal("RE2 refuses the expression")
	}
	for range 100 {
		if got, err := p.Transform(Surrogate, f, Sample{}); err != nil || len(got) != 4 {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if p.compiled.of(f.Schema.Pattern) != first {
		t.Error("compiled again")
	}
	for i := range 3 * maxExpression {
		p.compiled.of(strings.Repeat("a", i%1000) + "(")
	}
	if n := len(p.compiled.kept); n > maxExpression {
		t.Errorf("%d are kept", n)
	}
}

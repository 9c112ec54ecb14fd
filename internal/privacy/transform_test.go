package privacy

import (
	"errors"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// TestGeneralize has what is left of every kind of value that has something more
// general, in both profiles that generalize.
func TestGeneralize(t *testing.T) {
	for _, c := range []struct {
		typ         pii.Type
		sub, value  string
		gdpr, hipaa string
	}{
		{pii.DateTime, "", "2024-03-05", "2024", "2024"},
		{pii.DateTime, "", "2024-03-05T10:11:12+02:00", "2024", "2024"},
		{pii.DateTime, "", "03/15/1989", "1989", "1989"},
		{pii.DateTime, "", "15.03.1989", "1989", "1989"},
		{pii.DateTime, "", "3/15/89", "1989", "[DATE_TIME]"},
		{pii.DateTime, "", "3/15/26", "2026", "[DATE_TIME]"},
		{pii.DateTime, "", "3/15/27", "1927", "[DATE_TIME]"},
		{pii.DateTime, "", "16 January 1978", "1978", "1978"},
		{pii.DateTime, "", "March 15th, 1989", "1989", "1989"},
		{pii.DateTime, "", "Mar. 15, 1989", "1989", "1989"},
		{pii.DateTime, "", "3. März 1980", "1980", "1980"},
		{pii.DateTime, "", "3 de mayo de 1980", "1980", "1980"},
		{pii.DateTime, "", "1er août 1985", "1985", "1985"},
		{pii.DateTime, "", "dicembre 1999", "1999", "1999"},
		{pii.DateTime, "", "03/1999", "1999", "1999"},
		{pii.DateTime, "", "1999", "1999", "1999"},
		{pii.DateTime, "", "Monday the third of May 1999", "1999", "1999"},
		{pii.DateTime, "", "from 1998 to 1999", "[DATE_TIME]", "[DATE_TIME]"},
		{pii.DateTime, "", "March 15", "[DATE_TIME]", "[DATE_TIME]"},
		{pii.DateTime, "", "next Tuesday", "[DATE_TIME]", "[DATE_TIME]"},
		{pii.DateTime, "", "1930-01-01", "1930", "before 1937"},
		{pii.DateTime, "DATE_OF_BIRTH", "1930-01-01", "before 1937", "before 1937"},
		{pii.DateTime, "DATE_OF_BIRTH", "1936-12-31", "before 1937", "before 1937"},
		{pii.DateTime, "DATE_OF_BIRTH", "1937-01-01", "1937", "1937"},
		{pii.DateTime, "DATE_OF_BIRTH", "before 1937", "before 1937", "before 1937"},
		{pii.Age, "", "42", "40-49", "40-49"},
		{pii.Age, "", "89", "80-89", "80-89"},
		{pii.Age, "", "90", "90+", "90+"},
		{pii.Age, "", "92", "90+", "90+"},
		{pii.Age, "", "104", "90+", "90+"},
		{pii.Age, "", "92 years old", "90+ years old", "90+ years old"},
		{pii.Age, "", "7-year-old", "0-9-year-old", "0-9-year-old"},
		{pii.Age, "", "40-49", "40-49", "40-49"},
		{pii.Age, "", "90+", "90+", "90+"},
		{pii.Age, "", "ninety-two", "[AGE]", "[AGE]"},
		{pii.Age, "", "42 years and 3 months", "[AGE]", "[AGE]"},
		{pii.Age, "", "92.5", "[AGE]", "[AGE]"},
		{pii.Location, "ZIP_CODE", "02139", "021", "021"},
		{pii.Location, "ZIP_CODE", "02139-4307", "021", "021"},
		{pii.Location, "ZIP_CODE", "021394307", "021", "021"},
		{pii.Location, "ZIP_CODE", "2139", "[LOCATION]", "[LOCATION]"},
		{pii.Location, "ZIP_CODE", "02139x", "[LOCATION]", "[LOCATION]"},
		{pii.Location, "DE_PLZ", "10115", "10", "[LOCATION]"},
		{pii.Location, "UK_POSTCODE", "SW1A 1AA", "SW", "[LOCATION]"},
		{pii.Location, "GEO", "48.85837, 2.29448", "48.8, 2.2", "[LOCATION]"},
		{pii.Location, "", "Boston", "[LOCATION]", "[LOCATION]"},
		{pii.Location, "STREET_ADDRESS", "12 Main Street", "[LOCATION]", "[LOCATION]"},
		{pii.IPAddress, "", "10.20.30.40", "10.20.30.0", "10.20.30.0"},
		{pii.IPAddress, "", "10.20.30.40/16", "10.20.0.0", "10.20.0.0"},
		{pii.IPAddress, "", "2a01:4f8:c17:b0f::2", "2a01:4f8:c17::", "2a01:4f8:c17::"},
		{pii.IPAddress, "", "::ffff:10.20.30.40", "10.20.30.0", "10.20.30.0"},
		{pii.IPAddress, "", "fe80::1%eth0", "fe80::", "fe80::"},
		{pii.IPAddress, "", "10.20.30", "[IP_ADDRESS]", "[IP_ADDRESS]"},
		{pii.Email, "", "jo@example.com", "[EMAIL]", "[EMAIL]"},
	} {
		for profile, want := range map[string]string{"gdpr-minimal": c.gdpr, "hipaa-safe-harbor": c.hipaa} {
			f := Finding{Type: c.typ, Sub: c.sub, Value: c.value}
			got, err := named(t, profile).Transform(Generalize, f, nil)
			if err != nil || got != want {
				t.Errorf("%s: %s %q became %q (%v), want %q", profile, c.typ, c.value, got, err, want)
			}
			f.Value = got
			if again, err := named(t, profile).Transform(Generalize, f, nil); err == nil && again != got && !strings.HasPrefix(again, "[") {
				t.Errorf("%s: %q became %q the second time", profile, got, again)
			}
		}
	}
}

// TestSparseZIP: every area of HHS's list is 000, whatever follows.
func TestSparseZIP(t *testing.T) {
	if len(sparse) != 17 {
		t.Errorf("%d areas, HHS lists 17", len(sparse))
	}
	for _, z := range sparse {
		for _, more := range []string{"01", "99", "01-1234", "011234"} {
			if got := zip3(z + more); got != "000" {
				t.Errorf("%s%s became %s", z, more, got)
			}
		}
	}
}

// TestURL takes out what identifies or opens, and leaves every other byte.
func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://jo:pw@example.com/a?b=c#d":            "https://example.com/a?b=c#d",
		"https://jo@example.com":                       "https://example.com",
		"https://a@b@example.com/x":                    "https://example.com/x",
		"https://example.com/?access_token=1&x=%20&X=": "https://example.com/?x=%20&X=",
		"https://example.com/?X-Amz-Signature=1":       "https://example.com/",
		"https://example.com/?apiKey=1&apikey=2&k=3":   "https://example.com/?k=3",
		"https://example.com/?to%6ben=1":               "https://example.com/",
		"https://example.com/?to=jo@example.com&n=1":   "https://example.com/?n=1",
		"https://example.com/?to=jo%40example.com":     "https://example.com/",
		"https://example.com/#access_token=1&state=2":  "https://example.com/#state=2",
		"https://example.com/monkey?monkeys=2":         "https://example.com/monkey?monkeys=2",
		"www.example.com/?sid=3":                       "www.example.com/",
		"https://[2001:db8::1]:8443/x?y=1":             "https://[2001:db8::1]:8443/x?y=1",
		"not a url":                                    "",
	} {
		if got := bareURL(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestShift moves dates in their own form, and keeps the days between them.
func TestShift(t *testing.T) {
	p := compiled(t, Config{Profile: "gdpr-minimal"})
	for in, want := range map[string]string{
		"2024-02-25":              "2024-03-06",
		"2024-02-25T10:11:12Z":    "2024-03-06T10:11:12Z",
		"2024/2/25":               "2024/3/06",
		"25.02.2024":              "06.03.2024",
		"5.2.2024":                "15.2.2024",
		"02/25/2024":              "03/06/2024",
		"02/25/24":                "03/06/24",
		"13/02/2024":              "23/02/2024",
		"25 February 2024":        "6 March 2024",
		"25 Feb 2024":             "6 Mar 2024",
		"5-FEB-2024":              "15-FEB-2024",
		"February 25th, 2024":     "March 6th, 2024",
		"22nd February 2024":      "3rd March 2024",
		"1st of May 1999":         "11th of May 1999",
		"25. Februar 2024":        "6. März 2024",
		"22 fevrier 2024":         "3 mars 2024",
		"22 juillet 2024":         "1 août 2024",
		"22 mai 2024":             "1 juin 2024",
		"22. Mai 2024":            "1. Juni 2024",
		"22 MAI 2024":             "1 JUIN 2024",
		"28 de diciembre de 2024": "7 de enero de 2025",
		"2024-12-31":              "2025-01-10",
		"1999-12-25 at dawn":      "[DATE_TIME]",
		"March 15":                "[DATE_TIME]",
		"1999":                    "[DATE_TIME]",
		"2023-02-29":              "[DATE_TIME]",
	} {
		got, err := p.Transform(Shift, Finding{Type: pii.DateTime, Value: in, Scope: "s"}, Sample{})
		if err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", in, got, err, want)
		}
	}
}

// TestMask: the last four characters as a reader sees them, of a short value less.
func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"4111 1111 1111 1111":    "**** **** **** 1111",
		"123-45-6789":            "***-**-6789",
		"jo@example.com":         "**@******e.com",
		"":                       "",
		"abc":                    "***",
		"abcd":                   "***d",
		"abcdefg":                "******g",
		"Zoe\u0308 Mu\u0308ller": "*** **ller",
		"👨‍👩‍👧👨‍👩‍👧🇩🇪🇫🇷👍🏽x̂y̆zz":                             "*****x̂y̆zz",
		"a\u200db\u200dc\u200dd\u200de\u200df\u200dg\u200dh": "****e\u200df\u200dg\u200dh",
	} {
		if got := mask(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestTransformRefuses: what makes no value, has no key or is no value of the
// type is an error, and never the value.
func TestTransformRefuses(t *testing.T) {
	const canary = "jo.canary@example.com"
	p := compiled(t, Config{Profile: "gdpr-minimal"})
	mail := Finding{Type: pii.Email, Value: canary, Scope: "s"}
	secret := Finding{Type: pii.Secret, Value: canary, Scope: "s"}
	for name, c := range map[string]struct {
		p    *Profile
		a    Action
		f    Finding
		s    Secrets
		want error
	}{
		"keep":            {p, Keep, mail, Sample{}, ErrAction},
		"flag":            {p, Flag, mail, Sample{}, ErrAction},
		"block":           {p, Block, mail, Sample{}, ErrAction},
		"drop":            {p, Drop, mail, Sample{}, ErrAction},
		"token":           {p, Token, mail, Sample{}, ErrAction},
		"no action":       {p, "", mail, Sample{}, ErrAction},
		"unknown":         {p, "encrypt", mail, Sample{}, ErrAction},
		"no key hash":     {p, Hash, mail, nil, ErrKey},
		"no key siv":      {p, SIV, mail, nil, ErrKey},
		"lost key":        {p, Hash, mail, keyless{}, ErrKey},
		"lost key seed":   {p, Surrogate, mail, keyless{}, ErrKey},
		"lost key siv":    {p, SIV, mail, keyless{}, ErrKey},
		"lost key days":   {p, Shift, Finding{Type: pii.DateTime, Value: "2024-01-01"}, keyless{}, ErrKey},
		"shift a mail":    {p, Shift, mail, Sample{}, ErrAction},
		"ff1 of a mail":   {p, FF1, mail, Sample{}, ErrAction},
		"ff1 of an ssn":   {p, FF1, Finding{Type: pii.SSN, Value: "123-45-6789"}, Sample{}, ErrAction},
		"mask a secret":   {p, Mask, secret, Sample{}, ErrAction},
		"hash a secret":   {p, Hash, secret, Sample{}, ErrAction},
		"siv of a secret": {p, SIV, secret, Sample{}, ErrAction},
		"invent a secret": {p, Surrogate, secret, Sample{}, ErrAction},
		"hipaa hash":      {named(t, "hipaa-safe-harbor"), Hash, mail, Sample{}, ErrAction},
		"hipaa siv":       {named(t, "hipaa-safe-harbor"), SIV, mail, Sample{}, ErrAction},
		"hipaa ff1":       {named(t, "hipaa-safe-harbor"), FF1, Finding{Type: pii.Phone, Value: "2025550123"}, Sample{}, ErrAction},
		"hipaa shift":     {named(t, "hipaa-safe-harbor"), Shift, Finding{Type: pii.DateTime, Value: "2024-01-01"}, Sample{}, ErrAction},
		"hipaa mask":      {named(t, "hipaa-safe-harbor"), Mask, mail, Sample{}, ErrAction},
		"hipaa surrogate": {named(t, "hipaa-safe-harbor"), Surrogate, mail, Sample{}, ErrAction},
		"no such shape":   {p, Surrogate, Finding{Type: pii.Email, Value: canary, Schema: Schema{Pattern: `^[^\s\S]$`}}, Sample{}, ErrShape},
		"bad pattern":     {p, Redact, Finding{Type: pii.Email, Value: canary, Schema: Schema{Pattern: `(?=x)`}}, Sample{}, ErrShape},
		"redact a date":   {p, Redact, Finding{Type: pii.DateTime, Value: "2024-01-01", Schema: Schema{Format: "date"}}, Sample{}, ErrShape},
		"hipaa date":      {named(t, "hipaa-safe-harbor"), Generalize, Finding{Type: pii.DateTime, Value: "2024-01-01", Schema: Schema{Format: "date"}}, Sample{}, ErrShape},
	} {
		got, err := c.p.Transform(c.a, c.f, c.s)
		if !errors.Is(err, c.want) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the value: %v", name, err)
		}
	}
}

// keyless is a Secrets whose key was destroyed.
type keyless struct{}

func (keyless) Hash(_, _, _ string) string         { return "" }
func (keyless) Shift(_, _ string) int              { return 0 }
func (keyless) SIV(_, _, _ string) (string, error) { return "", errors.New("destroyed") }
func (keyless) FF1(_, _, _ string) (string, error) { return "", errors.New("destroyed") }
func (keyless) Surrogate(_, _, _ string) uint64    { return 0 }

// TestFF1LeavesNoLetters: what is not a number, and what is too short for FF1,
// becomes an invented value: no part of it is left.
func TestFF1LeavesNoLetters(t *testing.T) {
	p := named(t, "gdpr-minimal")
	for _, f := range []Finding{
		{Type: pii.VehicleID, Value: "1M8GDM9AXKP042788"}, {Type: pii.Passport, Value: "C01X00T47"}, {Type: pii.OtherID, Value: "S0QtOTkzODI3MQ=="},
		{Type: pii.OtherID, Value: "1234"}, {Type: pii.OtherID, Value: "１２３４５６７８"},
	} {
		f.Scope = "s"
		want, err := p.Transform(Surrogate, f, Sample{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Transform(FF1, f, Sample{}); err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", f.Value, got, err, want)
		}
		if _, err := p.Transform(FF1, f, keyless{}); !errors.Is(err, ErrKey) {
			t.Errorf("%q without a key: %v", f.Value, err)
		}
	}
}

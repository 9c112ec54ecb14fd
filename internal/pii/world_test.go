package pii

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// published are examples that the issuers or textbooks print; the checks must agree
// with them.
var published = []struct{ word, value, sub string }{
	{"SVNR", "1237 010180", "AT_SVNR"},
	{"CNP", "1800101221144", "RO_CNP"},
	{"EGN", "7523169263", "BG_EGN"},
	{"AMKA", "01013099997", "GR_AMKA"},
	{"AFM", "094259216", "GR_AFM"},
	{"rodné číslo", "710319/2745", "CZ_RC"},
	{"OIB", "69435151530", "HR_OIB"},
	{"isikukood", "37605030299", "EE_LT_PERSONAL_CODE"},
	{"asmens kodas", "33309240064", "EE_LT_PERSONAL_CODE"},
	{"JMBG", "0101006500006", "JMBG"},
	{"kennitala", "120174-3399", "IS_KENNITALA"},
	{"SNILS", "112-233-445 95", "RU_SNILS"},
	{"ИНН", "7707083893", "RU_INN"},
	{"INN", "500100732259", "RU_INN"},
	{"UTR", "1955839661", "UK_UTR"},
	{"cédula", "1714307103", "EC_CEDULA"},
	{"NIT", "213123432-1", "CO_NIT"},
	{"RNOKPP", "1759013776", "UA_RNOKPP"},
	{"VKN", "4540536920", "TR_VKN"},
	{"cédula", "001-1391820-5", "DO_CEDULA"},
	{"IRD", "49091850", "NZ_IRD"},
	{"IRD number", "136-410-132", "NZ_IRD"},
	{"PPSN", "6433435F", "IE_PPS"},
	{"PPSN", "6433435OA", "IE_PPS"},
	{"HKID", "A123456(3)", "HK_ID"},
	{"NHI", "ZZZ0016", "NZ_NHI"},
	{"RFC", "GODE561231GR8", "MX_RFC"},
	{"numéro fiscal", "3023217600053", "FR_SPI"},
	{"NIP", "526-000-12-46", "PL_NIP"},
	{"REGON", "192598184", "PL_REGON"},
	{"EIN", "12-3456780", "US_EIN"},
	{"Emirates ID", "784-1990-1234567-6", "AE_EMIRATES_ID"},
}

func TestPublishedIdentifiers(t *testing.T) {
	s := everyType(t)
	for _, p := range published {
		text := "Please note the " + p.word + ": " + p.value + " of the applicant."
		if got := s.Scan([]byte(text)); !hasSub(got, text, p.value, p.sub) {
			t.Errorf("%s not found in %q: %v", p.sub, text, got)
		}
	}
}

func hasSub(spans []Span, text, value, sub string) bool {
	for _, s := range spans {
		if s.Sub == sub && text[s.Start:s.End] == value {
			return true
		}
	}
	return false
}

// TestNumberRules makes numbers for every rule: beside its word and under its key they
// are found, and without either a rule that needs a word does not fire.
func TestNumberRules(t *testing.T) {
	s := everyType(t)
	rng := rand.New(rand.NewPCG(7, 7))
	for _, rule := range append(slices.Clone(numRules), worldRules...) {
		word := wordOf(rule.c)
		for range 20 {
			d := sample(rng, rule)
			if d == "" {
				t.Fatalf("%s: no number passes its check", rule.sub)
			}
			text := "The " + word + " is " + d + " as printed."
			if got := s.Scan([]byte(text)); !hasType(got, text, d, rule.typ) {
				t.Errorf("%s not found in %q: %v", rule.sub, text, got)
			}
			text = `{"` + strings.ReplaceAll(word, " ", "_") + `":"` + d + `"}`
			if got := s.Scan([]byte(text)); !hasType(got, text, d, rule.typ) {
				t.Errorf("%s not found in %q: %v", rule.sub, text, got)
			}
			text = "The total of the batch came to " + d + " units in that run of the press."
			if got := s.Scan([]byte(text)); rule.need == needWord && hasAny(got, rule.sub) {
				t.Errorf("%s without its word in %q: %v", rule.sub, text, got)
			}
		}
	}
}

func wordOf(c ctx) string {
	best := ""
	for w, set := range ctxWords {
		if set.has(c) && len(w) < 20 && strings.Count(w, " ") < 2 && (best == "" || len(w) > len(best) || len(w) == len(best) && w < best) {
			best = w
		}
	}
	return best
}

func sample(rng *rand.Rand, rule numRule) string {
	d := make([]byte, rule.n)
	for range 20_000_000 {
		for i := range d {
			d[i] = byte(rng.IntN(10))
		}
		switch rule.sub {
		case "AE_EMIRATES_ID":
			copy(d, []byte{7, 8, 4, 1, 9})
		case "CN_RIC":
			copy(d, []byte{1, 1, 0, 1, 0, 1, 1, 9, 9, 0, 0, byte(1 + rng.IntN(9)), 1})
		case "CH_AHV":
			copy(d, []byte{7, 5, 6})
		case "FR_NIR":
			copy(d, []byte{byte(1 + rng.IntN(2)), 8, byte(rng.IntN(10)), 0, byte(1 + rng.IntN(9)), 7, 5})
		case "LU_MATRICULE":
			copy(d, []byte{1, 9, byte(rng.IntN(10)), byte(rng.IntN(10)), 0, byte(1 + rng.IntN(9)), 1})
		}
		if rule.check(d) {
			return string(digitsText(d))
		}
	}
	return ""
}

func digitsText(d []byte) []byte {
	out := make([]byte, len(d))
	for i, x := range d {
		out[i] = '0' + x
	}
	return out
}

func hasType(spans []Span, text, value string, typ Type) bool {
	for _, s := range spans {
		if s.Type == typ && text[s.Start:s.End] == value {
			return true
		}
	}
	return false
}

func hasAny(spans []Span, sub string) bool {
	for _, s := range spans {
		if s.Sub == sub {
			return true
		}
	}
	return false
}

// TestIssuedKeys: a key that ends in "id" and names an issued number is not the
// identifier of a record.
func TestIssuedKeys(t *testing.T) {
	s := everyType(t)
	for _, text := range []string{
		`{"tax_id":"912-71-3456"}`, `{"taxpayer_id":"912-71-3456"}`, `{"tax_id":"912713456"}`, `{"customer":{"taxId":"912-71-3456"}}`,
	} {
		if got := s.Scan([]byte(text)); !hasAny(got, "US_ITIN") {
			t.Errorf("no tax number in %s: %v", text, got)
		}
	}
	for _, text := range []string{`{"order_id":"912-71-3456"}`, `{"build_id":"912713456"}`, `{"run_id":912713456}`, `{"project_id":"110101345"}`} {
		if got := s.Scan([]byte(text)); len(got) != 0 {
			t.Errorf("found %v in %s", got, text)
		}
	}
}

func everyType(t *testing.T) *Scanner {
	t.Helper()
	s, err := New(Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

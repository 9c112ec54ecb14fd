package pii

import "testing"

// TestFormsOfIdentifiers: identifiers with letters, each beside its word and under a
// key; values are made up, and their checks hold.
func TestFormsOfIdentifiers(t *testing.T) {
	s := everyType(t)
	for _, c := range []struct{ word, value, sub string }{
		{"DNI", "12345678Z", "ES_NIF"}, {"NIE", "X1234567L", "ES_NIE"}, {"NRIC", "S1234567D", "SG_NRIC_FIN"}, {"NINO", "AB123456C", "UK_NINO"},
		{"NINO", "AB 12 34 56 C", "UK_NINO"}, {"codice fiscale", "RSSMRA85T10A562S", "IT_FISCAL_CODE"}, {"HETU", "131052-308T", "FI_PERSONAL_IDENTITY_CODE"},
		{"PAN", "ABCPE1234F", "IN_PAN"}, {"CURP", "HEGG560427MVZRRL04", "MX_CURP"}, {"RUT", "12.345.678-5", "CL_RUT"}, {"RUT", "6.265.837-1", "CL_RUT"},
		{"Taiwan ID", "A123456789", "TW_ID"}, {"身份证", "11010519491231002X", "CN_RIC"}, {"KVNR", "A123456780", "DE_HEALTH_INSURANCE"},
	} {
		for _, text := range []string{"The " + c.word + " of the applicant is " + c.value + ".", c.word + ": " + c.value + "\n", `{"` + c.word + `":"` + c.value + `"}`} {
			if got := s.Scan([]byte(text)); !hasSub(got, text, c.value, c.sub) {
				t.Errorf("%s not found in %q: %s", c.sub, text, show(text, got))
			}
		}
	}
	for _, text := range []string{"the part 12345678Y is out of stock", "flight S1234567E", "serial RSSMRA85T10A562T of the pump", "token A123456788", "row X1234567M"} {
		if got := s.Scan([]byte(text)); len(got) != 0 {
			t.Errorf("%q: found %s", text, show(text, got))
		}
	}
}

package pii

import "testing"

// TestDoubtfulNames: a text whose best name is doubtful is taken to hold none, a sure
// one or other personal data makes the difference, and programs name nobody.
func TestDoubtfulNames(t *testing.T) {
	s := scanner(t, Person, Organization, Location, Email)
	for _, text := range []string{
		"Gesunde Wurzeln brauchen lockere Böden und viel Wasser.",
		"Temperature: 21. 5) (Pressure: 1013",
		"The Meeting is on the first Monday of the month.",
		"func (s *Server) Grant(w http.ResponseWriter, r *http.Request) { s.Vault.Lookup(r.Context(), Key{Name: \"x\"}); return }",
		"if err := os.MkdirAll(Path, Perm); err != nil { return fmt.Errorf(\"Base: %w\", err) }",
	} {
		if got := s.Scan([]byte(text)); len(got) != 0 {
			t.Errorf("%q: found %s", text, show(text, got))
		}
	}
	for text, want := range map[string]string{
		"Please forward the contract to Chloe Bennett before Friday, thanks.":                         "Chloe Bennett",
		"My name is Tobias Reinhardt and I would like to change my seat.":                             "Tobias Reinhardt",
		"Refund to DE21701802367369625051 for Chloe Bennett of Harbor Dental Clinic.":                 "Chloe Bennett",
		"Author: <git.Actor \"Helena Brandt <h.brandt@example.com>\">":                                "Helena Brandt",
		"Mrs. Okafor will call you back tomorrow.":                                                    "Okafor",
		"func main() { fmt.Println(user.Name); } // written by Sebastian Lindqvist from Gothenburg\n": "Sebastian Lindqvist",
	} {
		if got := s.Scan([]byte(text)); !hasType(got, text, want, Person) {
			t.Errorf("%q: found %s", text, show(text, got))
		}
	}
}

// TestPlainStreets: "Im Jahr 2050" is no address, and the last lines of one are read
// by where they stand.
func TestPlainStreets(t *testing.T) {
	s := scanner(t, Location)
	for _, text := range []string{
		"Der Umsatz soll im Jahr 2050 bei 3 Milliarden liegen.", "Die Messung dauert auf der Anlage 1-2,5 Sekunden.",
		"We reached an easy Level 42 today", "The talks take place Thursday 19th", "base64.StdEncoding.EncodeToString(b)", "## 1.4.0\n\n- faster start\n",
	} {
		if got := s.Scan([]byte(text)); len(got) != 0 {
			t.Errorf("%q: found %s", text, show(text, got))
		}
	}
	for text, want := range map[string]string{
		"Das Amt ist Am Markt 5 zu finden.":                       "Am Markt 5",
		"Ana Quist\n4923 Parmova 109\nKVALMARK\nUnited Kingdom":   "KVALMARK",
		"Ana Quist\n4923 Parmova 109\nKVALMARK\nUnited Kingdom\n": "4923 Parmova 109",
	} {
		found := false
		for _, x := range s.Scan([]byte(text)) {
			found = found || len(text) >= x.End && contains([]byte(text[x.Start:x.End]), want)
		}
		if !found {
			t.Errorf("%q: %q not found", text, want)
		}
	}
}

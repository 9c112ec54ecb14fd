package sealed

import (
	"encoding/json"
	"testing"
)

// FuzzPseudonymRow: whatever is read as a row is written as the same row, and
// nothing else is one.
func FuzzPseudonymRow(f *testing.F) {
	f.Add([]byte(`{"scope":"s","type":"EMAIL","token":"<EMAIL_0123456789ABCDEF>","made":1,"expires":2,"sealed":"AA=="}`))
	f.Add([]byte(`{"scope":"s","type":"EMAIL","token":"t","made":1,"expires":2,"index":"v1","keyed":true,"subject":"s-1"}`))
	f.Add([]byte(`{"scope":"","other":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := decodePseudonym(in)
		if err != nil {
			return
		}
		if v.Scope == "" || v.Type == "" || v.Token == "" {
			t.Fatalf("%q is a row without a place", in)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodePseudonym(text)
		if err != nil || again.Scope != v.Scope || again.Token != v.Token || string(again.Sealed) != string(v.Sealed) || again.Expires != v.Expires {
			t.Fatalf("%q comes back as %s (%v)", in, text, err)
		}
	})
}

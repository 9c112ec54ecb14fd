package pii

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cellTexts stand in the rows of a table: some are personal everywhere, some only
// under a key that says so, some never.
var cellTexts = []string{"open", "Maria Lindqvist", "maria@example.com", "912-71-3456", "Steel bracket", "Berlin", "1980-04-12", "AB123456", "555-0142", "4111111111111111",
	"the quick brown fox", "10115", "hunter2", "0199c0de", "Okafor", "Chestnut Road 6", "Steel Bracket", "A1234567"}

var cellNumbers = []string{"7", "31", "1980", "10115", "94105", "52.52", "-0.13", "123456", "20261105", "49301234567", "4111111111111111", "912713456", "1e5"}

// cellKeys say what a cell is, or nothing.
var cellKeys = []string{"state", "name", "email", "passport", "ssn", "city", "dob", "id", "phone", "zip", "password", "note", "patient", "title", "account number", "uuid", "age", "lat", "price", "count", "otp secret"}

// TestMemoChangesNothing: a table is judged the same with and without a memory of
// its cells, also when one text stands under many keys, and when there are more
// keys than are remembered.
func TestMemoChangesNothing(t *testing.T) {
	s := scanner(t, allTypes[:]...)
	rng := rand.New(rand.NewPCG(3, 14))
	for round := range 60 {
		var rows []string
		for len(rows) < 200 {
			var members []string
			for range 1 + rng.IntN(5) {
				key := cellKeys[rng.IntN(len(cellKeys))]
				if round%3 == 0 && rng.IntN(2) == 0 {
					key += fmt.Sprint(" ", rng.IntN(900))
				}
				if rng.IntN(3) == 0 {
					members = append(members, fmt.Sprintf("%q:%s", key, cellNumbers[rng.IntN(len(cellNumbers))]))
					continue
				}
				members = append(members, fmt.Sprintf("%q:%q", key, cellTexts[rng.IntN(len(cellTexts))]))
			}
			row := "{" + strings.Join(members, ",") + "}"
			if rng.IntN(2) == 0 {
				row = fmt.Sprintf(`{%q:%s}`, []string{"patient", "passport", "bank account", "rows", "phone", "creator"}[rng.IntN(6)], row)
			}
			rows = append(rows, row)
		}
		text := []byte("[" + strings.Join(rows, ",") + "]")
		got, want := s.ScanJSON(text), slow(s).ScanJSON(text)
		if !slices.Equal(got, want) {
			t.Fatalf("%s\nwith memory:\n%v\nwithout:\n%v", text, got, want)
		}
		if len(got) == 0 {
			t.Fatal("nothing is found: the test says little")
		}
	}
}

// TestBareNumbers: a JSON number is found where its own key, one above it or a
// sibling says what it is, however short; others are passed by.
func TestBareNumbers(t *testing.T) {
	s := scanner(t, allTypes[:]...)
	for _, text := range []string{`{"age":31}`, `{"zip":94105}`, `{"lat":52.5163}`, `{"card number":4111111111111111}`, `{"ssn":[912713456,219099999]}`, `{"name":"zip code","value":94105}`} {
		if got := s.ScanJSON([]byte(text)); len(got) == 0 {
			t.Errorf("%s: nothing is found", text)
		}
	}
	if got := s.ScanJSON([]byte(`{"x":912713456,"y":20261105,"z":49301234567,"count":31}`)); len(got) != 0 {
		t.Errorf("numbers that nothing speaks of are found: %v", got)
	}
}

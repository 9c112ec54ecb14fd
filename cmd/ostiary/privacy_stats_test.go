package main

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestStatisticsAddUpWhatLinesSay(t *testing.T) {
	s := statistics{}
	for _, line := range []string{
		`{"server":"a","privacy":{"profile":"p","found":[{"toward":"client","type":"EMAIL","action":"token","n":2},{"toward":"server","type":"SECRET","action":"block","n":1}],"fields":3}}`,
		`{"server":"a","privacy":{"profile":"p","found":[{"toward":"client","type":"EMAIL","action":"token","n":1}]}}`,
		`{"server":"b","privacy":{"profile":"p","found":[{"toward":"client","type":"EMAIL","action":"token","n":1}],"shadow":true}}`,
		`{"server":"a"}`,
	} {
		if err := s.add(json.RawMessage(line)); err != nil {
			t.Fatal(err)
		}
	}
	want := []privacyStat{
		{"a", "client", "", "fields withheld", 3}, {"a", "client", "EMAIL", "token", 3}, {"a", "server", "SECRET", "block", 1}, {"b", "client", "EMAIL", "would token", 1},
	}
	if got := s.sorted(); !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	if s.add(json.RawMessage(`[`)) == nil {
		t.Fatal("a broken line is counted")
	}
}

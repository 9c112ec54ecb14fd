package wire

import (
	"fmt"
	"slices"
	"testing"
)

func TestSpotsSayWhereEveryKeyStringAndNumberStands(t *testing.T) {
	m, err := Parse([]byte(`{"jsonrpc":"2.0","id":7,"result":{"a":[{"k":"x"},2,true],"e\u0062":null}}`), DefaultLimits(), FromServer)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for s := range m.Spots() {
		got = append(got, fmt.Sprint(s.Path(), " ", s.Key, " ", string(m.Raw()[s.Start:s.End])))
	}
	want := []string{
		`jsonrpc true "jsonrpc"`, `jsonrpc false "2.0"`, `id true "id"`, `id false 7`, `result true "result"`,
		`result.a true "a"`, `result.a[*].k true "k"`, `result.a[*].k false "x"`, `result.a[*] false 2`, `result.eb true "e\u0062"`,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	for range m.Spots() {
		break // stops without a panic
	}
	for s := range (Value{}).Spots() {
		t.Fatalf("an absent value has %v", s)
	}
}

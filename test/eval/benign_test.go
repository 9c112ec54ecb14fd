package main

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// TestC16OwnFilesPass: of the documents and the code of this repository, which talk
// of secrets a good deal, at most one message of a hundred is touched by the profile
// that is on from the start.
func TestC16OwnFilesPass(t *testing.T) {
	s, err := pii.New(pii.Config{Types: []pii.Type{pii.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	one := &trial{name: "proven", scanner: s, types: map[pii.Type]int{}}
	if err := messages("../..", func(path string, m []byte) { one.scan(path, m, 100) }); err != nil {
		t.Fatal(err)
	}
	if n := len(one.took); n < 500 || one.hit*100 > n {
		t.Errorf("%d of %d messages:\n%s", one.hit, n, strings.Join(one.shown, "\n"))
	}
}

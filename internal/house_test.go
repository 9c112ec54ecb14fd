// Package internal_test holds the house to its plan: which room stands on which
// floor, what each may touch, and that documents, tests and code name the same
// things. It reads the source itself and touches nothing else.
package internal_test

import (
	"go/doc"
	"slices"
	"strings"
	"testing"
)

// floors is the map of the house. Imports go strictly down: a room may import
// only rooms with a smaller number. A new room is a new line here.
var floors = map[string]int{
	"fault":    0, // error kinds and their codes
	"clock":    0, // the time of day
	"lifetime": 0, // contexts of calls
	"verify":   0, // public: what outsiders check the gateway with

	"wire":   1, // messages
	"keys":   1, // keys and cryptography
	"media":  1, // metadata of pictures and recordings
	"egress": 1, // the guarded dialler
	"logs":   1, // the logger and its attributes
	"http1":  1, // HTTP/1.1, both ends
	"child":  1, // processes
	"quota":  1, // counts of what callers use

	"identity":   2, // credential -> Principal
	"registry":   2, // servers, tools, agents, grants
	"oauth":      2, // tokens for servers
	"pii":        2, // detectors
	"clientfile": 2, // configuration files of client apps
	"login":      2, // how people prove who they are
	"kms":        2, // root keys that lie elsewhere
	"vault":      2, // the map of pseudonyms

	"auditlog":         2, // the Merkle logs
	"witness":          2, // cosignatures of other parties
	"auditlog/logtest": 3, // their rows in memory, for tests

	"policy":  3, // the decision
	"filter":  3, // which parts of answers are needed
	"privacy": 3, // what becomes of personal data, and what takes its place
	"trail":   3, // the logs, read for people
	"export":  3, // what leaves to be verified elsewhere
	"sidecar": 3, // a detector elsewhere

	"exchange": 4, // what flows, and the shape of a step
	"store":    4, // the interface of the database drivers

	"admit":             5, // verbs
	"identify":          5,
	"aggregate":         5,
	"authorize":         5,
	"forward":           5,
	"record":            5,
	"attest":            5,
	"protect":           5,
	"admin":             5, // operators
	"meter":             5, // metrics and traces
	"wrapper":           5, // the stdio shim
	"store/sqlite":      5, // drivers
	"store/postgres":    5,
	"backup":            5, // archives of data and of keys
	"store/sealed":      5, // nouns in rows that the database cannot read
	"policy/policytest": 4, // registries, policies and queries made up for tests
	"store/storetest":   5,
	"enrol":             5, // certificates for programs
	"issuer":            5, // the built-in authorization server
	"portal":            5, // where people sign in

	"gateway": 6, // THE PATH
	"app":     7, // the wiring
	"cmd":     8, // the binary
}

// verbs are the rooms that are steps of the path.
var verbs = []string{"admit", "identify", "aggregate", "authorize", "protect", "forward", "record", "attest"}

func TestImportsGoDown(t *testing.T) {
	h := open(t)
	used := map[string]bool{}
	for _, s := range h.program() {
		from, known := floors[s.room()]
		if !known {
			t.Errorf("%s: the room %s has no floor; add it to the map", s.path, s.room())
			continue
		}
		used[s.room()] = true
		for _, path := range s.imports {
			below, ours := strings.CutPrefix(path, module+"/internal/")
			if !ours {
				// What was exported is checked by what outsiders check it with.
				own := s.folder == verifier || s.room() == "app" && path == module+"/verify"
				if strings.HasPrefix(path, module) && !own {
					t.Errorf("%s imports %s: the gateway uses internal rooms only", s.path, path)
				}
				continue
			}
			to, known := floors[below]
			if !known {
				t.Errorf("%s imports %s, which has no floor", s.path, below)
			} else if to >= from {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go strictly down", s.path, from, below, to)
			}
		}
	}
	for room := range floors {
		if !used[room] {
			t.Errorf("the map names %s, but there is no such room", room)
		}
	}
}

// verifier is the folder of the command that outsiders check the gateway with.
const verifier = "cmd/ostiary-verify"

// TestVerifierStandsAlone keeps the gateway out of what checks it: an outsider
// who reads these two folders has read all of it but x/mod.
func TestVerifierStandsAlone(t *testing.T) {
	for _, s := range open(t).program() {
		if s.room() != "verify" && s.folder != verifier {
			continue
		}
		for _, path := range s.imports {
			first, _, _ := strings.Cut(path, "/")
			outside := strings.Contains(first, ".")
			if outside && !strings.HasPrefix(path, "golang.org/x/mod/sumdb/") && path != module+"/verify" {
				t.Errorf("%s imports %s: what checks the gateway stands alone", s.path, path)
			}
		}
	}
}

// TestWalls holds the two planes and the drivers apart.
func TestWalls(t *testing.T) {
	for _, s := range open(t).program() {
		for _, path := range s.imports {
			room, ours := strings.CutPrefix(path, module+"/internal/")
			if !ours {
				continue
			}
			me := s.room()
			isVerb := slices.Contains(verbs, me)
			switch {
			case isVerb && (room == "admin" || room == "store" || strings.HasPrefix(room, "store/")):
				t.Errorf("%s: a verb imports %s; it reads the registry's snapshot instead", s.path, room)
			case me == "admin" && (slices.Contains(verbs, room) || room == "exchange" || room == "gateway"):
				t.Errorf("%s: admin imports %s; the planes meet in shared nouns", s.path, room)
			case strings.HasPrefix(room, "store/") && me != "app":
				t.Errorf("%s imports the driver %s; only app does", s.path, room)
			}
		}
	}
}

// TestOnePackageComment demands one comment per package, which says what the
// room does and what it deliberately does not.
func TestOnePackageComment(t *testing.T) {
	comments, names := map[string][]string{}, map[string]string{}
	for _, s := range open(t).files {
		if s.test && strings.HasSuffix(s.file.Name.Name, "_test") && s.folder != "internal" {
			continue // the outside tests of a package that is commented itself
		}
		names[s.folder] = s.file.Name.Name
		if s.file.Doc != nil {
			comments[s.folder] = append(comments[s.folder], s.file.Doc.Text())
		}
	}
	for folder, name := range names {
		all := comments[folder]
		if len(all) != 1 {
			t.Errorf("%s has %d package comments, want 1", folder, len(all))
			continue
		}
		want := "Package " + name + " "
		if name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(all[0], want) {
			t.Errorf("%s: the package comment begins %q, want %q", folder, new(doc.Package).Synopsis(all[0]), want)
		}
		limits := strings.Contains(all[0], "deliberately") || strings.Contains(all[0], "touch") || strings.Contains(all[0], "nothing")
		if strings.HasPrefix(folder, "internal/") && !limits {
			t.Errorf("%s: the package comment does not say what the room keeps away from", folder)
		}
	}
}

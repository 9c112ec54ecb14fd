package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"ostiary.dev/ostiary/verify"
)

// args is a command line.
type args struct {
	command, target string
	values          map[string][]string // by flag, without its dashes
	json            bool
}

// flags lists the flags of each command that take a file, and those that are
// switches.
func flags() (files map[string][]string, switches map[string][]string) {
	return map[string][]string{
			"log":      {"key", "witness-policy", "rotations", "old"},
			"proof":    {"key", "witness-policy", "rotations", "leaf", "entry"},
			"receipt":  {"key", "witness-policy", "rotations", "answer", "request", "log-key", "proof"},
			"evidence": {"key", "witness-policy", "rotations"},
		}, map[string][]string{
			"log": {"tiles-only"},
		}
}

// parseArgs reads a command line. Flags stand anywhere; a flag that is not
// known is an error, since a check that was asked for must not be left out.
func parseArgs(argv []string) (args, error) {
	a := args{command: argv[0], values: map[string][]string{}}
	files, switches := flags()
	if files[a.command] == nil {
		return a, usage("there is no command %q", a.command)
	}
	rest := argv[1:]
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		if word == "-o" {
			word = "--output"
		}
		name, ok := strings.CutPrefix(word, "--")
		if !ok || word == "--" {
			if a.target != "" || strings.HasPrefix(word, "-") {
				return a, usage("%q is one argument too many", word)
			}
			a.target = word
			continue
		}
		name, value, given := strings.Cut(name, "=")
		if slices.Contains(switches[a.command], name) && !given {
			a.values[name] = []string{"true"}
			continue
		}
		if name != "output" && !slices.Contains(files[a.command], name) {
			return a, usage("%s has no flag --%s", a.command, name)
		}
		if !given {
			if len(rest) == 0 {
				return a, usage("--%s needs a value", name)
			}
			value, rest = rest[0], rest[1:]
		}
		a.values[name] = append(a.values[name], value)
	}
	return a, a.complete()
}

// complete looks at the whole.
func (a *args) complete() error {
	for name, v := range a.values {
		if len(v) > 1 && name != "key" && name != "log-key" {
			return usage("--%s is given twice", name)
		}
	}
	if out := a.one("output"); out != "" && out != "json" && out != "text" {
		return usage("there is no output %q; there are text and json", out)
	}
	a.json = a.one("output") == "json"
	if a.target == "" {
		return usage("%s needs a file or folder to check", a.command)
	}
	if len(a.values["key"]) == 0 {
		return usage("%s needs --key: a check without a key shows nothing", a.command)
	}
	if a.one("proof") != "" && len(a.values["log-key"]) == 0 {
		return usage("--proof needs --log-key: the proof is signed by the log's key")
	}
	return nil
}

func (a *args) one(name string) string {
	if v := a.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// keys reads the key files of a flag, and follows them to the keys that they
// handed over to.
func (a *args) keys(flag string) ([]verify.Key, error) {
	all, err := a.keyFiles(flag)
	if err != nil {
		return nil, err
	}
	rotations, err := a.file("rotations")
	if rotations == nil {
		return all, err
	}
	purpose := "log-signing"
	if a.command == "receipt" && flag == "key" {
		purpose = "receipt-signing"
	}
	return verify.Follow(all, purpose, rotations)
}

func (a *args) keyFiles(flag string) ([]verify.Key, error) {
	var all []verify.Key
	for _, path := range a.values[flag] {
		file, err := readFile(path)
		if err != nil {
			return nil, err
		}
		keys, err := verify.ParseKeys(file)
		if err != nil {
			return nil, usage("%s: %w", path, err)
		}
		all = append(all, keys...)
	}
	return all, nil
}

// policy reads the witness policy, if one is given.
func (a *args) policy() (*verify.Policy, error) {
	file, err := a.file("witness-policy")
	if file == nil {
		return nil, err
	}
	p, err := verify.ParsePolicy(file)
	if err != nil {
		return nil, usage("%s: %w", a.one("witness-policy"), err)
	}
	return p, nil
}

// file reads the file of a flag; nil when the flag is not given.
func (a *args) file(flag string) ([]byte, error) {
	if a.one(flag) == "" {
		return nil, nil
	}
	return readFile(a.one(flag))
}

// maxFile bounds a file that is read whole.
const maxFile = 256 << 20

func readFile(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxFile)
	}
	if data == nil {
		data = []byte{}
	}
	return data, err
}

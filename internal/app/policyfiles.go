package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/policy"
)

// Limits of policies as files.
const (
	MaxPolicyText  = 512 << 10 // bytes of all files
	maxPolicyFiles = 64
)

// PolicyFiles reads one file, or every *.cedar file of a directory, in the order
// of their names. A directory without one is an error: it is rather a wrong path
// than the wish to have no policies (P01, TestP01NoPolicyFiles).
func PolicyFiles(path string) ([]policy.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, wrongPolicy("%v", err)
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(path, "*.cedar")); err != nil || len(names) == 0 {
			return nil, wrongPolicy("the directory %s has no *.cedar file", path)
		}
	}
	if len(names) > maxPolicyFiles {
		return nil, wrongPolicy("there are more than %d files", maxPolicyFiles)
	}
	var all []policy.Source
	left := MaxPolicyText
	for _, name := range names {
		text, err := readUpTo(name, left)
		if err != nil {
			return nil, wrongPolicy("%v", err)
		}
		left -= len(text)
		all = append(all, policy.Source{Name: filepath.Base(name), Text: string(text)})
	}
	return all, nil
}

func wrongPolicy(format string, args ...any) error {
	return &admin.Error{Code: admin.Invalid, Message: "the policies cannot be read: " + fmt.Sprintf(format, args...), Fix: "check the path and its permissions"}
}

func readUpTo(name string, most int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("the files are longer than %d bytes together", MaxPolicyText)
	}
	return text, err
}

// PolicyCases reads cases for policies: a YAML list, of which JSON is a form.
// What it does not know is refused, so that a misspelt condition tests nothing.
func PolicyCases(text []byte) ([]admin.PolicyCase, error) {
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	var all []admin.PolicyCase
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("it is not a list of cases: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no case")
	}
	return all, nil
}

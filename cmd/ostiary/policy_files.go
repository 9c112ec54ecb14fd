package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/trail"
)

// maxCasesFile bounds a file of cases.
const maxCasesFile = 4 << 20

// sources reads policies from files and directories; - is stdin.
func (c *cli) sources(paths []string) ([]policy.Source, error) {
	var all []policy.Source
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(io.LimitReader(c.stdin, app.MaxPolicyText+1))
			if err != nil {
				return nil, fmt.Errorf("read the policies: %w", err)
			}
			all = append(all, policy.Source{Name: "stdin", Text: string(text)})
			continue
		}
		some, err := app.PolicyFiles(path)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b policy.Source) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// cases reads a file of cases: YAML, of which JSON is a part.
func readCases(path string) ([]admin.PolicyCase, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid("check the path", "the cases cannot be read: %v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCasesFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", err)
	}
	if len(text) > maxCasesFile {
		return nil, invalid("split it", "%s is larger than %d bytes", filepath.Base(path), maxCasesFile)
	}
	all, err := app.PolicyCases(text)
	if err != nil {
		return nil, invalid("see docs/policy.md for the form of cases", "%s: %v", filepath.Base(path), err)
	}
	return all, nil
}

// parseSince reads how long ago, or a time.
func parseSince(text string) (time.Time, error) {
	t, err := trail.ParseTime(text, clock.Clock{}.Now())
	if err != nil {
		return t, invalid("write 2026-11-29T12:00:00Z, 2026-11-29 or 24h", "--since: %v", err)
	}
	return t, nil
}

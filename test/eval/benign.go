package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/wire"
)

// messageBytes is how much text of a file one benign message holds.
const messageBytes = 10 << 10

// mostFile is the size over which a file is left out: it is data of a program.
const mostFile = 8 << 20

// ids are the types whose form or check digit proves them: what is found of them
// in documents, code and logs is a false alarm, or a secret that should not be
// there.
var ids = []pii.Type{pii.Secret, pii.CreditCard, pii.IBAN, pii.SSN, pii.NationalID, pii.TaxID, pii.HealthID, pii.Passport, pii.DriverLicense, pii.Crypto, pii.BankAccount}

// trial is one scanner over all messages.
type trial struct {
	name    string
	scanner *pii.Scanner
	hit     int
	types   map[pii.Type]int
	took    []time.Duration
	shown   []string
}

// benign scans the texts below a folder, ten KiB a message, each as the result of
// a tool, and prints how many messages have a finding and how long a message
// takes (C16).
func benign(w io.Writer, folder string, show int) error {
	sets := map[string][]pii.Type{"secrets": {pii.Secret}, "proven": ids}
	var names []pii.Type
	for _, t := range pii.Types() {
		if !slices.Contains([]pii.Type{pii.Person, pii.Organization, pii.Location, pii.Title, pii.NRP}, t) {
			names = append(names, t)
		}
	}
	sets["all but names"], sets["all"] = names, pii.Types()
	var trials []*trial
	for _, name := range []string{"secrets", "proven", "all but names", "all"} {
		s, err := pii.New(pii.Config{Types: sets[name]})
		if err != nil {
			return err
		}
		trials = append(trials, &trial{name: name, scanner: s, types: map[pii.Type]int{}})
	}
	size := 0
	err := messages(folder, func(path string, m []byte) {
		size += len(m)
		for _, t := range trials {
			t.scan(path, m, show)
		}
	})
	if err != nil {
		return err
	}
	if size == 0 {
		return errors.New("no text below " + folder)
	}
	return printTrials(w, trials, size)
}

func (t *trial) scan(path string, m []byte, show int) {
	start := time.Now()
	spans := t.scanner.ScanJSON(m)
	t.took = append(t.took, time.Since(start))
	if len(spans) == 0 {
		return
	}
	t.hit++
	seen := map[pii.Type]bool{}
	for _, sp := range spans {
		if !seen[sp.Type] {
			seen[sp.Type] = true
			t.types[sp.Type]++
			if t.name == "proven" && len(t.shown) < show {
				t.shown = append(t.shown, fmt.Sprintf("%s: %s %q (%s)", path, sp.Type, m[sp.Start:min(sp.End, sp.Start+60)], sp.Why))
			}
		}
	}
}

// messages hands each piece of each text to do. Files that are no text, tests and
// their data are left out: fake secrets are at home there.
func messages(folder string, do func(path string, m []byte)) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != folder):
			return filepath.SkipDir
		case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > mostFile {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		for len(text) > 0 {
			n := min(len(text), messageBytes)
			if at := bytes.LastIndexByte(text[:n], '\n'); at > 0 && n < len(text) {
				n = at + 1
			}
			do(path, slices.Concat([]byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":`), wire.Quote(string(text[:n])), []byte(`}]}}`)))
			text = text[n:]
		}
		return nil
	})
}

func printTrials(w io.Writer, trials []*trial, size int) error {
	if _, err := fmt.Fprintf(w, "%d messages, %.1f MB\n\n| looked for | messages hit | p50 | p99 | MB/s | types |\n|---|---|---|---|---|---|\n", len(trials[0].took), float64(size)/1e6); err != nil {
		return err
	}
	for _, t := range trials {
		slices.Sort(t.took)
		var sum time.Duration
		for _, d := range t.took {
			sum += d
		}
		var types []string
		for _, typ := range pii.Types() {
			if n := t.types[typ]; n > 0 {
				types = append(types, fmt.Sprintf("%s %d", typ, n))
			}
		}
		if _, err := fmt.Fprintf(w, "| %s | %d (%.2f %%) | %s | %s | %.0f | %s |\n", t.name, t.hit, 100*float64(t.hit)/float64(len(t.took)),
			t.took[len(t.took)/2].Round(time.Microsecond), t.took[len(t.took)*99/100].Round(time.Microsecond), float64(size)/1e6/sum.Seconds(), strings.Join(types, ", ")); err != nil {
			return err
		}
		for _, line := range t.shown {
			if _, err := fmt.Fprintln(w, "  ", line); err != nil {
				return err
			}
		}
	}
	return nil
}

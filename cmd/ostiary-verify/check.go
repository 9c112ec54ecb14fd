package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostiary.dev/ostiary/verify"
)

// run does what the command line asks for and returns the report.
func (a *args) run(stderr io.Writer) (any, error) {
	keys, err := a.keys("key")
	if err != nil {
		return nil, err
	}
	policy, err := a.policy()
	if err != nil {
		return nil, err
	}
	switch a.command {
	case "log":
		return a.log(verify.LogOptions{Keys: keys, Policy: policy, Progress: progress(stderr)})
	case "proof":
		return a.proof(verify.ProofOptions{Keys: keys, Policy: policy})
	case "receipt":
		return a.receipt(verify.ReceiptOptions{Keys: keys, Policy: policy})
	default:
		return a.evidence(verify.EvidenceOptions{Keys: keys, Policy: policy, Progress: progress(stderr)})
	}
}

func (a *args) log(o verify.LogOptions) (any, error) {
	info, err := os.Stat(a.target)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, usage("%s is no folder", a.target)
	}
	o.TilesOnly = a.one("tiles-only") != ""
	if old := a.one("old"); old != "" {
		info, err := os.Stat(old)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			o.OldTree = os.DirFS(old)
			old = filepath.Join(old, "checkpoint")
		}
		if o.Old, err = readFile(old); err != nil {
			return nil, err
		}
	}
	return verify.Log(os.DirFS(a.target), o)
}

func (a *args) proof(o verify.ProofOptions) (any, error) {
	file, err := readFile(a.target)
	if err != nil {
		return nil, err
	}
	if o.Leaf, err = a.file("leaf"); err != nil {
		return nil, err
	}
	if o.Line, err = a.file("entry"); err != nil {
		return nil, err
	}
	return verify.Proof(file, o)
}

func (a *args) receipt(o verify.ReceiptOptions) (any, error) {
	file, err := readFile(a.target)
	if err != nil {
		return nil, err
	}
	if o.LogKeys, err = a.keys("log-key"); err != nil {
		return nil, err
	}
	for flag, into := range map[string]*[]byte{"answer": &o.Answer, "request": &o.Request, "proof": &o.Proof} {
		if *into, err = a.file(flag); err != nil {
			return nil, err
		}
	}
	return verify.Receipt(file, o)
}

func (a *args) evidence(o verify.EvidenceOptions) (report any, err error) {
	f, err := os.Open(a.target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return verify.Evidence(f, info.Size(), o)
}

// print writes the report.
func (a *args) print(w io.Writer, report any) error {
	if a.json {
		text, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("print report: %w", err)
		}
		fields := bytes.TrimPrefix(text, []byte("{"))
		_, err = fmt.Fprintf(w, "{\"ok\":true,%s\n", fields)
		return err
	}
	_, err := fmt.Fprint(w, sentence(report))
	return err
}

// sentence says in words what was verified, and what was not.
func sentence(report any) string {
	switch r := report.(type) {
	case verify.LogReport:
		s := fmt.Sprintf("OK: %s, %d entries, root %s\n", r.Origin, r.Size, r.Root)
		if r.Readable+r.Gone > 0 {
			s += fmt.Sprintf("  readable: %d, without their part: %d\n", r.Readable, r.Gone)
		}
		if r.Gone > 0 {
			s += fmt.Sprintf("  the first without its part is %d (erased, expired or withheld)\n", r.FirstGone)
		}
		if r.Extends != nil {
			s += fmt.Sprintf("  extends the earlier checkpoint of %d entries\n", *r.Extends)
		}
		return s + witnesses(r.Witnesses)
	case verify.ProofReport:
		return fmt.Sprintf("OK: entry %d is in %s (%d entries)\n  %s\n", r.Index, r.Origin, r.Size, quote(r.Leaf)) + witnesses(r.Witnesses)
	case verify.ReceiptReport:
		return receiptSentence(r)
	case verify.EvidenceReport:
		s := fmt.Sprintf("OK: %d files\n", r.Files)
		for _, l := range r.Logs {
			s += fmt.Sprintf("  %s: %d entries of %d, without their part: %d\n", l.Origin, l.Entries, l.Size, l.Gone) + witnesses(l.Witnesses)
		}
		return s + "  not covered by a signature: " + strings.Join(r.Unproven, ", ") + "\n"
	}
	return ""
}

func receiptSentence(r verify.ReceiptReport) string {
	s := fmt.Sprintf("OK: receipt of exchange %s, %s at %s: entry %d of %s\n",
		quote(r.Exchange), r.State, r.Time.Format(time.RFC3339Nano), r.Index, r.Log)
	for _, c := range []struct {
		yes  bool
		what string
	}{{r.Answer, "the answer"}, {r.Request, "the request"}} {
		if c.yes {
			s += "  it is of " + c.what + " that was given\n"
		} else {
			s += "  " + c.what + " was not given, so not compared\n"
		}
	}
	if r.Included {
		return s + fmt.Sprintf("  the entry is in the log (%d entries)\n", r.Size)
	}
	return s + "  that the entry is in the log is promised by the signature, not proven: give --log-key, and --proof if the receipt holds none\n"
}

func witnesses(all []verify.Witness) string {
	s := ""
	for _, w := range all {
		s += fmt.Sprintf("  witnessed by %s at %s\n", quote(w.Name), w.Time.Format(time.RFC3339))
	}
	return s
}

// quote keeps text from a file from steering the terminal.
func quote(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

// progress shows how far a check is, on a terminal alone.
func progress(w io.Writer) func(done, total uint64) {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	last := uint64(1 << 63)
	return func(done, total uint64) {
		percent := done * 100 / max(total, 1)
		if percent == last {
			return
		}
		last = percent
		end := ""
		if done == total {
			end = "\r\x1b[K"
		}
		fmt.Fprintf(w, "\r%3d %% of %d entries%s", percent, total, end)
	}
}

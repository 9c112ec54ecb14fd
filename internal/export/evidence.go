package export

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maxPicked bounds a pack: each entry is a file of its own.
const maxPicked = 50_000

// Pack is what an evidence pack shall hold.
type Pack struct {
	Sources  []Source
	Picked   []Pick
	Run      Run
	Policy   []byte   // the witness policy; nil: none
	Receipts string   // the public key of receipts; "": none
	Extra    []Attach // further files, which no signature covers
}

// Pick is one entry to disclose.
type Pick struct {
	Log   string
	Index uint64
}

// Run is how the pack came to be: what an auditor asks of a report.
type Run struct {
	Report   string `json:"report"`
	Query    string `json:"query"`
	Timezone string `json:"timezone"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Time     string `json:"time"`
	Runner   string `json:"runner"`
	Software string `json:"software"`
	Rows     int    `json:"rows"` // set by Evidence
}

// Attach is a further file of a pack; it comes to stand in attachments/.
type Attach struct {
	Name string // one file name, no folders
	Data []byte
}

// Evidence writes an evidence pack: the picked entries with their keys, a proof
// of each, the checkpoints, the public keys and how to verify it. The same
// inputs give the same bytes: files are stored, not compressed, so that these
// do not depend on a compressor.
func Evidence(ctx context.Context, w io.Writer, p Pack) error {
	if err := p.evidence(ctx, w); err != nil {
		return fmt.Errorf("write evidence pack: %w", err)
	}
	return nil
}

func (p Pack) evidence(ctx context.Context, w io.Writer) error {
	if len(p.Picked) > maxPicked {
		return fmt.Errorf("%d entries are more than the %d that a pack can hold", len(p.Picked), maxPicked)
	}
	z := packer{z: zip.NewWriter(w)}
	picked, err := p.byLog()
	if err != nil {
		return err
	}
	for _, s := range p.Sources {
		p.Run.Rows += len(picked[s.Log()])
	}
	if err := p.front(&z); err != nil {
		return err
	}
	for _, s := range p.Sources {
		if err := z.log(ctx, s, picked[s.Log()]); err != nil {
			return fmt.Errorf("%s: %w", s.Log(), err)
		}
	}
	return z.close()
}

// byLog sorts the picked entries by log and index, each once.
func (p Pack) byLog() (map[string][]uint64, error) {
	picked := map[string][]uint64{}
	for _, s := range p.Sources {
		if err := checkName(s.Log()); err != nil {
			return nil, err
		}
		if _, ok := picked[s.Log()]; ok {
			return nil, fmt.Errorf("the log %s is given twice", s.Log())
		}
		picked[s.Log()] = nil
	}
	for _, x := range p.Picked {
		if _, ok := picked[x.Log]; !ok {
			return nil, fmt.Errorf("an entry of %s is picked, which is not given", x.Log)
		}
		picked[x.Log] = append(picked[x.Log], x.Index)
	}
	for log, all := range picked {
		slices.Sort(all)
		picked[log] = slices.Compact(all)
	}
	return picked, nil
}

// front writes what is not of one log.
func (p Pack) front(z *packer) error {
	run, err := json.MarshalIndent(p.Run, "", "  ")
	if err != nil {
		return err
	}
	z.add("README.txt", []byte(readme))
	z.add("run.json", append(run, '\n'))
	if p.Policy != nil {
		z.add("policy.txt", p.Policy)
	}
	if p.Receipts != "" {
		z.add("keys/receipts.vkey", []byte(strings.TrimSpace(p.Receipts)+"\n"))
	}
	if len(p.Sources) > 0 { // one key signs all logs of a gateway
		if r := rotations(p.Sources[0]); len(r) > 0 {
			z.add("keys/rotations.jsonl", r)
		}
	}
	given := map[string]bool{}
	for _, a := range p.Extra {
		if given[a.Name] {
			return fmt.Errorf("the attachment %s is given twice", a.Name)
		}
		given[a.Name] = true
		if a.Name != path.Base(a.Name) || a.Name == "." || a.Name == ".." || strings.ContainsAny(a.Name, "\\:") {
			return fmt.Errorf("%q is no file name", a.Name)
		}
		z.add("attachments/"+a.Name, a.Data)
	}
	return z.err
}

// readme is what a stranger reads first.
const readme = `Evidence from an Ostiary gateway
================================

Check this pack with the public keys that you had from the gateway's owner
beforehand, not with those in keys/: whoever could forge the pack could
replace them.

    ostiary-verify evidence evidence.zip --key control.vkey --key calls.vkey

It checks that every file is the one in manifest.json, that each entry in
events/ is in the log whose checkpoint is signed (proofs/), and that each
readable entry is the one that the log committed to at the time.

The same without our programs, for one entry: the first line of a file in
proofs/ names its format (https://c2sp.org/tlog-proof), and its extra line is
the entry. docs/verify.md of the project shows a check with torchwood.

Signatures cover events/, proofs/ and checkpoints/. manifest.json, run.json,
this file and attachments/ are statements of whoever made the pack.

Not shown by any pack: what was never written to the log, and entries that
were not picked. Entries with "part":null have lost their readable part, by
erasure or because their time was over; that they were there is still proven.
`

// packer writes the files of a pack and remembers them for the manifest. After
// the first error it does nothing.
type packer struct {
	z     *zip.Writer
	files []fileInfo
	err   error
}

// fileInfo is a line of the manifest.
type fileInfo struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
}

func (z *packer) add(name string, data []byte) {
	if z.err != nil {
		return
	}
	sum := sha256.Sum256(data)
	z.files = append(z.files, fileInfo{name, len(data), hex.EncodeToString(sum[:])})
	z.write(name, data)
}

func (z *packer) write(name string, data []byte) {
	// No time is set: the header has none, so that packs do not differ by it.
	f, err := z.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = f.Write(data)
	}
	z.err = err
}

// log writes the picked entries of one log.
func (z *packer) log(ctx context.Context, s Source, picked []uint64) error {
	note, size, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	name := Folder(s.Log())
	z.add("keys/"+name+".vkey", []byte(strings.TrimSpace(s.VKey())+"\n"))
	z.add("checkpoints/"+name, note)
	var lines []byte
	for _, index := range picked {
		e, err := entryOf(ctx, s, index, size)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if lines, err = AppendLine(lines, e); err != nil {
			return err
		}
		proof, err := proofUnder(ctx, s, e, head{note, size})
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		z.add(fmt.Sprintf("proofs/%s-%d.tlog-proof", name, index), proof)
	}
	z.add("events/"+name+".jsonl", lines)
	return z.err
}

// close writes the manifest and the end of the file.
func (z *packer) close() error {
	slices.SortFunc(z.files, func(a, b fileInfo) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(struct {
		Version int        `json:"v"`
		Files   []fileInfo `json:"files"`
	}{1, z.files}, "", "  ")
	if err != nil {
		return err
	}
	z.write("manifest.json", append(text, '\n'))
	return errors.Join(z.err, z.z.Close())
}

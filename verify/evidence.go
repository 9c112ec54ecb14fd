package verify

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of an evidence pack.
const (
	maxPackFiles = 100_100
	maxPackFile  = 256 << 20 // bytes of one file
	maxPack      = 1 << 30   // bytes of all files
	maxManifest  = 64 << 20
)

// EvidenceOptions is what the caller knows of the logs in a pack. The keys in
// the pack itself are not used: whoever could forge it could replace them.
type EvidenceOptions struct {
	Keys     []Key
	Policy   *Policy // the witnesses that must have signed; nil: none
	Progress func(done, total uint64)
}

// EvidenceReport says what a pack shows.
type EvidenceReport struct {
	Files    int           `json:"files"`
	Logs     []EvidenceLog `json:"logs"`
	Unproven []string      `json:"unproven"` // files that no signature covers
}

// EvidenceLog is one log of a pack.
type EvidenceLog struct {
	Origin    string    `json:"origin"`
	Size      uint64    `json:"size"`
	Entries   int       `json:"entries"`
	Gone      int       `json:"gone"` // of them without their readable part
	Witnesses []Witness `json:"witnesses,omitempty"`
}

// Evidence verifies an evidence pack (docs/formats/evidence.md): that it holds
// exactly the files of its manifest, and that each entry in it is in a log whose
// checkpoint is signed. The error is a *Broken when something does not verify.
func Evidence(file io.ReaderAt, size int64, o EvidenceOptions) (EvidenceReport, error) {
	p, err := openPack(file, size)
	if err != nil {
		return EvidenceReport{}, err
	}
	r := EvidenceReport{Files: len(p.files)}
	if p.files["keys/rotations.jsonl"] != nil {
		file, err := p.read("keys/rotations.jsonl")
		if err != nil {
			return EvidenceReport{}, err
		}
		if o.Keys, err = Follow(o.Keys, "log-signing", file); err != nil {
			return EvidenceReport{}, err
		}
		p.used["keys/rotations.jsonl"] = true
	}
	for _, name := range p.names("events/") {
		log, ok := strings.CutSuffix(strings.TrimPrefix(name, "events/"), ".jsonl")
		if !ok {
			return EvidenceReport{}, broken(NoIndex, "%s does not belong into a pack", name)
		}
		l, err := p.log(log, o)
		if err != nil {
			return EvidenceReport{}, err
		}
		r.Logs = append(r.Logs, l)
	}
	for name := range p.files {
		switch {
		case p.used[name]:
		case strings.HasPrefix(name, "proofs/") || strings.HasPrefix(name, "checkpoints/"):
			return EvidenceReport{}, broken(NoIndex, "%s belongs to no entry of the pack", name)
		default:
			r.Unproven = append(r.Unproven, name)
		}
	}
	if len(r.Logs) == 0 {
		return EvidenceReport{}, broken(NoIndex, "the pack holds no entries")
	}
	slices.Sort(r.Unproven)
	return r, nil
}

// pack is an opened evidence pack.
type pack struct {
	files map[string]*zip.File
	sums  map[string]string // of the manifest
	used  map[string]bool
}

// openPack reads the directory and the manifest of a pack. Names are held to
// the few forms that a pack has, so that whoever unpacks it by other means
// writes nowhere else (TestEvidenceRefusesNames).
func openPack(file io.ReaderAt, size int64) (*pack, error) {
	if size > maxPack+maxManifest {
		return nil, broken(NoIndex, "the pack is too long")
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, broken(NoIndex, "the file is no zip archive: %s", err)
	}
	if len(z.File) > maxPackFiles || z.Comment != "" {
		return nil, broken(NoIndex, "the pack has too many files, or a comment")
	}
	p := &pack{files: map[string]*zip.File{}, sums: map[string]string{}, used: map[string]bool{}}
	folded := map[string]bool{}
	var total uint64
	for _, f := range z.File {
		if !packName(f.Name) || !f.Mode().IsRegular() || f.Flags&1 != 0 {
			return nil, broken(NoIndex, "%q does not belong into a pack", f.Name)
		}
		if folded[strings.ToLower(f.Name)] {
			return nil, broken(NoIndex, "%s is in the pack twice", f.Name)
		}
		folded[strings.ToLower(f.Name)] = true
		if f.UncompressedSize64 > maxPackFile || total+f.UncompressedSize64 > maxPack {
			return nil, broken(NoIndex, "%s makes the pack too large", f.Name)
		}
		total += f.UncompressedSize64
		p.files[f.Name] = f
	}
	return p, p.manifest()
}

// packName reports whether a file of this name may be in a pack.
func packName(name string) bool {
	switch name {
	case "README.txt", "manifest.json", "run.json", "policy.txt":
		return true
	}
	folder, base, ok := strings.Cut(name, "/")
	if !ok || !slices.Contains([]string{"events", "proofs", "checkpoints", "keys", "attachments"}, folder) {
		return false
	}
	if base == "" || base[0] == '.' || len(base) > 128 {
		return false
	}
	return !strings.ContainsFunc(base, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`/\:*?"<>|`, c) })
}

// manifest reads manifest.json and holds the names to it.
func (p *pack) manifest() error {
	f := p.files["manifest.json"]
	if f == nil {
		return broken(NoIndex, "the pack has no manifest.json")
	}
	text, err := readZip(f, maxManifest)
	if err != nil {
		return broken(NoIndex, "manifest.json: %s", err)
	}
	delete(p.files, "manifest.json")
	var m struct {
		Version int `json:"v"`
		Files   []struct {
			Name   string `json:"name"`
			Size   uint64 `json:"size"`
			SHA256 string `json:"sha256"`
		} `json:"files"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || m.Version != 1 {
		return broken(NoIndex, "manifest.json is malformed or of a version that is not known")
	}
	for _, x := range m.Files {
		if p.sums[x.Name] != "" {
			return broken(NoIndex, "manifest.json has %s twice", x.Name)
		}
		p.sums[x.Name] = x.SHA256
		f := p.files[x.Name]
		if f == nil {
			return broken(NoIndex, "%s is missing from the pack", x.Name)
		}
		if f.UncompressedSize64 != x.Size {
			return broken(NoIndex, "%s is not the file of the manifest", x.Name)
		}
	}
	for _, name := range p.names("") {
		if p.sums[name] == "" {
			return broken(NoIndex, "%s is not in the manifest", name)
		}
		if _, err := p.read(name); err != nil {
			return err
		}
	}
	return nil
}

// names lists the files in a folder, sorted.
func (p *pack) names(folder string) []string {
	var all []string
	for name := range p.files {
		if strings.HasPrefix(name, folder) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// read returns a file of the pack after holding it to the manifest.
func (p *pack) read(name string) ([]byte, error) {
	f := p.files[name]
	if f == nil {
		return nil, broken(NoIndex, "%s is missing from the pack", name)
	}
	data, err := readZip(f, maxPackFile)
	if err != nil {
		return nil, broken(NoIndex, "%s: %s", name, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.sums[name] {
		return nil, broken(NoIndex, "%s is not the file of the manifest", name)
	}
	return data, nil
}

// readZip reads one file. What it says of its size is not believed.
func readZip(f *zip.File, limit uint64) (data []byte, err error) {
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return nil, errors.New("it is packed in a way that is not known")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	most := min(limit, f.UncompressedSize64)
	data, err = io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && uint64(len(data)) != f.UncompressedSize64 {
		err = errors.New("its size is not the one it states")
	}
	return data, err
}

// log verifies the entries of one log.
func (p *pack) log(name string, o EvidenceOptions) (EvidenceLog, error) {
	signed, err := p.read("checkpoints/" + name)
	if err != nil {
		return EvidenceLog{}, err
	}
	c, err := ParseCheckpoint(signed, o.Keys, o.Policy)
	if err != nil {
		return EvidenceLog{}, broken(NoIndex, "checkpoints/%s: %s", name, err)
	}
	l := EvidenceLog{Origin: c.Origin, Size: c.Size, Witnesses: c.Witnesses}
	if err := p.sameKey(name, o.Keys); err != nil {
		return l, err
	}
	lines, err := p.read("events/" + name + ".jsonl")
	if err != nil {
		return l, err
	}
	p.used["checkpoints/"+name], p.used["events/"+name+".jsonl"] = true, true
	last := int64(NoIndex)
	total := uint64(bytes.Count(lines, []byte("\n")))
	for line := range bytes.Lines(lines) {
		e, err := p.entry(name, bytes.TrimSuffix(line, []byte("\n")), signed, c)
		if err == nil && int64(e.Index) <= last {
			err = broken(int64(e.Index), "the entries of the pack are not in order")
		}
		var b *Broken
		if errors.As(err, &b) {
			b.Log = c.Origin
		}
		if err != nil {
			return l, err
		}
		last = int64(e.Index)
		l.Entries++
		if e.Part == nil {
			l.Gone++
		}
		if o.Progress != nil {
			o.Progress(uint64(l.Entries), total)
		}
	}
	return l, nil
}

// sameKey refuses a pack that shows its reader another key than one that its
// caller trusts.
func (p *pack) sameKey(name string, trusted []Key) error {
	file, err := p.read("keys/" + name + ".vkey")
	if err != nil {
		return err
	}
	keys, err := ParseKeys(file)
	if err != nil {
		return broken(NoIndex, "keys/%s.vkey: %s", name, err)
	}
	for _, k := range keys {
		if !slices.ContainsFunc(trusted, func(t Key) bool { return t.String() == k.String() }) {
			return broken(NoIndex, "keys/%s.vkey is not the key that was given for this check", name)
		}
	}
	p.used["keys/"+name+".vkey"] = true
	return nil
}

// entry verifies one line of events and its proof under the checkpoint, whose
// signature is verified already.
func (p *pack) entry(log string, line, signed []byte, c Checkpoint) (Entry, error) {
	e, err := parseLine(line)
	if err != nil {
		index := int64(NoIndex)
		if e.Leaf != nil {
			index = int64(e.Index)
		}
		return e, broken(index, "%s", err)
	}
	at := int64(e.Index)
	name := fmt.Sprintf("proofs/%s-%d.tlog-proof", log, e.Index)
	file, err := p.read(name)
	if err != nil {
		return e, err
	}
	p.used[name] = true
	parsed, err := parseProof(file)
	switch {
	case err != nil:
		return e, broken(at, "%s: %s", name, err)
	case parsed.index != e.Index || !bytes.Equal(parsed.checkpoint, signed):
		return e, broken(at, "%s is not of this entry or not under the checkpoint of the pack", name)
	case parsed.extra != nil && !bytes.Equal(parsed.extra, e.Leaf):
		return e, broken(at, "%s holds another entry", name)
	case !c.includes(parsed.path, e.Index, e.Leaf):
		return e, broken(at, "the proof does not show that this entry is in the log")
	case !strings.HasSuffix(c.Origin, "/"+e.Log):
		return e, broken(at, "the leaf is of another log")
	}
	return e, nil
}

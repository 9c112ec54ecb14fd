package verify_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// packFiles are the files of a pack with the entries 2 and 5, without manifest.
func packFiles() (l *samplelog.Log, files map[string]string) {
	l = samplelog.New("calls/2026", 9)
	return l, map[string]string{
		"README.txt": "read me\n", "run.json": "{}\n",
		"keys/calls-2026.vkey": l.VKey() + "\n", "checkpoints/calls-2026": string(l.Checkpoint(9)),
		"events/calls-2026.jsonl":        string(l.Line(2)) + string(l.Line(5)),
		"proofs/calls-2026-2.tlog-proof": string(l.Proof(2)), "proofs/calls-2026-5.tlog-proof": string(l.Proof(5)),
	}
}

// zipped makes a pack of files, with a manifest unless they have one.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	names := slices.Sorted(maps.Keys(files))
	if _, ok := files["manifest.json"]; !ok {
		type info struct {
			Name   string `json:"name"`
			Size   int    `json:"size"`
			SHA256 string `json:"sha256"`
		}
		var all []info
		for _, n := range names {
			sum := sha256.Sum256([]byte(files[n]))
			all = append(all, info{n, len(files[n]), hex.EncodeToString(sum[:])})
		}
		text, err := json.Marshal(map[string]any{"v": 1, "files": all})
		if err != nil {
			t.Fatal(err)
		}
		files = maps.Clone(files)
		files["manifest.json"] = string(text)
		names = append(names, "manifest.json")
	}
	return zipOf(t, names, files)
}

func zipOf(t testing.TB, names []string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		f, err := z.Create(n)
		if err == nil && !strings.HasSuffix(n, "/") {
			_, err = f.Write([]byte(files[n]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func evidence(t testing.TB, b []byte) (verify.EvidenceReport, error) {
	t.Helper()
	l := samplelog.New("calls/2026", 0)
	return verify.Evidence(bytes.NewReader(b), int64(len(b)), verify.EvidenceOptions{Keys: keys(t, l.VKey())})
}

func TestEvidence(t *testing.T) {
	_, files := packFiles()
	r, err := evidence(t, zipped(t, files))
	if err != nil || len(r.Logs) != 1 || r.Logs[0].Entries != 2 || r.Files != 7 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if want := []string{"README.txt", "run.json"}; !slices.Equal(r.Unproven, want) {
		t.Errorf("unproven is %v, want %v", r.Unproven, want)
	}
}

// TestEveryByteOfEvidence changes each byte of each file. With the manifest left
// as it was all changes are found; with a manifest that fits, which anyone can
// make, those of what is signed.
func TestEveryByteOfEvidence(t *testing.T) {
	_, files := packFiles()
	r, err := evidence(t, zipped(t, files))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		for i := 0; i < len(text); i += 3 { // every third: there are many
			bad := maps.Clone(files)
			bad[name] = text[:i] + string(text[i]^1) + text[i+1:]
			_, err := evidence(t, zipped(t, bad))
			var b *verify.Broken
			if !errors.As(err, &b) && !slices.Contains(r.Unproven, name) {
				t.Errorf("%s, byte %d (%q): %v", name, i, text[i], err)
			}
		}
	}
	whole := zipped(t, files)
	for name, text := range files {
		at := bytes.Index(whole, []byte(text))
		if at < 0 {
			continue // packed
		}
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		if _, err := evidence(t, bad); err == nil {
			t.Errorf("a byte of %s changed in the archive: no error", name)
		}
	}
}

func TestEvidenceRefuses(t *testing.T) {
	l, files := packFiles()
	manifest := func(change func(string) string) func(map[string]string) {
		return func(f map[string]string) {
			z, err := zip.NewReader(bytes.NewReader(zipped(t, f)), int64(len(zipped(t, f))))
			if err != nil {
				t.Fatal(err)
			}
			r, err := z.Open("manifest.json")
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := b.ReadFrom(r); err != nil {
				t.Fatal(err)
			}
			f["manifest.json"] = change(b.String())
		}
	}
	for name, change := range map[string]func(f map[string]string){
		"no manifest entry":    manifest(func(s string) string { return strings.Replace(s, `{"name":"README.txt"`, `{"name":"readme"`, 1) }),
		"an odd manifest":      manifest(func(s string) string { return s[1:] }),
		"an unknown version":   manifest(func(s string) string { return strings.Replace(s, `"v":1`, `"v":2`, 1) }),
		"another digest":       manifest(func(s string) string { return strings.Replace(s, `"sha256":"`, `"sha256":"0`, 1) }),
		"a file it lacks":      func(f map[string]string) { manifest(func(s string) string { return s })(f); f["run2.json"] = "" },
		"a file too many":      func(f map[string]string) { manifest(func(s string) string { return s })(f); f["attachments/x"] = "" },
		"no proof":             func(f map[string]string) { delete(f, "proofs/calls-2026-5.tlog-proof") },
		"a proof of another":   func(f map[string]string) { f["proofs/calls-2026-5.tlog-proof"] = string(l.Proof(6)) },
		"a proof of none":      func(f map[string]string) { f["proofs/calls-2026-6.tlog-proof"] = string(l.Proof(6)) },
		"no checkpoint":        func(f map[string]string) { delete(f, "checkpoints/calls-2026") },
		"another checkpoint":   func(f map[string]string) { f["checkpoints/calls-2026"] = string(l.Checkpoint(8)) },
		"an extra checkpoint":  func(f map[string]string) { f["checkpoints/control"] = string(l.Checkpoint(8)) },
		"no key":               func(f map[string]string) { delete(f, "keys/calls-2026.vkey") },
		"another key":          func(f map[string]string) { f["keys/calls-2026.vkey"] = samplelog.NewSigner(l.Origin(), "x").VKey() },
		"no events":            func(f map[string]string) { delete(f, "events/calls-2026.jsonl") },
		"an entry twice":       func(f map[string]string) { f["events/calls-2026.jsonl"] += string(l.Line(5)) },
		"entries out of order": func(f map[string]string) { f["events/calls-2026.jsonl"] = string(l.Line(5)) + string(l.Line(2)) },
		"another part": func(f map[string]string) {
			f["events/calls-2026.jsonl"] = strings.Replace(f["events/calls-2026.jsonl"], "tool-5", "tool-6", 1)
		},
		"another index": func(f map[string]string) {
			f["events/calls-2026.jsonl"] = strings.Replace(f["events/calls-2026.jsonl"], `{"index":5`, `{"index":6`, 1)
		},
		"a line of rubbish":     func(f map[string]string) { f["events/calls-2026.jsonl"] += "x\n" },
		"events of another end": func(f map[string]string) { f["events/x.csv"] = "" },
	} {
		bad := maps.Clone(files)
		change(bad)
		_, err := evidence(t, zipped(t, bad))
		var b *verify.Broken
		if !errors.As(err, &b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEvidenceRefusesNames has archives that do harm when they are unpacked.
func TestEvidenceRefusesNames(t *testing.T) {
	for _, name := range []string{
		"../x", "/etc/passwd", "attachments/../../x", "attachments/a/b", `attachments\x`, `attachments/..\x`, "C:/x", "attachments/C:x",
		"x", "events/", "attachments/.profile", "attachments/a b", "attachments/\x1b[2J", "attachments/\u202ex", "ATTACHMENTS/x",
		"attachments/" + strings.Repeat("x", 200), "",
	} {
		_, files := packFiles()
		files[name] = "x"
		if _, err := evidence(t, zipped(t, files)); err == nil {
			t.Errorf("the name %q passes", name)
		}
	}
	_, files := packFiles()
	files["attachments/x"], files["attachments/X"] = "1", "2"
	if _, err := evidence(t, zipped(t, files)); err == nil {
		t.Error("two names that some systems take for one pass")
	}
	names := append(slices.Sorted(maps.Keys(files)), "README.txt")
	if _, err := evidence(t, zipOf(t, names, files)); err == nil {
		t.Error("a name twice passes")
	}
}

// TestEvidenceIsBounded has archives that are larger than they look.
func TestEvidenceIsBounded(t *testing.T) {
	_, files := packFiles()
	files["attachments/zeros"] = strings.Repeat("\x00", 300<<20)
	b := zipped(t, files)
	if len(b) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(b))
	}
	if _, err := evidence(t, b); err == nil {
		t.Error("a file of 300 MiB passes")
	}
	many := map[string]string{"manifest.json": "{}"}
	names := []string{"manifest.json"}
	for i := range 100_200 {
		names = append(names, fmt.Sprintf("attachments/%d", i))
	}
	if _, err := evidence(t, zipOf(t, names, many)); err == nil {
		t.Error("100,200 files pass")
	}
	if _, err := evidence(t, []byte("PK\x05\x06 no archive")); err == nil {
		t.Error("rubbish passes")
	}
}

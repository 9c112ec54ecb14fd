package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"
)

const sample = "zq7-canary-Wk3/value"

func found(t *testing.T, what string, b []byte) {
	t.Helper()
	s := &Scanner{}
	s.Look("sample", sample)
	if len(s.Bytes(what, b)) == 0 {
		t.Errorf("%s: nothing is found", what)
	}
	if hits := s.Bytes(what, bytes.Repeat([]byte("nothing of it is here; "), 1000)); hits != nil {
		t.Errorf("%s: found where it is not: %v", what, hits)
	}
}

// TestScannerFinds is the scanner's positive control: what it cannot find it
// cannot rule out.
func TestScannerFinds(t *testing.T) {
	found(t, "text", []byte("before "+sample+" after"))
	for before := range 7 {
		for after := range 4 {
			text := bytes.Repeat([]byte("b"), before)
			text = append(append(text, sample...), bytes.Repeat([]byte("a"), after)...)
			for name, enc := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawURLEncoding} {
				found(t, fmt.Sprint(name, before, after), []byte(`{"x":"`+enc.EncodeToString(text)+`"}`))
			}
		}
	}
	found(t, "hex", []byte(hex.EncodeToString([]byte("x"+sample))))
	found(t, "HEX", bytes.ToUpper([]byte(hex.EncodeToString([]byte("x"+sample)))))
	found(t, "upper", bytes.ToUpper([]byte(sample)))
	var wide []byte
	for _, u := range utf16.Encode([]rune(sample)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	found(t, "UTF-16", wide)
	var escaped []byte
	for _, r := range sample {
		escaped = fmt.Appendf(escaped, `\u%04x`, r)
	}
	var back string
	if err := json.Unmarshal([]byte(`"`+string(escaped)+`"`), &back); err != nil || back != sample {
		t.Fatalf("the escapes read %q (%v)", back, err)
	}
	found(t, "escapes", escaped)
	var percent []byte
	for _, b := range []byte(sample) {
		percent = fmt.Appendf(percent, "%%%02X", b)
	}
	if back, err := url.PathUnescape(string(percent)); err != nil || back != sample {
		t.Fatalf("the percent encoding reads %q (%v)", back, err)
	}
	found(t, "percent", percent)
}

func TestScannerUnpacks(t *testing.T) {
	packed := func(open func(*bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	}, text []byte) []byte {
		var out bytes.Buffer
		w := open(&out)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	type closer = interface {
		Write([]byte) (int, error)
		Close() error
	}
	text := append(bytes.Repeat([]byte("noise "), 500), sample...)
	zipped := packed(func(b *bytes.Buffer) closer { return gzip.NewWriter(b) }, text)
	found(t, "gzip", append([]byte("before"), zipped...))
	found(t, "gzip that is cut", append(zipped[:len(zipped)-4:len(zipped)-4], "after"...))
	found(t, "zlib", packed(func(b *bytes.Buffer) closer { return zlib.NewWriter(b) }, text))
	found(t, "gzip in gzip", packed(func(b *bytes.Buffer) closer { return gzip.NewWriter(b) }, zipped))
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create("member")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	found(t, "zip", archive.Bytes())
}

func TestScannerWalks(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"deep/er/file": "x" + sample, "zq7-canary-in-a-name": "", "clean": "x"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &Scanner{}
	s.Look("text", sample)
	s.Look("name", "zq7-canary-in-a-name")
	hits, seen, err := s.Tree(dir)
	if err != nil || len(hits) != 2 || seen != int64(len(sample)+2) {
		t.Errorf("found %v in %d bytes (%v)", hits, seen, err)
	}
}

// TestScannerAllows: what may stand as it is may not stand in another form, and
// hides nothing beside it.
func TestScannerAllows(t *testing.T) {
	s := &Scanner{}
	s.Look("prefix", "zq7-a-canary-")
	s.Allow("zq7-a-canary-reason")
	if hits := s.Bytes("allowed", []byte("because zq7-a-canary-reason")); hits != nil {
		t.Errorf("found %v", hits)
	}
	for _, text := range []string{
		"because zq7-a-canary-reason and zq7-a-canary-name", base64.StdEncoding.EncodeToString([]byte("zq7-a-canary-reason")),
	} {
		if hits := s.Bytes("others", []byte(text)); len(hits) == 0 {
			t.Errorf("nothing is found in %s", text)
		}
	}
}

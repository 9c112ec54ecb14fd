package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"
)

// Bounds of what is unpacked, so that stray bytes that look like an archive do
// no harm.
const (
	maxInflated = 16 << 20
	maxDepth    = 3
	maxFile     = 256 << 20
)

// Scanner looks for values in many forms.
type Scanner struct {
	needles []needle
	allowed [][]byte
}

type needle struct {
	what, form string
	bytes      []byte
}

// Hit is a value that was found.
type Hit struct {
	Place string // file or stream
	What  string // the value's name
	Form  string
	At    int
	Near  []byte // what stands around it, for whoever looks for the leak
}

func (h Hit) String() string {
	return fmt.Sprintf("%s: %s as %s at %d, in %q", h.Place, h.What, h.Form, h.At, h.Near)
}

// near is how many bytes a Hit shows before and after the value.
const near = 48

// Look adds a value of at least 12 bytes: shorter ones are found by chance.
func (s *Scanner) Look(what, value string) {
	if len(value) < 12 {
		panic("canary: a value of less than 12 bytes is found by chance")
	}
	for form, b := range forms(value) {
		s.needles = append(s.needles, needle{what, form, b})
	}
}

// Allow says that a value may stand as it is; in another form it is found.
func (s *Scanner) Allow(value string) { s.allowed = append(s.allowed, []byte(value)) }

// forms returns how a value may stand in bytes.
func forms(value string) map[string][]byte {
	raw := []byte(value)
	out := map[string][]byte{
		"text": raw, "hex": []byte(hex.EncodeToString(raw)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(raw))),
	}
	if up := bytes.ToUpper(raw); !bytes.Equal(up, raw) {
		out["upper case"] = up
	}
	var little, big, escaped, percent []byte
	for _, u := range utf16.Encode([]rune(value)) {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
		escaped = fmt.Appendf(escaped, `\u%04x`, u)
	}
	for _, b := range raw {
		percent = fmt.Appendf(percent, "%%%02X", b)
	}
	out["UTF-16LE"], out["UTF-16BE"], out["JSON escapes"], out["percent"] = little, big, escaped, percent
	out["reversed"] = slices.Clone(raw)
	slices.Reverse(out["reversed"])
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			out[fmt.Sprint(name, " +", shift)] = aligned(enc, raw, shift)
		}
	}
	return out
}

// aligned returns the characters of raw's encoding that do not depend on what
// stands before and after it, when shift bytes of another group come first.
func aligned(enc *base64.Encoding, raw []byte, shift int) []byte {
	text := enc.EncodeToString(append(make([]byte, shift), raw...))
	from := (shift*8 + 5) / 6
	to := (shift + len(raw)) * 8 / 6
	return []byte(text[from:to])
}

// Bytes returns what stands in b.
func (s *Scanner) Bytes(place string, b []byte) []Hit { return s.scan(place, b, 0) }

func (s *Scanner) scan(place string, b []byte, depth int) (hits []Hit) {
	for _, value := range s.allowed {
		b = bytes.ReplaceAll(b, value, make([]byte, len(value)))
	}
	for _, n := range s.needles {
		n.each(b, func(at int) {
			around := b[max(0, at-near):min(len(b), at+len(n.bytes)+near)]
			hits = append(hits, Hit{place, n.what, n.form, at, slices.Clone(around)})
		})
	}
	if depth == maxDepth {
		return hits
	}
	for name, inner := range unpack(b) {
		hits = append(hits, s.scan(place+"!"+name, inner, depth+1)...)
	}
	return hits
}

// unpack returns everything in b that can be inflated.
func unpack(b []byte) map[string][]byte {
	out := map[string][]byte{}
	each(b, "\x1f\x8b\x08", func(at int) {
		if r, err := gzip.NewReader(bytes.NewReader(b[at:])); err == nil {
			keep(out, fmt.Sprint("gzip@", at), r)
		}
	})
	for _, head := range []string{"\x78\x01", "\x78\x9c", "\x78\xda"} {
		each(b, head, func(at int) {
			if r, err := zlib.NewReader(bytes.NewReader(b[at:])); err == nil {
				keep(out, fmt.Sprint("zlib@", at), r)
			}
		})
	}
	if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
		for _, f := range z.File {
			if r, err := f.Open(); err == nil {
				keep(out, "zip/"+f.Name, r)
			}
		}
	}
	return out
}

// most is how many places of one value in one stream are shown.
const most = 8

// each calls fn for the places of n.
func (n needle) each(b []byte, fn func(at int)) {
	shown := 0
	each(b, string(n.bytes), func(at int) {
		if shown++; shown <= most {
			fn(at)
		}
	})
}

// each calls fn for every place of head.
func each(b []byte, head string, fn func(at int)) {
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte(head))
		if i < 0 {
			return
		}
		at += i
		fn(at)
	}
}

// keep reads what can be read: the end may be cut or damaged.
func keep(out map[string][]byte, name string, r io.Reader) {
	b, _ := io.ReadAll(io.LimitReader(r, maxInflated))
	if len(b) >= 12 {
		out[name] = b
	}
}

// Tree returns what stands in the files below dir, and in their names.
func (s *Scanner) Tree(dir string) (hits []Hit, bytesSeen int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a server's temporary file
		}
		if err != nil {
			return err
		}
		hits = append(hits, s.Bytes("name of "+path, []byte(d.Name()))...)
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := readFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		bytesSeen += int64(len(b))
		hits = append(hits, s.Bytes(path, b)...)
		return nil
	})
	return hits, bytesSeen, err
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is too large to be scanned", path)
	}
	return b, err
}

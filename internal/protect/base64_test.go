package protect

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/privacy"
)

// TestC14OneReadingOfBase64: clients pass over what is no base64, in different ways.
// What they get is what was examined.
func TestC14OneReadingOfBase64(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	b64 := base64.StdEncoding.EncodeToString
	bad, clean, words := dot("by ann@example.com"), dot("made by a camera, with no more to say"), b64([]byte(strings.Repeat("some word ", 6)))
	for name, data := range map[string]string{
		"before":           "#" + bad,
		"inside":           bad[:20] + "#" + bad[20:],
		"a dash inside":    bad[:10] + "-" + bad[10:],
		"a line before":    "_" + bad,
		"padding before":   "=" + bad,
		"another blank":    "\u00a0" + bad,
		"escaped":          bad[:20] + `\f` + bad[20:],
		"behind":           strings.TrimRight(clean, "=") + "==" + bad,
		"behind a text":    b64([]byte("some words and then an end..")) + bad,
		"one letter more":  strings.TrimRight(bad, "=") + "=x",
		"text, marked":     "*" + b64([]byte("write to ann@example.com, not to me")),
		"text, zero":       b64([]byte("write to ann@example.com, not to me\x00")),
		"text, Latin-1":    b64([]byte("write to ann@example.com, J\xfcrgen")),
		"text, UTF-16":     b64(widened([]byte("write to ann@example.com"), binary.LittleEndian)),
		"text, UTF-16, BE": b64(widened([]byte("write to ann@example.com"), binary.BigEndian)),
	} {
		got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"image","data":"`+data+`","mimeType":"image/jpeg"}]`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f := file64(t, got, "data"); strings.Contains(strings.ReplaceAll(f, "\x00", ""), "ann@") || f == "" {
			t.Errorf("%s: left %q", name, f)
		}
	}
	// What only begins like base64 is a text.
	for name, data := range map[string]string{
		"a text": words + "!ann@example.com " + secret,
		"padded": words + "==ann@example.com",
	} {
		got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"x","data":"`+data+`"}]`))
		if err == nil && (strings.Contains(got, "ann@") || strings.Contains(got, secret)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// packed is a PNG in form only, with a packed text of some size.
func packed(size int) string {
	var b bytes.Buffer
	b.WriteString("C\x00\x00")
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(strings.Repeat("a word of no one ", size/17)))
	_ = z.Close()
	b.Write(make([]byte, max(0, size/90-b.Len()))) // no bomb by its size
	png := append(binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(b.Len())), "zTXt"+b.String()+"0000"...)
	return `{"type":"image","data":"` + base64.StdEncoding.EncodeToString(png) + `"}`
}

// TestC14ManyPackedTexts: what one picture may have, a hundred may not.
func TestC14ManyPackedTexts(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[`+packed(900_000)+`]`)); err != nil {
		t.Error(err)
	}
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[`+packed(900_000)+strings.Repeat(","+packed(900_000), 9)+`]`))
	if !fault.Is(err, fault.Unscannable) {
		t.Errorf("got %v", err)
	}
}

// TestC14OnePictureSparesNoOther: where a failure of the detector lets pass, it lets
// that picture pass that it failed on.
func TestC14OnePictureSparesNoOther(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal", OnError: "flag"}, "token", "token")
	picture := func(mail string) string { return `{"type":"image","data":"` + dot(mail) + `"}` }
	bomb := packed(8 << 20)
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[`+picture("by ann@example.com")+`,`+bomb+`,`+picture("by bob@example.com")+`]`))
	if err != nil || !strings.Contains(got, bomb) || strings.Contains(got, dot("by ann@example.com")) || strings.Contains(got, dot("by bob@example.com")) {
		t.Errorf("%.200s %v", got, err)
	}
}

// TestC14NamesLikePaths: what is called like the place of a file, but is none, is a
// value like any other.
func TestC14NamesLikePaths(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	data := `"` + base64.StdEncoding.EncodeToString([]byte("write to ann@example.com or key "+secret)) + `"`
	for _, members := range []string{`"x":` + data, `"content[*].data":` + data, `"content[*]":{"data":` + data + `}`, `"content":[{"resource.blob":` + data + `}]`,
		`"content":[{"content[*].blob":` + data + `}]`, `"content":[{"content[*]":{"blob":` + data + `}}]`, `"content.data":` + data} {
		if got, err := w.answered(t, w.call(t, `{}`), result(members)); err != nil || strings.Contains(got, data) {
			t.Errorf("%s %v", got, err)
		}
	}
}

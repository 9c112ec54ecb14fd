package protect

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

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

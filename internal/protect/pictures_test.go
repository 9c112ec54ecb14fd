package protect

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
)

// dot is a JPEG in form only, with a comment.
func dot(comment string) string {
	b := binary.BigEndian.AppendUint16([]byte("\xff\xd8\xff\xfe"), uint16(len(comment)+2))
	return base64.StdEncoding.EncodeToString([]byte(string(b) + comment + "\xff\xda\x00\x02pixels\xff\xd9"))
}

// located is one that says where it was taken, and nothing else.
var located = base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xe1\x00\x34Exif\x00\x00II*\x00\x08\x00\x00\x00" +
	"\x01\x00\x25\x88\x04\x00\x01\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x02\x00\x05\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\xff\xd9"))

func file64(t *testing.T, got, key string) string {
	t.Helper()
	var m struct {
		Result struct {
			Content  []map[string]any
			Contents []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	block := append(m.Result.Content, m.Result.Contents...)[0]
	if r, ok := block["resource"].(map[string]any); ok {
		block = r
	}
	b, err := base64.StdEncoding.DecodeString(block[key].(string))
	if err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	return string(b)
}

// TestC14MetadataOfPictures: what a picture says beside its pixels is held to the
// profile like any text: taken out of the file, counted, or a reason to refuse.
func TestC14MetadataOfPictures(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	const mail = "by ann@example.com"
	for name, members := range map[string]string{
		"image":             `"content":[{"type":"image","data":"` + dot(mail) + `","mimeType":"image/jpeg"}]`,
		"audio by its name": `"content":[{"type":"audio","data":"` + dot(mail) + `","mimeType":"audio/wav"}]`,
		"escaped":           `"content":[{"type":"image","data":"` + strings.ReplaceAll(dot(mail), "/", `\/`) + `","mimeType":"image/jpeg"}]`,
		"other alphabet":    `"content":[{"type":"image","data":"` + strings.TrimRight(strings.NewReplacer("/", "_", "+", "-").Replace(dot(mail)), "=") + `","mimeType":"image/jpeg"}]`,
		"lines":             `"content":[{"type":"image","data":"` + dot(mail)[:20] + `\r\n` + dot(mail)[20:] + `","mimeType":"image/jpeg"}]`,
		"a place":           `"content":[{"type":"image","data":"` + located + `","mimeType":"image/jpeg"}]`,
		"author":            `"content":[{"type":"image","data":"` + dot("Photographer: Karla Brandt") + `","mimeType":"image/jpeg"}]`,
	} {
		x := w.call(t, `{}`)
		got, err := w.answered(t, x, result(members))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f := file64(t, got, "data"); strings.Contains(f, "ann@") || strings.Contains(f, "Exif") || strings.Contains(f, "Karla") || !strings.HasPrefix(f, "\xff\xd8\xff") {
			t.Errorf("%s: left %q", name, f)
		}
		if counted(x, toClient, pii.Email, privacy.Redact)+counted(x, toClient, pii.Location, privacy.Redact)+counted(x, toClient, pii.Person, privacy.Redact) == 0 || !strings.Contains(got, `"hidden"`) {
			t.Errorf("%s: it is not counted: %s", name, got)
		}
	}
	for _, members := range []string{
		`"contents":[{"uri":"file:///a","blob":"` + dot(mail) + `","mimeType":"image/jpeg"}]`,
		`"content":[{"type":"resource","resource":{"uri":"file:///a","blob":"` + dot(mail) + `"}}]`,
	} {
		got, err := w.answered(t, w.call(t, `{}`), result(members))
		if err != nil || strings.Contains(file64(t, got, "blob"), "ann@") {
			t.Errorf("%s: %v", got, err)
		}
	}
	for name, data := range map[string]string{"no metadata": dot(""), "a harmless one": dot("made with a camera"), "another format": base64.StdEncoding.EncodeToString([]byte("%PDF-1.7\x00\x00\x00ann@example.com\x00 and more"))} {
		members := `"content":[{"type":"image","data":"` + data + `","mimeType":"image/jpeg"}]`
		if got, err := w.answered(t, w.call(t, `{}`), result(members)); err != nil || got != result(members) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}

// TestC14TextFiles: an SVG is a text, whatever it is called, and stays one.
func TestC14TextFiles(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><!-- ask ann@example.com --><script>f()</script><text>Zoë</text></svg>`
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"image","data":"`+base64.StdEncoding.EncodeToString([]byte(svg))+`","mimeType":"image/svg+xml"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if f := file64(t, got, "data"); f != strings.ReplaceAll(svg, "ann@example.com", "[EMAIL]") {
		t.Errorf("left %q", f)
	}
}

// TestC14SecretsInPictures: toward a server they block, toward a client they go, also
// with the profile that is there from the start.
func TestC14SecretsInPictures(t *testing.T) {
	w := newWorld(t, secretsOnly, "token", "token")
	members := `"content":[{"type":"image","data":"` + dot("key "+secret) + `","mimeType":"image/jpeg"}]`
	got, err := w.answered(t, w.call(t, `{}`), result(members))
	if err != nil || strings.Contains(file64(t, got, "data"), secret) {
		t.Errorf("%s %v", got, err)
	}
	members = strings.ReplaceAll(members, dot("key "+secret), dot("by ann@example.com"))
	if got, err := w.answered(t, w.call(t, `{}`), result(members)); err != nil || got != result(members) {
		t.Errorf("%s %v", got, err)
	}
	w = newWorld(t, secretsOnly, "sealed", "token")
	_, err = w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"image","data":"`+dot("key "+secret)+`","mimeType":"image/jpeg"}]`))
	wantBlocked(t, err)
}

// TestC14WhatCannotBeTakenApart is refused: a TIFF with something in it, and
// metadata that grows without bound.
func TestC14WhatCannotBeTakenApart(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	tiff := base64.StdEncoding.EncodeToString([]byte("II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00 by ann@example.com"))
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"image","data":"`+tiff+`","mimeType":"image/tiff"}]`))
	wantBlocked(t, err)
	var bomb bytes.Buffer
	bomb.WriteString("C\x00\x00")
	z := zlib.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 8<<20))
	_ = z.Close()
	png := append(binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(bomb.Len())), "zTXt"+bomb.String()+"0000"...)
	members := `"content":[{"type":"image","data":"` + base64.StdEncoding.EncodeToString(png) + `","mimeType":"image/png"}]`
	if _, err = w.answered(t, w.call(t, `{}`), result(members)); !fault.Is(err, fault.Unscannable) {
		t.Errorf("a bomb: got %v", err)
	}
	w = newWorld(t, privacy.Config{Profile: "gdpr-minimal", Shadow: true}, "token", "token")
	members = `"content":[{"type":"image","data":"` + dot("by ann@example.com") + `","mimeType":"image/jpeg"}]`
	x := w.call(t, `{}`)
	if got, err := w.answered(t, x, result(members)); err != nil || got != result(members) || counted(x, toClient, pii.Email, privacy.Token) != 1 {
		t.Errorf("shadow: %s %v %v", got, err, x.Privacy.Counts)
	}
}

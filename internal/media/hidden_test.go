package media_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"image"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/media"
)

// ape is a tag of APE with a head and a foot, and one entry.
func ape() string {
	entry := "\x19\x00\x00\x00\x00\x00\x00\x00Comment\x00" + note
	ends := "APETAGEX\xd0\x07\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(entry)+32))) + "\x01\x00\x00\x00"
	return ends + "\x00\x00\x00\xa0" + strings.Repeat("\x00", 8) + entry + ends + "\x00\x00\x00\x80" + strings.Repeat("\x00", 8)
}

// hidden are files that hold note where readers of metadata may not look.
func hidden(t testing.TB) map[string][]byte {
	frame := "TXXX" + synchsafe(len(note)+1) + "\x00\x00\x03" + note
	tag := func(body string) string { return "ID3\x04\x00\x00" + synchsafe(len(body)) + body }
	photoshop, sound := "Photoshop 3.0\x00", "\xff\xfb\x90\x00"
	xmp := func(at string, text string) string {
		return segment(0xe1, "http://ns.adobe.com/xmp/extension/\x00"+strings.Repeat("A", 32)+"\x00\x00\x00\x18\x00\x00\x00"+at+text)
	}
	raw := "\nexif\n 100\n" + hex.EncodeToString([]byte("Exif\x00\x00"+exif(binary.LittleEndian, note, false)))
	return map[string][]byte{
		"png packed, no key":       pngWith(t, chunk("zTXt", note)),
		"png packed, not":          pngWith(t, chunk("zTXt", "C\x00\x00"+note)),
		"png packed, behind":       pngWith(t, chunk("zTXt", "C\x00\x00"+deflated("abc")+note)),
		"png international, key":   pngWith(t, chunk("iTXt", note)),
		"png international, short": pngWith(t, chunk("iTXt", note+"\x00\x00")),
		"png language":             pngWith(t, chunk("iTXt", "C\x00\x00\x00"+note+"\x00\x00x")),
		"png international, flag":  pngWith(t, chunk("iTXt", "C\x00\x01\x00\x00\x00"+note)),
		"png gamma":                pngWith(t, chunk("gAMA", note)),
		"png time":                 pngWith(t, chunk("tIME", note)),
		"png palette's name":       pngWith(t, chunk("sPLT", note+"\x00\x08")),
		"png hexadecimal":          pngWith(t, chunk("tEXt", "Raw profile type exif\x00"+raw)),
		"png hexadecimal, packed":  pngWith(t, chunk("zTXt", "Raw profile type APP1\x00\x00"+deflated(raw))),
		"jpeg reserved":            jpegWith(t, segment(0x02, note)),
		"jpeg extension":           jpegWith(t, segment(0xf0, note)),
		"jpeg density":             jpegWith(t, segment(0xe0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"+note)),
		"jpeg behind padding":      append(append(jpegWith(t), make([]byte, 1000)...), note...),
		"jpeg xmp over segments":   jpegWith(t, xmp("\x00", note[:14]), xmp("\x0e", note[14:])),
		"jpeg xmp, last first":     jpegWith(t, xmp("\x0e", note[14:]), xmp("\x00", note[:14])),
		"jpeg iptc over segments":  jpegWith(t, segment(0xed, photoshop+note[:14]), segment(0xed, photoshop+note[14:])),
		"gif control":              gifWith(t, "!\xf9"+string(rune(len(note)))+note+"\x00"),
		"webp, of a wav":           riff("WEBP", riffChunk("VP8L", "\x2f\x00\x00\x00\x00"), riffChunk("fmt ", note)),
		"wav, of a webp":           riff("WAVE", riffChunk("fmt ", "\x01\x00\x01\x00"), riffChunk("VP8 ", note)),
		"webp in a frame":          riff("WEBP", riffChunk("ANMF", strings.Repeat("\x00", 16)+riffChunk("VP8L", "\x2f\x00\x00\x00\x00")+riffChunk("teXt", note))),
		"webp behind a frame":      riff("WEBP", riffChunk("ANMF", strings.Repeat("\x00", 16)+"VP8L\xff\xff\xff\xff"+note)),
		"id3, text":                []byte(tag("") + note),
		"id3, padding, text":       []byte(tag("") + strings.Repeat("\x00", 99) + note),
		"id3 twice":                []byte(tag("") + tag(frame) + sound),
		"id3, ape":                 []byte(tag("") + sound + ape()),
		"id3, ape and old":         []byte(tag("") + sound + ape() + "TAG" + strings.Repeat("\x00", 125)),
		"id3, png":                 append([]byte(tag("")), pngWith(t, chunk("tEXt", "C\x00"+note))...),
		"id3, jpeg":                append([]byte(tag("")), jpegWith(t, segment(0xfe, note))...),
	}
}

// TestC14TextWhereNoneBelongs: chunks, segments and fields that have no text by
// their format, texts that go on in a further segment, and files behind a tag are
// read, and can be taken out.
func TestC14TextWhereNoneBelongs(t *testing.T) {
	for name, b := range hidden(t) {
		parts, apart, err := media.Metadata(b)
		if err != nil || !apart || !strings.Contains(texts(parts), note) {
			t.Errorf("%s: found %q, %v", name, texts(parts), err)
			continue
		}
		for _, p := range parts {
			if has := strings.Contains(texts([]media.Part{p}), note); !has && len(parts) > 1 && strings.Contains(name, "over segments") {
				t.Errorf("%s: one half would stay", name)
			}
		}
		left := media.Without(b, parts, func(media.Part) bool { return true })
		if again, _, err := media.Metadata(left); err != nil || len(again) > 0 || bytes.Contains(left, []byte(note)) {
			t.Errorf("%s: something stays: %q, %v", name, texts(again), err)
		}
		if strings.HasPrefix(name, "png") || strings.HasPrefix(name, "jpeg") || strings.HasPrefix(name, "gif") {
			if p, _, err := image.Decode(bytes.NewReader(left)); err != nil || p.Bounds() != picture().Bounds() {
				t.Errorf("%s: no picture is left: %v", name, err)
			}
		}
	}
}

// directories is EXIF with some directories of some entries, each naming the next
// one, and the position in the last.
func directories(n, entries int, loop bool) string {
	o := binary.LittleEndian
	b := []byte("II*\x00\x08\x00\x00\x00")
	for i := range n {
		b = o.AppendUint16(b, uint16(entries+1))
		b = append(b, strings.Repeat("\x00\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00", entries)...)
		end := uint32(len(b) + 12 + 4)
		if i == n-1 && !loop {
			b = append(b, "\x25\x88\x04\x00\x01\x00\x00\x00"...) // where the position is
			b = o.AppendUint32(o.AppendUint32(b, end), 0)
			return string(b) + "\x01\x00\x02\x00\x05\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		}
		b = append(b, "\x69\x87\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00"...) // the first one again
		b = o.AppendUint32(b, end)
	}
	return string(b[:len(b)-4]) + "\x08\x00\x00\x00"
}

// TestC14PositionBehindManyDirectories: no number of directories or entries hides
// a position: it is found, or there is an error. Loops end.
func TestC14PositionBehindManyDirectories(t *testing.T) {
	for name, e := range map[string]string{"one": directories(1, 0, false), "many": directories(100, 1, false), "long": directories(2, 3000, false), "endless": directories(30, 1000, false)} {
		parts, _, err := media.Metadata(pngWith(t, chunk("eXIf", e)))
		if found := len(parts) == 1 && parts[0].GPS; found != (err == nil) || (name == "endless") != (err != nil) {
			t.Errorf("%s: found is %v, %v", name, found, err)
		}
	}
	if parts, _, err := media.Metadata(pngWith(t, chunk("eXIf", directories(500, 3, true)))); err != nil || len(parts) == 1 && parts[0].GPS {
		t.Errorf("a loop: %v", err)
	}
}

// TestC14HexadecimalPosition: what ImageMagick writes into a PNG is EXIF too.
func TestC14HexadecimalPosition(t *testing.T) {
	raw := "Raw profile type exif\x00\nexif\n 9\n" + hex.EncodeToString([]byte("Exif\x00\x00"+exif(binary.BigEndian, "", true)))
	if parts, _, err := media.Metadata(pngWith(t, chunk("tEXt", raw))); err != nil || len(parts) != 1 || !parts[0].GPS {
		t.Errorf("no position in %q: %v", texts(parts), err)
	}
}

// TestC14WhatStaysBehindTheEnd of a RIFF file does not become a part of it.
func TestC14WhatStaysBehindTheEnd(t *testing.T) {
	whole := riff("WAVE", riffChunk("fmt ", "\x01\x00\x01\x00"), riffChunk("LIST", "INFOICMT"+note), riffChunk("data", "abcdef"))
	b := append(whole, "something else behind"...)
	parts, _, err := media.Metadata(b)
	if err != nil || len(parts) != 2 {
		t.Fatalf("%q %v", texts(parts), err)
	}
	left := media.Without(b, parts, func(p media.Part) bool { return strings.Contains(texts([]media.Part{p}), note) })
	if n := int(binary.LittleEndian.Uint32(left[4:])) + 8; string(left[n:]) != "something else behind" {
		t.Errorf("the file ends before %q", left[min(n, len(left)):])
	}
}

package media_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/media"
)

const note = "write to ann@example.com"

func picture() image.Image {
	p := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.Black, color.White, color.RGBA{200, 10, 10, 255}})
	for i := range p.Pix {
		p.Pix[i] = uint8(i * 7 % 3)
	}
	return p
}

func chunk(kind, data string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

func pngWith(t testing.TB, chunks ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	head := 8 + 25 // signature and IHDR
	return []byte(s[:head] + strings.Join(chunks, "") + s[head:])
}

func jpegWith(t testing.TB, segments ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String()[:2] + strings.Join(segments, "") + b.String()[2:])
}

func segment(marker byte, data string) string {
	return string(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2))) + data
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func utf16(s string, big bool) string {
	var b []byte
	for _, r := range s {
		if big {
			b = append(b, byte(r>>8), byte(r))
		} else {
			b = append(b, byte(r), byte(r>>8))
		}
	}
	return string(b)
}

// exif is a block with an author, and with a place when gps is set.
func exif(order binary.ByteOrder, author string, gps bool) string {
	b := []byte("II*\x00")
	if order == binary.ByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	u16 := func(n int) { b = append(b, 0, 0); order.PutUint16(b[len(b)-2:], uint16(n)) }
	u32 := func(n int) { b = append(b, 0, 0, 0, 0); order.PutUint32(b[len(b)-4:], uint32(n)) }
	entry := func(tag, kind, count, value int) { u16(tag); u16(kind); u32(count); u32(value) }
	n := 1
	if gps {
		n = 2
	}
	u32(8)
	u16(n)
	end := 8 + 2 + 12*n + 4
	entry(0x013b, 2, len(author)+1, end)
	if gps {
		entry(0x8825, 4, 1, end+len(author)+1)
	}
	u32(0)
	b = append(append(b, author...), 0)
	if gps {
		u16(2)
		entry(0, 1, 4, 2)
		entry(2, 5, 3, 0)
		u32(0)
	}
	return string(b)
}

func riff(kind string, chunks ...string) []byte {
	body := kind + strings.Join(chunks, "")
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

func riffChunk(kind, data string) string {
	s := kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(data)))) + data
	if len(data)%2 == 1 {
		s += "\x00"
	}
	return s
}

func gifWith(t testing.TB, blocks string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	head := 13
	if f := s[10]; f&0x80 != 0 {
		head += 3 << (f&7 + 1)
	}
	return []byte(s[:head] + blocks + s[head:])
}

func synchsafe(n int) string {
	return string([]byte{byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)})
}

// files are files of every kind that hold note in some place.
func files(t testing.TB) map[string][]byte {
	frame := "TXXX" + synchsafe(len(note)+1) + "\x00\x00\x03" + note
	return map[string][]byte{
		"png text":                 pngWith(t, chunk("tEXt", "Comment\x00"+note)),
		"png compressed":           pngWith(t, chunk("zTXt", "Comment\x00\x00"+deflated(note))),
		"png international":        pngWith(t, chunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00<x>"+note+"</x>")),
		"png international packed": pngWith(t, chunk("iTXt", "Comment\x00\x01\x00en\x00\x00"+deflated(note))),
		"png exif":                 pngWith(t, chunk("eXIf", exif(binary.BigEndian, note, false))),
		"png unknown chunk":        pngWith(t, chunk("prVt", "\x01\x02"+note+"\x00")),
		"png after the end":        append(pngWith(t), note...),
		"png cut off":              append(pngWith(t)[:60], "\x00\x00\xff\xfftEXtC\x00"+note...),
		"jpeg comment":             jpegWith(t, segment(0xfe, note)),
		"jpeg exif":                jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, note, false))),
		"jpeg xmp":                 jpegWith(t, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x>"+note+"</x>")),
		"jpeg iptc":                jpegWith(t, segment(0xed, "Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x40\x1c\x02\x78\x00\x18"+note)),
		"jpeg utf-16":              jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, "x", false)+utf16(note, false))),
		"jpeg utf-16 big":          jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.BigEndian, "x", false)+utf16(note, true))),
		"jpeg after the end":       append(jpegWith(t), note...),
		"jpeg in a second picture": append(jpegWith(t), jpegWith(t, segment(0xfe, note))...),
		"gif comment":              gifWith(t, "!\xfe"+string(rune(len(note)))+note+"\x00"),
		"gif comment in blocks":    gifWith(t, "!\xfe\x0a"+note[:10]+string(rune(len(note)-10))+note[10:]+"\x00"),
		"gif after the end":        append(gifWith(t, ""), note...),
		"webp exif":                riff("WEBP", riffChunk("VP8X", "\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00"), riffChunk("VP8L", "\x2f\x00\x00\x00\x00"), riffChunk("EXIF", exif(binary.LittleEndian, note, false))),
		"webp xmp":                 riff("WEBP", riffChunk("VP8X", "\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00"), riffChunk("VP8L", "\x2f\x00\x00\x00\x00"), riffChunk("XMP ", "<x>"+note+"</x>")),
		"wav info":                 riff("WAVE", riffChunk("fmt ", "\x01\x00\x01\x00"), riffChunk("LIST", "INFOICMT"+note), riffChunk("data", "abcdef")),
		"id3":                      []byte("ID3\x04\x00\x00" + synchsafe(len(frame)) + frame + "\xff\xfb\x90\x00"),
		"id3 behind":               []byte("ID3\x04\x00\x00" + synchsafe(0) + "\xff\xfb\x90\x00" + "TAG" + note + strings.Repeat("\x00", 125-len(note))),
		"tiff":                     []byte(exif(binary.LittleEndian, note, false)),
	}
}

func texts(parts []media.Part) string {
	var b strings.Builder
	for _, p := range parts {
		for _, it := range p.Items {
			b.WriteString(it.Key + "=" + it.Text + "\n")
		}
	}
	return b.String()
}

// TestC14MetadataIsFound: every place where a format keeps texts is read, and can
// be taken out so that nothing of it stays and the picture is still one.
func TestC14MetadataIsFound(t *testing.T) {
	for name, b := range files(t) {
		parts, apart, err := media.Metadata(b)
		if err != nil || !strings.Contains(texts(parts), note) {
			t.Errorf("%s: found %q, %v", name, texts(parts), err)
			continue
		}
		if !apart {
			if name != "tiff" {
				t.Errorf("%s cannot be taken apart", name)
			}
			continue
		}
		left := media.Without(b, parts, func(media.Part) bool { return true })
		if again, _, err := media.Metadata(left); err != nil || len(again) > 0 || bytes.Contains(left, []byte(note)) {
			t.Errorf("%s: something stays: %q, %v", name, texts(again), err)
		}
		if name == "png cut off" {
			continue
		}
		switch {
		case bytes.HasPrefix(left, []byte("\x89PNG")), bytes.HasPrefix(left, []byte("\xff\xd8")), bytes.HasPrefix(left, []byte("GIF")):
			p, _, err := image.Decode(bytes.NewReader(left))
			if err != nil || p.Bounds() != picture().Bounds() {
				t.Errorf("%s: no picture is left: %v", name, err)
			}
		case bytes.HasPrefix(left, []byte("RIFF")):
			if n := binary.LittleEndian.Uint32(left[4:]); int(n) != len(left)-8 {
				t.Errorf("%s: the length says %d of %d", name, n, len(left)-8)
			}
			if string(left[8:16]) == "WEBPVP8X" && left[20] != 0 {
				t.Errorf("%s: the header says that there is metadata", name)
			}
		}
	}
}

// TestC14PlacesOfPictures: that a picture says where it was taken is told, also
// without any text, and pictures without metadata have no parts.
func TestC14PlacesOfPictures(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"jpeg":          {jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, "", true))), true},
		"jpeg, big":     {jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.BigEndian, "", true))), true},
		"png":           {pngWith(t, chunk("eXIf", exif(binary.BigEndian, "Ann", true))), true},
		"xmp":           {pngWith(t, chunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00exif:GPSLatitude=\"59,55N\"")), true},
		"exif without":  {jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, "Ann", false))), false},
		"a plain text":  {pngWith(t, chunk("tEXt", "Title\x00a fine day")), false},
		"nothing":       {pngWith(t), false},
		"nothing, jpeg": {jpegWith(t), false},
		"nothing, gif":  {gifWith(t, ""), false},
	} {
		parts, _, err := media.Metadata(c.b)
		gps := false
		for _, p := range parts {
			gps = gps || p.GPS
		}
		if err != nil || gps != c.want || strings.HasPrefix(name, "nothing") && len(parts) > 0 {
			t.Errorf("%s: %v %q %v", name, gps, texts(parts), err)
		}
	}
}

// TestC14KeysOfMetadata: what a field is called goes with its text.
func TestC14KeysOfMetadata(t *testing.T) {
	parts, _, err := media.Metadata(jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, "Ann Miller", false))))
	if err != nil || !strings.Contains(texts(parts), "author=Ann Miller\n") {
		t.Errorf("%q %v", texts(parts), err)
	}
	parts, _, err = media.Metadata(pngWith(t, chunk("tEXt", "Author\x00J\xfcrgen")))
	if err != nil || texts(parts) != "Author=Jürgen\n" {
		t.Errorf("%q %v", texts(parts), err)
	}
}

// TestC14BombsAreErrors: metadata that grows is not examined in part.
func TestC14BombsAreErrors(t *testing.T) {
	bomb := deflated(strings.Repeat("a", 64<<20))
	for name, b := range map[string][]byte{
		"zTXt": pngWith(t, chunk("zTXt", "Comment\x00\x00"+bomb)),
		"iTXt": pngWith(t, chunk("iTXt", "Comment\x00\x01\x00\x00\x00"+bomb)),
		"many": pngWith(t, strings.Repeat(chunk("zTXt", "C\x00\x00"+deflated(strings.Repeat("a", 900_000))), 20)),
		"names of one text": jpegWith(t, segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00\xe8\x03"+
			strings.Repeat("\x3b\x01\x02\x00\x00\xf0\x00\x00\x00\x00\x00\x00", 1000)+strings.Repeat("a", 50_000))),
		"parts": pngWith(t, strings.Repeat(chunk("tEXt", "C\x00text"), 20_000)),
	} {
		if _, _, err := media.Metadata(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	for _, b := range files(f) {
		f.Add(b)
	}
	for _, b := range hidden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, apart, err := media.Metadata(b)
		if err != nil {
			return
		}
		last := 0
		for _, p := range parts {
			if p.Start < last || p.End <= p.Start || p.End > len(b) {
				t.Fatalf("a part at %d to %d after %d, of %d", p.Start, p.End, last, len(b))
			}
			last = p.End
		}
		if apart {
			left := media.Without(b, parts, func(media.Part) bool { return true })
			size := 0
			for _, p := range parts {
				size += p.End - p.Start
			}
			if len(left) != len(b)-size {
				t.Fatal("another length")
			}
		}
	})
}

package protect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/media"
	"ostiary.dev/ostiary/internal/wire"
)

// leastPicture is the length of base64 under which there is no file with metadata.
const leastPicture = 24

// file returns the file that a client may see in a value, if it is one that is
// examined. Clients decode base64 in either alphabet, padded or not, with blanks in
// it, and some pass over whatever else stands there. Where they could differ, odd
// is set: what they get is what was read here, and nothing else
// (TestC14OneReadingOfBase64).
func file(v wire.Value) (b []byte, odd, ok bool) {
	if len(v.Raw()) < leastPicture {
		return nil, false, false
	}
	text, _ := v.Text()
	if b, odd = lenient(text, true); examined(b) {
		return b, odd, true
	}
	if strings.ContainsAny(text, "-_") { // who knows one alphabet passes over the other's
		if b, _ = lenient(text, false); examined(b) {
			return b, true, true
		}
	}
	return nil, false, false
}

// lenient decodes base64, and reports whether anything but blanks was passed over,
// or stands behind the padding.
func lenient(text string, both bool) (b []byte, odd bool) {
	clean := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		case both && c == '-':
			clean, odd = append(clean, '+'), true
		case both && c == '_':
			clean, odd = append(clean, '/'), true
		case c == ' ', c == '\n', c == '\r', c == '\t':
		case c == '=' && len(clean) > 0:
			odd = odd || strings.Trim(text[i:], "= \n\r\t") != ""
			return unpacked(clean, odd)
		default:
			odd = true
		}
	}
	return unpacked(clean, odd)
}

// unpacked leaves out a last character that is too few for a byte.
func unpacked(clean []byte, odd bool) ([]byte, bool) {
	if len(clean)%4 == 1 {
		clean, odd = clean[:len(clean)-1], true
	}
	b, err := base64.RawStdEncoding.DecodeString(string(clean))
	return b, odd || err != nil
}

// examined reports whether a file is of a kind that is looked into.
func examined(b []byte) bool { return media.Known(b) || isText(b) }

// sure reports whether hardly anything but base64 decodes to this: of a key of
// twenty letters any other text may come out.
func sure(b []byte) bool {
	_, order := wideText(b)
	return media.Known(b) || order != nil || utf8.Valid(b)
}

// onlyBase64 reports whether a value that is odd is a file all the same, such as
// two in a row, and no text that begins like one.
func onlyBase64(v wire.Value, b []byte) bool {
	text, _ := v.Text()
	return media.Known(b) || sure(b) && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \n\r\t") == ""
}

// isText reports whether a file is text: UTF-8, UTF-16 with its mark, or one of the
// alphabets of 256 letters, in which there are no control characters either. Zeros
// at the end make no text a picture.
func isText(b []byte) bool {
	if text, order := wideText(b); order != nil {
		return !slices.ContainsFunc(text, control)
	}
	b = bytes.TrimRight(b, "\x00")
	return len(b) > 0 && !slices.Contains(b, 0) && (utf8.Valid(b) || !slices.ContainsFunc(b, control))
}

func control(c byte) bool { return c < ' ' && (c < '\t' || c > '\r') || c == 0x7f }

// wideText returns the text of a file that begins with UTF-16's mark, and its
// order; nil of other files.
func wideText(b []byte) (text []byte, order binary.ByteOrder) {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return nil, nil
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 2; i+1 < len(b); i += 2 {
		units = append(units, order.Uint16(b[i:]))
	}
	return []byte(string(utf16.Decode(units))), order
}

// widened is the way back.
func widened(text []byte, order binary.ByteOrder) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + string(text))) {
		out = append(out, 0, 0)
		order.PutUint16(out[len(out)-2:], u)
	}
	return out
}

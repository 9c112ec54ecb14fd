package media

import (
	"bytes"
	"compress/zlib"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// leastRun is the length, in characters, from which bytes among others count as
// text; leastRest, where they may be anything, such as a second picture's.
const (
	leastRun  = 4
	leastRest = 8
)

// runs returns the texts that bytes hold as UTF-8, Latin-1 letters aside, and as
// UTF-16 of either order.
func runs(key string, b []byte) []Item { return runsOf(key, b, leastRun) }

func runsOf(key string, b []byte, least int) []Item {
	var out []Item
	if t := narrow(b, least); t != "" {
		out = append(out, Item{key, t})
	}
	if bytes.IndexByte(b, 0) < 0 {
		return out
	}
	for _, first := range []int{0, 1} {
		for _, big := range []bool{false, true} {
			if t := wide(b[min(first, len(b)):], big, least); t != "" {
				out = append(out, Item{key, t})
			}
		}
	}
	return out
}

// narrow joins the runs of printable UTF-8 by newlines.
func narrow(b []byte, least int) string {
	var out []byte
	for i := 0; i < len(b); {
		j, n := i, 0
		for j < len(b) {
			r, size := utf8.DecodeRune(b[j:])
			if !printable(r) || r == utf8.RuneError && size == 1 {
				break
			}
			j, n = j+size, n+1
		}
		if n >= least {
			out = append(append(out, b[i:j]...), '\n')
		}
		i = max(j, i+1)
	}
	return string(out)
}

// wide joins the runs of printable UTF-16 below U+2000 that begin at an even
// place. What is of one order looks like the other one byte on, but for an end:
// all four are read.
func wide(b []byte, big bool, least int) string {
	var out []byte
	var run []uint16
	end := func() {
		if len(run) >= least {
			out = append(append(out, string(utf16.Decode(run))...), '\n')
		}
		run = run[:0]
	}
	for i := 0; i+1 < len(b); i += 2 {
		u := uint16(b[i]) | uint16(b[i+1])<<8
		if big {
			u = u>>8 | u<<8
		}
		if u < ' ' && u != '\n' && u != '\t' && u != '\r' || u >= 0x2000 || u >= 0x7f && u < 0xa0 {
			end()
			continue
		}
		run = append(run, u)
	}
	end()
	return string(out)
}

func printable(r rune) bool {
	return r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0) || r == '\n' || r == '\t' || r == '\r'
}

// latin turns Latin-1, in which PNG's tEXt is written, into UTF-8.
func latin(b []byte) string {
	if utf8.Valid(b) {
		return string(b) // many write UTF-8 there
	}
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// inflated reads a zlib stream. One that is broken gives what it gave.
func inflated(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil
	}
	defer z.Close()
	limit := min(maxInflate, 100*len(b)+1<<10)
	out, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if len(out) > limit {
		return nil, errInflate
	}
	if err != nil {
		return out, nil // what a lenient viewer shows too
	}
	return out, nil
}

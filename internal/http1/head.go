package http1

import (
	"bytes"
	"io"
	"strings"
)

// malformed is what a peer did wrong, with the status that a server answers.
// The reasons are constants: no byte of the peer is in them.
type malformed struct {
	status int
	reason string
}

// Error returns the reason.
func (m *malformed) Error() string { return m.reason }

var (
	errBareLF      = &malformed{400, "line that does not end in CRLF"}
	errFold        = &malformed{400, "folded header line"}
	errName        = &malformed{400, "malformed header name"}
	errValue       = &malformed{400, "forbidden byte in a header value"}
	errLongTarget  = &malformed{414, "request target too long"}
	errLongLine    = &malformed{431, "header line too long"}
	errManyBytes   = &malformed{431, "header too long"}
	errManyFields  = &malformed{431, "too many header lines"}
	errStartLine   = &malformed{400, "malformed start line"}
	errLongStart   = &malformed{400, "start line too long"}
	errVersion     = &malformed{505, "HTTP version not supported"}
	errMethod      = &malformed{400, "malformed method"}
	errForbidden   = &malformed{405, "method not allowed"}
	errTarget      = &malformed{400, "request target not in origin-form"}
	errHost        = &malformed{400, "missing, repeated or malformed Host"}
	errLength      = &malformed{400, "malformed or repeated Content-Length"}
	errCoding      = &malformed{400, "unsupported Transfer-Encoding"}
	errBoth        = &malformed{400, "Content-Length beside Transfer-Encoding"}
	errUpgrade     = &malformed{400, "upgrade not supported"}
	errExpect      = &malformed{417, "unsupported Expect"}
	errTrailerName = &malformed{400, "forbidden trailer name"}
	errChunk       = &malformed{400, "malformed chunk"}
	errChunkLine   = &malformed{400, "chunk-size line too long"}
	errTrailers    = &malformed{400, "trailers too long"}
)

// startSlack is what a start line holds besides the target, at most: method
// or reason, spaces, version, CRLF; bytes.
const startSlack = 64

// readHead reads up to the empty line that ends a head and returns all of it,
// start line first, every line with its CRLF. io.EOF means that the peer ended
// between two messages. long is the error for a start line beyond max.URL;
// begins is what a start line must begin with, so that a peer of another
// protocol is found out at once.
func (b *reader) readHead(max *Limits, long error, begins string) (string, error) {
	start, seen, fields, first := 0, 0, 0, 0 // offsets from b.r
	for {
		i := bytes.IndexByte(b.buf[b.r+seen:b.w], '\n')
		if i < 0 {
			seen = b.buffered()
			if n := min(seen, len(begins)); string(b.buf[b.r:b.r+n]) != begins[:n] {
				return "", errStartLine
			}
			if err := tooLong(max, first, fields, seen, start, long); err != nil {
				return "", err
			}
			if err := b.fill(); err != nil {
				if err == io.EOF && b.buffered() > 0 {
					err = io.ErrUnexpectedEOF
				}
				return "", err
			}
			continue
		}
		end := seen + i + 1
		if end-start < 2 || b.buf[b.r+end-2] != '\r' {
			return "", errBareLF
		}
		if end-start == 2 && first > 0 {
			head := string(b.buf[b.r : b.r+end])
			b.r += end
			return head, nil
		}
		if err := tooLong(max, first, fields, end, start, long); err != nil {
			return "", err
		}
		if first == 0 {
			first = end
		} else {
			fields++
		}
		start, seen = end, end
	}
}

// tooLong checks the line that lies at [start, end) of a head, whole or so
// far, when the start line took the first bytes and fields lines followed it.
func tooLong(max *Limits, first, fields, end, start int, long error) error {
	switch {
	case first == 0:
		if end > max.URL+startSlack {
			return long
		}
	case end-start > max.Line+2:
		return errLongLine
	case end-first > max.HeaderBytes:
		return errManyBytes
	case fields >= max.Fields && end > start+1:
		return errManyFields
	}
	return nil
}

// cutLine splits the first line, without CRLF, from lines.
func cutLine(lines string) (line, rest string, err error) {
	i := strings.IndexByte(lines, '\n')
	if i < 1 || lines[i-1] != '\r' {
		return "", "", errBareLF
	}
	return lines[:i-1], lines[i+1:], nil
}

// parseFields appends the fields in lines, each ended by CRLF, up to the empty
// line or the end of lines.
func parseFields(dst Header, lines string) (Header, error) {
	for lines != "" {
		line, rest, err := cutLine(lines)
		if err != nil {
			return dst, err
		}
		if line == "" {
			break
		}
		f, err := parseField(line)
		if err != nil {
			return dst, err
		}
		dst = append(dst, f)
		lines = rest
	}
	return dst, nil
}

// parseField parses one header line without its CRLF (RFC 9112 section 5).
func parseField(line string) (Field, error) {
	if line[0] == ' ' || line[0] == '\t' {
		return Field{}, errFold
	}
	i := 0
	for i < len(line) && classes[line[i]]&tokenByte != 0 {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return Field{}, errName
	}
	value := trim(line[i+1:])
	if !only(value, valueByte) {
		return Field{}, errValue
	}
	return Field{line[:i], value}, nil
}

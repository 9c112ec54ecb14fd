package http1

import "io"

// mode is how the end of a body is found.
type mode uint8

const (
	noBody mode = iota
	byLength
	byChunks
	byClose // to the end of the connection; responses only
)

// maxExtensions bounds the bytes of all chunk extensions of one body.
const maxExtensions = 8 << 10

// body reads one message body from src and not a byte beyond it. Its errors
// are io.EOF at the proper end, io.ErrUnexpectedEOF, *malformed, or the
// connection's; they repeat. Not safe for concurrent use.
type body struct {
	src        *reader
	max        *Limits
	mode       mode
	left       int64 // bytes left of the length or of this chunk
	inside     bool  // between the first and the last chunk
	extensions int
	err        error
}

// set prepares b for a message with the given framing.
func (b *body) set(src *reader, max *Limits, m mode, length int64) {
	*b = body{src: src, max: max, mode: m, left: length}
	if m == noBody || m == byLength && length == 0 {
		b.err = io.EOF
	}
}

// Read reads body bytes.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.mode == byChunks && b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return 0, b.fail(err)
		}
	}
	if b.mode != byClose && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.src.read(p)
	if err != nil {
		if b.mode == byClose && err == io.EOF {
			b.err = err
			return 0, err
		}
		return 0, b.fail(err)
	}
	if b.mode != byClose {
		b.left -= int64(n)
	}
	if b.left == 0 {
		switch b.mode {
		case byLength:
			b.err = io.EOF
		case byChunks:
			// The end of the body is taken with its last bytes when it is
			// here already, so that the reader of exactly n bytes sees it.
			if err := b.tail(); err != nil {
				b.fail(err)
			}
		}
	}
	return n, nil
}

// tail consumes what follows a chunk as far as it was already received.
func (b *body) tail() error {
	rest := b.src.buf[b.src.r:b.src.w]
	if len(rest) < 7 || string(rest[:7]) != "\r\n0\r\n\r\n" {
		return nil
	}
	b.src.r += 7
	b.inside = false
	return io.EOF
}

func (b *body) fail(err error) error {
	if err == io.EOF && (b.mode != byChunks || b.inside || b.left > 0) {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return err
}

// nextChunk reads the chunk-size line of RFC 9112 section 7.1, after the CRLF
// that ends the chunk before. At the last chunk it reads the trailers, drops
// them and returns io.EOF.
func (b *body) nextChunk() error {
	if b.inside {
		line, err := b.src.line(2, errChunk)
		if err != nil {
			return unexpected(err)
		}
		if len(line) != 0 {
			return errChunk
		}
	}
	b.inside = true
	line, err := b.src.line(b.max.ChunkLine, errChunkLine)
	if err != nil {
		return unexpected(err)
	}
	size, extension, err := chunkSize(line)
	if err != nil {
		return err
	}
	if b.extensions += extension; b.extensions > maxExtensions {
		return errChunkLine
	}
	if size > 0 {
		b.left = size
		return nil
	}
	if err := b.trailers(); err != nil {
		return unexpected(err)
	}
	b.inside = false
	return io.EOF
}

// chunkSize parses 1*HEXDIG and an optional extension, which is only checked
// for forbidden bytes.
func chunkSize(line []byte) (size int64, extension int, err error) {
	i := 0
	for ; i < len(line) && classes[line[i]]&hexByte != 0; i++ {
		if i == 15 {
			return 0, 0, errChunk
		}
		digit := lower[line[i]]
		if digit >= 'a' {
			digit -= 'a' - 10 - '0'
		}
		size = size<<4 | int64(digit-'0')
	}
	if i == 0 || i < len(line) && line[i] != ';' {
		return 0, 0, errChunk
	}
	for _, c := range line[i:] {
		if classes[c]&valueByte == 0 {
			return 0, 0, errChunk
		}
	}
	return size, len(line) - i, nil
}

// trailers reads the trailer section and drops it.
func (b *body) trailers() error {
	for left, n := b.max.Trailers, 0; ; n++ {
		line, err := b.src.line(left, errTrailers)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		if n >= b.max.Fields {
			return errTrailers
		}
		f, err := parseField(string(line))
		if err != nil {
			return err
		}
		if err := checkTrailer(f.Name); err != nil {
			return err
		}
		if left -= len(line) + 2; left < 2 {
			return errTrailers
		}
	}
}

// unexpected turns an end of the connection inside a body into an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

package pii

import "ostiary.dev/ostiary/internal/fault"

// Limits of a Stream.
const (
	carry     = 256     // bytes held back: a value split over chunks completes in here
	maxWindow = 1 << 20 // bytes held while a private key or a token stays open
)

// Stream scans text that comes in pieces: the data of one channel, such as the
// text blocks of a result or the messages of one event stream. It holds back the
// last bytes so that a value that is split over pieces is found before its last
// byte is let go, and remembers the last bytes that it let go as context. A
// Stream is used by one goroutine.
type Stream struct {
	s    *Scanner
	held []byte
	gone int // bytes at the front of held that have been let go
	base int // offset of held[0] in the whole stream
}

// NewStream begins a stream at offset 0.
func (s *Scanner) NewStream() *Stream { return &Stream{s: s} }

// Write takes the next piece. It returns the bytes that may go on and the spans
// in them; spans count bytes from the start of the stream. The returned slice is
// the caller's. A window over 1 MiB is a fault.TooLarge error: after it the
// stream must be refused, for what it holds has not been judged.
func (t *Stream) Write(piece []byte) (out []byte, spans []Span, err error) {
	t.held = append(t.held, piece...)
	if len(t.held)-t.gone < 2*carry {
		return nil, nil, nil
	}
	found := t.s.Scan(t.held)
	keep := t.cut(found, len(t.held)-carry)
	if len(t.held)-keep > maxWindow {
		return nil, nil, fault.Newf(fault.TooLarge, "a token in the stream is longer than %d bytes", maxWindow)
	}
	out, spans = t.release(found, keep)
	return out, spans, nil
}

// Close returns what is still held, with its spans.
func (t *Stream) Close() (out []byte, spans []Span) {
	return t.release(t.s.Scan(t.held), len(t.held))
}

// cut moves the place to part the text before any span or token that it would
// part, but not before what is gone.
func (t *Stream) cut(found []Span, keep int) int {
	for moved := true; moved; {
		moved = false
		for keep > t.gone && keep < len(t.held) && t.held[keep-1] > ' ' {
			keep--
		}
		for i := len(found) - 1; i >= 0; i-- {
			if found[i].Start < keep && found[i].End > keep {
				keep, moved = found[i].Start, true
			}
		}
	}
	return max(keep, t.gone)
}

// release lets go everything before keep, and forgets all but the context.
func (t *Stream) release(found []Span, keep int) (out []byte, spans []Span) {
	for _, s := range found {
		if s.End > t.gone && s.End <= keep {
			s.Start, s.End = max(s.Start, t.gone)+t.base, s.End+t.base
			spans = append(spans, s)
		}
	}
	out = append(out, t.held[t.gone:keep]...)
	drop := max(0, keep-ctxBefore-carry/2)
	t.held = append(t.held[:0], t.held[drop:]...)
	t.base, t.gone = t.base+drop, keep-drop
	return out, spans
}

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
// byte is let go. A Stream is used by one goroutine.
type Stream struct {
	s    *Scanner
	held []byte
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
	keep := len(t.held) - carry
	if keep <= 0 {
		return nil, nil, nil
	}
	return t.release(keep)
}

// Close returns what is still held, with its spans.
func (t *Stream) Close() (out []byte, spans []Span) {
	spans = t.shift(t.s.Scan(t.held), len(t.held))
	out = t.held
	t.base += len(out)
	t.held = nil
	return out, spans
}

// release scans all that is held and lets go the first keep bytes, fewer if a
// span or an open token crosses the cut.
func (t *Stream) release(keep int) (out []byte, spans []Span, err error) {
	found := t.s.Scan(t.held)
	for i := len(found) - 1; i >= 0; i-- {
		if found[i].Start < keep && found[i].End > keep {
			keep = found[i].Start
		}
	}
	keep = openStart(t.held, keep)
	if len(t.held)-keep > maxWindow {
		return nil, nil, fault.Newf(fault.TooLarge, "a token in the stream is longer than %d bytes", maxWindow)
	}
	if keep == 0 {
		return nil, nil, nil
	}
	spans = t.shift(found, keep)
	out = append([]byte(nil), t.held[:keep]...)
	t.held = append(t.held[:0], t.held[keep:]...)
	t.base += keep
	return out, spans, nil
}

// openStart moves the cut to the start of the token that it would part.
func openStart(b []byte, cut int) int {
	for cut > 0 && cut < len(b) && b[cut-1] > ' ' {
		cut--
	}
	return cut
}

// shift keeps the spans that end by limit, counted from the stream's start.
func (t *Stream) shift(found []Span, limit int) (out []Span) {
	for _, s := range found {
		if s.End <= limit {
			s.Start, s.End = s.Start+t.base, s.End+t.base
			out = append(out, s)
		}
	}
	return out
}

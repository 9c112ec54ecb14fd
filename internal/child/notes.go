package child

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/clock"
)

const (
	tailBytes    = 64 << 10 // of stderr that is kept
	noteBytes    = 1 << 10  // of one line that is passed on
	notesPerTurn = 50       // lines a second that are passed on
)

// notes reads stderr without end, so that a child never blocks on it, keeps
// its tail and passes a bounded number of printable lines on.
type notes struct {
	from  *os.File
	call  func(string)
	clock clock.Clock
	done  chan struct{} // closed when read has returned

	line    []byte // of the current line, at most noteBytes
	cut     bool   // the current line is longer
	second  time.Time
	passed  int // lines of this second
	dropped int // lines not passed on since the last that was

	mu   sync.Mutex // guards ring
	ring []byte     // at most 2*tailBytes
}

func newNotes(from *os.File, call func(string), c clock.Clock) *notes {
	return &notes{from: from, call: call, clock: c, done: make(chan struct{})}
}

// close makes read return.
func (n *notes) close() {
	_ = n.from.Close() // a second close is harmless
}

func (n *notes) read() {
	defer close(n.done)
	buf := make([]byte, 4<<10)
	for {
		k, err := n.from.Read(buf)
		n.keep(buf[:k])
		n.split(buf[:k])
		if err != nil {
			break
		}
	}
	if len(n.line) > 0 {
		n.pass()
	}
	n.close()
}

func (n *notes) keep(b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ring = append(n.ring, b...)
	if len(n.ring) > 2*tailBytes-4<<10 {
		n.ring = append(n.ring[:0], n.ring[len(n.ring)-tailBytes:]...)
	}
}

// tail returns the last lines, printable, at most tailBytes of what came.
func (n *notes) tail() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.ring[max(0, len(n.ring)-tailBytes):]
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		text, ended := strings.CutSuffix(line, "\n")
		out.WriteString(printable(strings.TrimSuffix(text, "\r")))
		if ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

func (n *notes) split(b []byte) {
	for _, c := range b {
		switch {
		case c == '\n':
			n.pass()
		case len(n.line) < noteBytes:
			n.line = append(n.line, c)
		default:
			n.cut = true
		}
	}
}

// pass hands the current line on, unless too many went before it.
func (n *notes) pass() {
	text := strings.TrimSuffix(string(n.line), "\r")
	if n.cut {
		text += "..."
	}
	n.line, n.cut = n.line[:0], false
	if n.call == nil {
		return
	}
	now := n.clock.Now()
	if d := now.Sub(n.second); d < 0 || d >= time.Second {
		n.second, n.passed = now, 0
	}
	if n.passed >= notesPerTurn {
		n.dropped++
		return
	}
	n.passed++
	if n.dropped > 0 {
		n.call(fmt.Sprintf("(%d lines dropped)", n.dropped))
		n.dropped = 0
	}
	n.call(printable(text))
}

// printable shows what could steer a terminal or forge a log line as an
// escape: controls, format characters (bidirectional overrides among them),
// line separators and bytes that are not UTF-8.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if !shown(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out.WriteString(escape('x', 2, rune(s[i])))
		case shown(r):
			out.WriteRune(r)
		case r < 0x80:
			out.WriteString(escape('x', 2, r))
		case r < 0x10000:
			out.WriteString(escape('u', 4, r))
		default:
			out.WriteString(escape('U', 8, r))
		}
		i += size
	}
	return out.String()
}

func shown(r rune) bool {
	return r != utf8.RuneError && (r == '\t' || unicode.IsPrint(r))
}

// escape writes r as Go does in a quoted string: \x1b, \u202e, \U000e0001.
func escape(kind byte, digits int, r rune) string {
	return fmt.Sprintf(`\%c%0*x`, kind, digits, r)
}

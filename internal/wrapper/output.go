package wrapper

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// output writes whole lines to the app and sentences to the log.
type output struct {
	broken context.CancelCauseFunc // told when the app cannot be written to

	mu  sync.Mutex // held during one write to either
	out io.Writer
	log io.Writer
}

// message writes m as one line; line breaks between its tokens become spaces.
func (o *output) message(m *wire.Message) { o.line(m.OneLine().Raw()) }

func (o *output) line(text []byte) {
	framed := append(append(make([]byte, 0, len(text)+1), text...), '\n')
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.out.Write(framed); err != nil {
		o.broken(fmt.Errorf("write to the app: %w", err))
	}
}

// failure answers the request id with f.
func (o *output) failure(id wire.ID, v wire.Version, f *fault.Error) {
	o.message(wire.NewError(id, v, f, ""))
}

// say writes one sentence and its cause to the log, whose own failure cannot
// be told to anybody.
func (o *output) say(sentence string, cause error) {
	text := "ostiary wrap: " + sentence
	if cause != nil {
		text += " (" + cause.Error() + ")"
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?' // the far end's words must not steer a terminal
		}
		return r
	}, text)
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = io.WriteString(o.log, text+"\n")
}

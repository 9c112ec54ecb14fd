package wrapper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// line is one line of the app, without its line break.
type line struct {
	text  []byte
	large bool // longer than the limit; text is nil
}

// readLines reads lines of at most limit bytes in a goroutine, which ends with
// in or, between two reads, with ctx. It skips empty lines and the rest of
// large ones. A last line without a line feed counts: the app may have ended
// its output with the end of its input.
func readLines(ctx context.Context, in io.Reader, limit int) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, 32<<10)
		for {
			l, err := readLine(r, limit)
			if l.large || len(l.text) > 0 {
				select {
				case lines <- l:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// readLine reads one line. A large line is read to its end, but not kept.
func readLine(r *bufio.Reader, limit int) (line, error) {
	var l line
	for {
		part, err := r.ReadSlice('\n')
		if !l.large {
			l.text = append(l.text, part...)
		}
		if len(l.text) > limit+len("\r\n") {
			l = line{large: true}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.text = bytes.TrimRight(l.text, "\r\n")
		if len(l.text) > limit {
			l = line{large: true}
		}
		return l, err
	}
}

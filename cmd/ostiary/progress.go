package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"ostiary.dev/ostiary/internal/clock"
)

// drawEvery is the least time between two pictures of a bar.
const drawEvery = 100 * time.Millisecond

// bar shows how far long work has come, on one line of a terminal: percent,
// amount and rate. A nil bar draws nothing, so commands never ask.
type bar struct {
	out    io.Writer
	clock  clock.Clock
	what   string             // such as "backup"
	amount func(int64) string // bytes or entries as text
	start  time.Time
	drawn  time.Time
	width  int // of the last picture
}

// newBar returns a bar for people, nil when stderr is no terminal or the
// command's output is made for programs.
func (c *cli) newBar(what string, amount func(int64) string) *bar {
	f, ok := c.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || c.output == "json" || c.output == "jsonl" {
		return nil
	}
	return &bar{out: f, what: what, amount: amount}
}

// update shows that done of total is finished; a total of 0 is unknown.
func (b *bar) update(done, total int64) {
	if b == nil {
		return
	}
	now := b.clock.Now()
	if b.start.IsZero() {
		b.start = now
	}
	if now.Sub(b.drawn) < drawEvery && done != total {
		return
	}
	b.drawn = now
	text := b.what + " " + b.amount(done)
	if total > 0 {
		text = fmt.Sprintf("%s %3d %%  %s of %s", b.what, min(100, percent(done, total)), b.amount(done), b.amount(total))
	}
	if spent := now.Sub(b.start).Seconds(); spent > 0 {
		text += fmt.Sprintf("  %s/s", b.amount(int64(float64(done)/spent)))
	}
	// What is drawn is cosmetic: a terminal that is gone stops nothing.
	fmt.Fprintf(b.out, "\r%-*s", b.width, text)
	b.width = max(b.width, len(text))
}

// done clears the line.
func (b *bar) done() {
	if b != nil && b.width > 0 {
		fmt.Fprintf(b.out, "\r%*s\r", b.width, "")
		b.width = 0
	}
}

// percent is done of total without overflow.
func percent(done, total int64) int64 {
	if total > 1<<50 {
		return done / (total / 100)
	}
	return done * 100 / total
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d %s", n, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// entriesText is a number of entries of the log for people.
func entriesText(n int64) string { return fmt.Sprintf("%d entries", n) }

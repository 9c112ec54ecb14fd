//go:build unix

package child

import (
	"os"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// feed passes text through notes and returns what the callback saw.
func feed(t *testing.T, c clock.Clock, text string) (*notes, []string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	n := newNotes(r, func(line string) { got = append(got, line) }, c)
	go func() {
		defer w.Close()
		_, _ = w.WriteString(text) // fails only if the reader stopped early
	}()
	n.read()
	return n, got
}

func TestStderrIsPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":            "plain\ttext",
		"\x1b[2Jgone":            `\x1b[2Jgone`,
		"crlf\r\n":               "crlf",
		"a\rb":                   `a\x0db`,
		"\xffbad":                `\xffbad`,
		"\ufffd":                 `\ufffd`,
		"r\u202etl":              `r\u202etl`,
		"\u2028":                 `\u2028`,
		"tag\U000e0041":          `tag\U000e0041`,
		"caf\u00e9":              "caf\u00e9",
		strings.Repeat("l", 2e3): strings.Repeat("l", noteBytes) + "...",
	} {
		_, got := feed(t, clock.Clock{}, in)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%.30q became %.60q, want %.60q", in, got, want)
		}
	}
}

func TestStderrFloodIsThinnedAndCounted(t *testing.T) {
	now := time.Unix(1000, 0)
	seen := 0
	c := clock.Fixed(func() time.Time {
		if seen++; seen > 120 { // the second begins with the 121st line
			return now.Add(time.Second)
		}
		return now
	})
	_, got := feed(t, c, strings.Repeat("x\n", 130))
	if len(got) != notesPerTurn+1+10 || got[notesPerTurn] != "(70 lines dropped)" {
		t.Errorf("%d lines, then %q", len(got), got[min(len(got)-1, notesPerTurn)])
	}
}

func TestStderrTailIsBounded(t *testing.T) {
	n, _ := feed(t, clock.Clock{}, strings.Repeat("0123456789abcde\n", 20_000)+"the end\x07")
	tail := n.tail()
	if len(tail) > tailBytes+8 || len(tail) < tailBytes/2 || !strings.HasSuffix(tail, "abcde\nthe end\\x07") {
		t.Errorf("tail of %d bytes ends %q", len(tail), tail[max(0, len(tail)-40):])
	}
	if len(n.ring) > 2*tailBytes {
		t.Errorf("%d bytes are kept", len(n.ring))
	}
}

func TestStderrNeverBlocksTheChild(t *testing.T) {
	count := 0
	p := begin(t, Spec{Command: script("noise"), Grace: time.Minute, Stderr: func(line string) {
		count++
		if strings.ContainsAny(line, "\x1b\u202e") {
			t.Errorf("line %q", line)
		}
	}})
	if line, err := p.Read(); err != nil || string(line) != "done" {
		t.Fatalf("Read = %q, %v", line, err)
	}
	<-p.notes.done // the child ends by itself; Stop would cut what is unread
	p.Stop()
	if count == 0 || count >= 40_000 {
		t.Errorf("%d of 40000 lines were passed on", count)
	}
	if !strings.Contains(p.Tail(), "line 39999 ") {
		t.Error("the tail lacks the last line")
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Add("\xf0\x9f\x98")
	f.Fuzz(func(t *testing.T, s string) {
		out := printable(s)
		for _, r := range out {
			if !shown(r) {
				t.Fatalf("%q holds %q", out, r)
			}
		}
		if printable(out) != out {
			t.Fatalf("%q changes again", out)
		}
	})
}

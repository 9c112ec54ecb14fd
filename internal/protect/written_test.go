package protect

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
)

// writtenForms has a value a line and a text that holds it as the libraries of
// Python, Go, PHP and .NET write JSON, and JSON in a string.
//
//go:embed testdata/written.tsv
var writtenForms string

// TestTwinsInEveryForm: a value is found in a text however the library wrote it, and
// whatever escapes stand beside it.
func TestTwinsInEveryForm(t *testing.T) {
	forms := 0
	for line := range strings.Lines(writtenForms) {
		value, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		w, raw := wantedOf([]string{value}), []byte(text)
		at, stop := 0, len(raw)-leastTwin+1
		for size := 0; size == 0 && at < stop; {
			if at = w.next(raw, at, stop); at < stop {
				if _, size = w.at(raw, at, len(raw)); size == 0 {
					at = nextStart(raw, at)
				}
			}
		}
		if at >= stop {
			t.Errorf("%s is not found in %s", value, text)
		}
		forms++
	}
	if forms < 50 {
		t.Errorf("only %d forms: the test says little", forms)
	}
}

// TestTwinsStandAlone: an escape beside a value that writes a letter makes both one
// word, and a backslash before a word is not taken for a part of it.
func TestTwinsStandAlone(t *testing.T) {
	w := wantedOf([]string{"Wisniewska"})
	for text, want := range map[string]bool{
		`a\u0020Wisniewska\u0020b`: true, `a\u00e9Wisniewska`: false, `Wisniewska\u00e9`: false, `Wisniewska\\u00e9`: false, `Wisniewska\u003e`: true,
		`\\use Wisniewska`: true, `\\uWisniewska`: true, `\\u Wisniewska`: true, `C:\\users\\Wisniewska`: true, `a\nWisniewska`: true, `anWisniewska`: false,
	} {
		raw, found := []byte(text), false
		for at, stop := 0, len(text)-leastTwin+1; at < stop && !found; at = nextStart(raw, at) {
			if at = w.next(raw, at, stop); at < stop {
				_, size := w.at(raw, at, len(raw))
				found = size > 0
			} else {
				break
			}
		}
		if found != want {
			t.Errorf("%s: found is %v", text, found)
		}
	}
}

// TestTwinPartsNoEscape: a value that begins with the letter of an escape is not
// taken for one that begins there, which would refuse the whole message.
func TestTwinPartsNoEscape(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "")
	for value, text := range map[string]string{"nadiaWer9": `x\nadiaWer9 y`, "u0020Wer9": `x\u0020Wer9 y`} {
		x := w.ask(t, "tools/call", `{"name":"find","arguments":{}}`)
		got, err := w.answered(t, x, result(`"structuredContent":{"user password":"`+value+`"},"content":[{"type":"text","text":"`+text+`, `+value+`"}]`))
		if err != nil || strings.Contains(got, `"`+value) || strings.Contains(got, " "+value) || !strings.Contains(got, text) {
			t.Errorf("%s: %s %v", value, got, err)
		}
	}
}

// TestTwinBesideAFinding: where the longest value runs into another finding, the one
// that it begins with is hidden.
func TestTwinBesideAFinding(t *testing.T) {
	w, raw := wantedOf([]string{"Wisniewska Anna", "Wisniewska"}), []byte("x Wisniewska Anna")
	for upTo, want := range map[int]int{len(raw): 15, len(raw) - 2: 10, 12: 10, 11: 0} {
		if _, size := w.at(raw, 2, upTo); size != want {
			t.Errorf("up to %d: %d bytes, want %d", upTo, size, want)
		}
	}
}

// TestC13FormsAreBounded: what a message of very many values costs beside its plain
// forms is bounded.
func TestC13FormsAreBounded(t *testing.T) {
	var values []string
	for i := range 20_000 {
		values = append(values, fmt.Sprintf("Wiśniewska & %05d/+", i))
	}
	if w := wantedOf(values); len(w.needles) > mostForms+3*len(values) || len(w.needles) < 60_000 {
		t.Errorf("%d needles", len(w.needles))
	}
}

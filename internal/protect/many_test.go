package protect

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
)

// TestC18SameFindingManyTimes: one value ten thousand times in one answer is one
// count, one note for the reader and one pseudonym; in ten thousand answers, each
// has its own count.
func TestC18SameFindingManyTimes(t *testing.T) {
	const n = 10_000
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	text := strings.Repeat("ann@example.com ", n)
	x := w.call(t, `{}`)
	got, err := w.answered(t, x, result(`"content":[{"type":"text","text":"`+text+`"}]`))
	if err != nil || strings.Contains(got, "ann@") || strings.Count(got, "<EMAIL_") != n {
		t.Fatalf("%d pseudonyms, %v", strings.Count(got, "<EMAIL_"), err)
	}
	if len(x.Privacy.Counts) != 1 || counted(x, toClient, pii.Email, privacy.Token) != n || w.vault.made != 1 || !strings.Contains(got, `"hidden":{"EMAIL":10000}`) {
		t.Errorf("counts %v, %d rows", x.Privacy.Counts, w.vault.made)
	}
	logged := 0
	w.c.Log = func(string, *exchange.Exchange, error) { logged++ }
	for range n {
		x := w.call(t, `{}`)
		if _, err := w.answered(t, x, result(`"content":[{"type":"text","text":"ann@example.com"}]`)); err != nil || counted(x, toClient, pii.Email, privacy.Token) != 1 {
			t.Fatalf("%v %v", x.Privacy.Counts, err)
		}
	}
	if w.vault.made != 1 || logged != 0 {
		t.Errorf("%d rows, %d lines in the log", w.vault.made, logged)
	}
}

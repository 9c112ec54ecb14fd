package protect

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
)

// TestInventedValuesStay: a value that a first pass invented is nobody's, and a
// second pass leaves it, so that what was hidden once stays the same.
func TestInventedValuesStay(t *testing.T) {
	rules := privacy.Config{Profile: "own", Profiles: map[string]privacy.Custom{"own": {Extends: "gdpr-minimal", Rules: []privacy.Rule{
		{Types: []string{"EMAIL"}, Action: "surrogate"}}}}}
	w := newWorld(t, rules, "token", "")
	w.c.Secrets = privacy.Sample{}
	first, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"mail to `+mail+` please"}]`))
	at := strings.Index(first, "@pseudonym.invalid")
	if err != nil || at < 0 || strings.Contains(first, mail) {
		t.Fatal(err, first)
	}
	made := first[strings.LastIndexByte(first[:at], ' ')+1:at] + "@pseudonym.invalid"
	again, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"mail to `+made+` please"}]`))
	if err != nil || !strings.Contains(again, "mail to "+made+" please") {
		t.Error(err, again)
	}
}

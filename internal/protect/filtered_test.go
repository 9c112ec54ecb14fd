package protect

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

// filtered puts the rules of a filter into the world's view.
func (w *world) filtered(t *testing.T, rules string) {
	t.Helper()
	n, err := registry.NewNoun(registry.KindFilter, "crm", "", registry.Filter{Version: 1, Name: "f.yaml", Text: rules, Hash: registry.FilterHash(rules)})
	if err != nil {
		t.Fatal(err)
	}
	if w.view, err = w.view.WithNouns([]registry.Noun{n}, nil); err != nil {
		t.Fatal(err)
	}
}

// Filtering comes before finding: what nobody needs is neither scanned nor given
// a pseudonym, and the reader is told how much is missing.
func TestFilterComesBeforeTheDetector(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	w.filtered(t, "filter:\n  - tool: find\n    keep: [n]\n")
	x := w.call(t, `{}`)
	got, err := w.answered(t, x, result(`"content":[{"type":"text","text":"{\"n\":1,\"mail\":\"`+mail+`\"}"}],"structuredContent":{"n":1,"mail":"`+mail+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, mail) || w.vault.made != 0 || !strings.Contains(got, `"structuredContent":{"n":1}`) || !strings.Contains(got, `"dev.ostiary/privacy":{"fields":1}`) {
		t.Fatalf("%d pseudonyms, %s", w.vault.made, got)
	}
	if x.Privacy.Fields != 1 || x.Privacy.Bytes == 0 {
		t.Fatalf("%+v", x.Privacy)
	}
	other := w.ask(t, "resources/read", `{"uri":"a:b"}`)
	text := result(`"contents":[{"uri":"a:b","text":"plain"}]`)
	if got, err := w.answered(t, other, text); err != nil || got != text {
		t.Fatalf("a rule of a tool reached a resource: %v, %s", err, got)
	}
}

// A filter that was altered in the store, or cannot be read, refuses.
func TestBrokenFilterRefuses(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	w.filtered(t, "filter:\n  - kept: [n]\n")
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"x"}]`))
	if !fault.Is(err, fault.Unscannable) && !fault.Is(err, fault.ContentBlocked) {
		t.Fatalf("%v", err)
	}
}

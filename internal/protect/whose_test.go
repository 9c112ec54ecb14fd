package protect

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// ofPatients is a profile that knows whom a record is about.
func ofPatients(rules ...privacy.SubjectRule) privacy.Config {
	return privacy.Config{Profile: "gdpr-minimal", Subjects: rules}
}

// owners returns the subject of each value that has a pseudonym.
func (w *world) owners() map[string]string {
	out := map[string]string{}
	for _, v := range w.vault.byToken {
		out[v.Value] = v.Subject
	}
	return out
}

// TestRecordsHaveSubjects: what is found in a record is about whom the record
// names, in structures, in texts that are JSON and in JSON by the line, however
// they are escaped.
func TestRecordsHaveSubjects(t *testing.T) {
	rows := `{"patients":[{"id":4711,"mail":"anna@example.org"},{"id":"4712","contact":{"mail":"bo@example.org"}}],"desk":"front@example.org"}`
	lines := `{"id":4711,"mail":"anna@example.org"}` + "\n" + `{"id":"4712","contact":{"mail":"bo@example.org"}}` + "\n" + `{"desk":"front@example.org"}`
	quoted := func(s string) string { return string(wire.Quote(s)) }
	escaped := func(s string) string { // every character as an escape, pairs included
		return strings.NewReplacer("a", `\u0061`, "@", `\u0040`, "[", `\u005B`, "{", `\u007b`).Replace(quoted(s))
	}
	inRows := privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Tools: []string{"find"}, Paths: []string{"patients[*].id", "id"}}
	for name, members := range map[string]string{
		"structure": `"content":[],"structuredContent":` + rows,
		"text":      `"content":[{"type":"text","text":` + quoted(rows) + `}]`,
		"emoji":     `"content":[{"type":"text","text":` + escaped(strings.Replace(rows, "{", `{"x":"\ud83d\ude00 \\ \" ü 😀",`, 1)) + `}]`,
		"escapes":   `"content":[{"type":"text","text":` + escaped(rows) + `}]`,
		"lines":     `"content":[{"type":"text","text":` + quoted(lines) + `}]`,
		"resource":  `"content":[{"type":"resource","resource":{"uri":"x:y","text":` + quoted(rows) + `}}]`,
	} {
		w := newWorld(t, ofPatients(inRows), "token", "clear")
		got, err := w.answered(t, w.call(t, `{}`), result(members))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		own := w.owners()
		if own["anna@example.org"] != "patient:4711" || own["bo@example.org"] != "patient:4712" || own["front@example.org"] != "" || len(own) != 3 {
			t.Errorf("%s: %v\n%s", name, own, got)
		}
	}
}

// TestSubjectsOfAMessage: which record counts where several could.
func TestSubjectsOfAMessage(t *testing.T) {
	rule := func(up int, paths ...string) privacy.SubjectRule {
		return privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Paths: paths, Up: up}
	}
	other := rule(0, "**.id")
	other.Servers = []string{"mail"}
	const a, b = "anna@example.org", "bo@example.org"
	for name, c := range map[string]struct {
		rules []privacy.SubjectRule
		body  string
		a, b  string
	}{
		"the record is above":     {[]privacy.SubjectRule{rule(1, "rows[*].who.id")}, `{"rows":[{"who":{"id":1},"m":"` + a + `"},{"who":{"id":2},"m":"` + b + `"}]}`, "patient:1", "patient:2"},
		"the innermost":           {[]privacy.SubjectRule{rule(0, "**.id", "id")}, `{"id":1,"m":"` + a + `","child":{"id":2,"m":"` + b + `"}}`, "patient:1", "patient:2"},
		"one person, all is hers": {[]privacy.SubjectRule{rule(0, "who.id")}, `{"who":{"id":1,"m":"` + a + `"},"note":"` + b + `"}`, "patient:1", "patient:1"},
		"two in one record":       {[]privacy.SubjectRule{rule(1, "who[*]")}, `{"who":["1","2"],"m":"` + a + `","o":"` + b + `"}`, "", ""},
		"the first rule":          {[]privacy.SubjectRule{rule(0, "mrn"), rule(0, "id")}, `{"id":1,"mrn":"X9","m":"` + a + `","o":"` + b + `"}`, "patient:X9", "patient:X9"},
		"another server":          {[]privacy.SubjectRule{other}, `{"x":{"id":1,"m":"` + a + `"},"m":"` + b + `"}`, "", ""},
		"a pseudonym is nobody":   {[]privacy.SubjectRule{rule(0, "id")}, `{"id":"<OTHER_ID_0000000000000001>","m":"` + a + `","o":"` + b + `"}`, "", ""},
		"a hidden neighbour":      {[]privacy.SubjectRule{rule(0, "r[*].id")}, `{"r":[{"id":"<OTHER_ID_0000000000000001>","m":"` + a + `"},{"id":2,"m":"` + b + `"}]}`, "", "patient:2"},
		"a neighbour's long id":   {[]privacy.SubjectRule{rule(0, "r[*].id")}, `{"r":[{"id":"` + strings.Repeat("x", 300) + `","m":"` + a + `"},{"id":2,"m":"` + b + `"}]}`, "", "patient:2"},
		"another rule can tell":   {[]privacy.SubjectRule{rule(0, "mrn"), rule(0, "id")}, `{"mrn":"[redacted]","id":1,"m":"` + a + `","o":"` + b + `"}`, "patient:1", "patient:1"},
		"no id in a child":        {[]privacy.SubjectRule{rule(0, "**.id", "id")}, `{"id":1,"m":"` + a + `","child":{"id":"","m":"` + b + `"}}`, "patient:1", "patient:1"},
		"an empty id":             {[]privacy.SubjectRule{rule(0, "id")}, `{"id":" ","m":"` + a + `","o":"` + b + `"}`, "", ""},
		"shared":                  {[]privacy.SubjectRule{rule(0, "r[*].id")}, `{"before":"` + a + `","r":[{"id":1,"m":"` + a + `"},{"id":2,"m":"` + b + `"}]}`, "patient:1", "patient:2"},
	} {
		w := newWorld(t, ofPatients(c.rules...), "token", "clear")
		if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":`+c.body)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if own := w.owners(); own[a] != c.a || own[b] != c.b || len(own) != 2 {
			t.Errorf("%s: %v", name, own)
		}
	}
}

// TestArgumentsHaveSubjects: the same on the way to a server.
func TestArgumentsHaveSubjects(t *testing.T) {
	w := newWorld(t, ofPatients(privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Paths: []string{"patient"}}), "clear", "token")
	x := w.call(t, `{"patient":"4711","to":"anna@example.org"}`)
	if err := w.Request(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if own := w.owners(); own["anna@example.org"] != "patient:4711" {
		t.Errorf("%v\n%s", own, x.Request.Raw())
	}
}

// censusOf reads a message of a server and says what that took.
func censusOf(t *testing.T, members string, paths ...string) *census {
	p, err := privacy.Compile(ofPatients(privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Paths: paths}))
	if err != nil {
		t.Fatal(err)
	}
	w := &census{about: p.About("crm", "find")}
	w.message(parse(t, result(members), wire.FromServer))
	return w
}

// TestC13DeepPlaces: members below long names are not held against the paths of a
// profile one by one, and what was not read is not about the person who was.
func TestC13DeepPlaces(t *testing.T) {
	deep := strings.Repeat(`{"`+strings.Repeat("k.", 400)+`":`, 40) + `[` + strings.Repeat("1,", 9_999) + `1]` + strings.Repeat("}", 40)
	w := censusOf(t, `"content":[],"structuredContent":{"id":1,"a":`+deep+`}`, "**.k.id", "id")
	if len(w.last) > maxPlace || len(w.records) != 1 || !w.more {
		t.Errorf("%d bytes of a place, %d records, more %v", len(w.last), len(w.records), w.more)
	}
	flat := `{"` + strings.Repeat("k", 1000) + `":[` + strings.Repeat("1,", 9_999) + `1]}`
	if w := censusOf(t, `"content":[],"structuredContent":`+flat, "**[*].id"); w.asked > 2<<10 {
		t.Errorf("%d bytes are asked about for the elements of one array", w.asked)
	}
	const a, b = "anna@example.org", "bo@example.org"
	x := newWorld(t, ofPatients(privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Paths: []string{"**.id"}}), "token", "clear")
	body := `{"one":{"id":1,"m":"` + a + `"},"other":` + strings.Replace(deep, "[1,", `[{"id":2,"m":"`+b+`"},`, 1) + `}`
	if _, err := x.answered(t, x.call(t, `{}`), result(`"content":[],"structuredContent":`+body)); err != nil {
		t.Fatal(err)
	}
	if own := x.owners(); own[a] != "patient:1" || own[b] != "" {
		t.Errorf("%v", own)
	}
}

// TestC13LinesCostOnePass: places in JSON by the line are found in one pass over all
// lines, not in one from the text's beginning for each.
func TestC13LinesCostOnePass(t *testing.T) {
	text := string(wire.Quote(strings.Repeat(`{"id":1}`+"\n", 2000)))
	w := censusOf(t, `"content":[{"type":"text","text":`+text+`}]`, "id")
	if len(w.records) != 2000 || w.passed > len(text) {
		t.Errorf("%d records, %d bytes of %d", len(w.records), w.passed, len(text))
	}
}

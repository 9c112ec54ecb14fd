package filter

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// rowsOf returns a result of about n bytes, as structure and as text.
func rowsOf(n int) string {
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := 0; b.Len() < n/2-64; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"status":"open","total":%d.5,"customer":{"name":"Customer %d","mail":"c%d@example.com","ssn":"000-00-%04d"},"tags":["a","b","c"]}`, i, i, i, i, i%10000)
	}
	b.WriteString(`]}`)
	return `{"structuredContent":` + b.String() + `,"content":[{"type":"text","text":` + string(wire.Quote(b.String())) + `}]}`
}

var benchRules = map[string]string{
	"keep": `filter: [{keep: ["items[*].id", "items[*].status", "items[*].customer.name"]}]`,
	"drop": `filter: [{drop: ["**.ssn", "**.mail"]}]`,
	"rows": `filter: [{rows: {path: items, where: 'status == "open" and total > 10', max: 20}}]`,
	"none": `filter: [{drop: ["other.ssn"]}]`,
	"miss": `filter: [{server: erp, drop: ["**.ssn"]}]`,
}

// BenchmarkFilter is what a filter adds to an answer of 64 KiB, which holds its
// rows twice, without reading the message and writing it anew.
func BenchmarkFilter(b *testing.B) {
	m := answer(b, rowsOf(64<<10))
	for name, text := range benchRules {
		s := parse(b, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(m.Raw())))
			b.ReportAllocs()
			for b.Loop() {
				if _, r, err := s.For(call).Apply(m.Result(), nil); err != nil || r.Unfit != "" {
					b.Fatal(err, r)
				}
			}
		})
	}
}

// TestNoRuleCostsNothing tells that an answer that no rule is about takes no
// memory.
func TestNoRuleCostsNothing(t *testing.T) {
	s := parse(t, benchRules["miss"])
	if n := testing.AllocsPerRun(100, func() {
		if s.For(call) != nil {
			t.Fatal("a rule of another server counts")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTimeIsLinear tells, in states and edits instead of seconds, that the work
// grows with the answer alone: a walk takes one step for each value and rule,
// and a hostile text costs what a long one does. What costs time beside that is
// counted by allocations, which grow with the answer too.
func TestTimeIsLinear(t *testing.T) {
	results := map[string]func(n int) string{
		"rows":         func(n int) string { return rowsOf(n) },
		"quotes":       func(n int) string { return textOf(strings.Repeat(`"`, n/4)) },
		"braces":       func(n int) string { return textOf(strings.Repeat(`{`, n/2)) },
		"escapes":      func(n int) string { return textOf(`{"a":"` + strings.Repeat(`\u0041`, n/12) + `"}`) },
		"lines":        func(n int) string { return textOf(strings.Repeat("{\"ssn\":1}\n", n/24)) },
		"broken lines": func(n int) string { return textOf(strings.Repeat("{\"ssn\":1}\n", n/24) + "x") },
		"paths":        func(n int) string { return `{"isError":true,` + textOf(strings.Repeat("/a/b ", n/5))[1:] },
		"members": func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, `"m%d":{"ssn":1},`, i)
			}
			return `{"structuredContent":{` + strings.TrimSuffix(b.String(), ",") + `},"content":[]}`
		},
	}
	rules := parse(t, `filter: [{drop: ["**.ssn", "**.a.**.b"], rows: {path: items, where: "id > 3"}, errors: strip}]`)
	work := func(result string) float64 {
		m := answer(t, result)
		p := rules.For(call)
		return testing.AllocsPerRun(1, func() {
			if _, _, err := p.Apply(m.Result(), nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	for name, of := range results {
		small, large := work(of(40<<10)), work(of(160<<10))
		if large > 6*small+200 {
			t.Errorf("%s: four times the bytes take %.0f allocations instead of %.0f", name, large, small)
		}
	}
}

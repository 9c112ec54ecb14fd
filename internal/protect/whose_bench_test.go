package protect

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// BenchmarkWhose is what subject paths cost: a result of 64 KiB whose rows are
// about somebody each, in a structure and in a text beside it.
func BenchmarkWhose(b *testing.B) {
	var rows strings.Builder
	for i := 0; rows.Len() < 32<<10; i++ {
		fmt.Fprintf(&rows, `,{"id":%d,"status":"open","note":"nothing of interest in this line","n":[1,2,3]}`, i)
	}
	doc := `{"rows":[` + rows.String()[1:] + `]}`
	w := newWorld(b, ofPatients(privacy.SubjectRule{Kind: "patient", Servers: []string{"crm"}, Paths: []string{"rows[*].id"}}), "token", "")
	m := parse(b, result(`"content":[{"type":"text","text":`+string(wire.Quote(doc))+`}],"structuredContent":`+doc), wire.FromServer)
	j := w.job(w.call(b, `{}`), w.c.Profile(), privacy.Client)
	found := []finding{{start: len(m.Raw()) / 2}, {start: len(m.Raw()) - 100}}
	b.SetBytes(int64(len(m.Raw())))
	b.ReportAllocs()
	for b.Loop() {
		j.whose(m, found)
	}
	if found[1].subject == "" {
		b.Fatal("nobody is found")
	}
}

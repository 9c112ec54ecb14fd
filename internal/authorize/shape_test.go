package authorize

import (
	"testing"

	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// TestOutputSchemaTellsFilters tells that what a tool promises reaches the room
// that withholds: a required member is replaced, not taken out.
func TestOutputSchemaTellsFilters(t *testing.T) {
	s := &Step{}
	tool := &registry.Tool{Name: "t", Digest: "d", Definition: `{"name":"t","inputSchema":{"type":"object"},` +
		`"outputSchema":{"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"date"}}}}`}
	rules, err := filter.Parse("f", []byte("filter: [{drop: [id]}]"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.NewResult(wire.IntID(1), []byte(`{"content":[],"structuredContent":{"id":"2020-02-02"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var schema filter.Shaped = s.Output(tool)
	edits, r, err := filter.New(rules).For(filter.Match{Method: "tools/call"}).Apply(m.Result(), schema)
	if err != nil || r.Unfit != "" {
		t.Fatal(err, r)
	}
	if m, err = m.Rewrite(edits...); err != nil {
		t.Fatal(err)
	}
	if got := string(m.Result().Get("structuredContent").Raw()); got != `{"id":"1970-01-01"}` {
		t.Errorf("got %s", got)
	}
}

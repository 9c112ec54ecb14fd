package authorize

import (
	"bytes"
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ostiary.dev/ostiary/internal/wire"
)

// What one validation may cost, in schemas looked at: a fixed part, and some
// for each byte of the value, up to a limit. References that branch can make a
// small schema look at 2^n of them; counting stops that without a clock (M23,
// TestBranchingReferencesAreBounded). An ordinary call needs fewer than a
// thousand.
const (
	costFixed   = 100_000
	costPerByte = 16
	costLimit   = 5_000_000
)

var errCostly = errors.New("validation looks at too many schemas")

// gauges validates with one schema, for several calls at a time.
type gauges struct {
	doc  any         // the schema as a value
	free chan *gauge // that no validation uses now
}

// spareGauges is how many a schema keeps.
const spareGauges = 8

// newGauges prepares a schema; nil when v is absent.
func newGauges(v wire.Value) (*gauges, error) {
	if !v.Exists() {
		return nil, nil
	}
	if len(v.Raw()) > schemaBytes || v.Depth() > schemaDepth {
		return nil, errors.New("larger or deeper than allowed")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Raw()))
	if err != nil {
		return nil, err
	}
	first, err := newGauge(doc)
	if err != nil {
		return nil, errors.New("not a JSON Schema that stands alone")
	}
	s := &gauges{doc: doc, free: make(chan *gauge, spareGauges)}
	s.free <- first
	return s, nil
}

// validate checks v, which was size bytes long. It returns the library's error,
// or errCostly.
func (s *gauges) validate(v any, size int) error {
	var g *gauge
	select {
	case g = <-s.free:
	default:
		var err error
		if g, err = newGauge(s.doc); err != nil {
			return err
		}
	}
	err := g.validate(v, min(costFixed+costPerByte*size, costLimit))
	select {
	case s.free <- g:
	default: // enough are kept
	}
	return err
}

// gauge is a compiled schema that counts what its validation costs. It serves
// one validation at a time.
type gauge struct {
	schema *jsonschema.Schema
	left   int
}

// newGauge compiles doc, the value of a JSON Schema. The compiler has no
// loader, so a reference that leaves the schema is an error and never a fetch;
// regular expressions are Go's, which run in linear time.
func newGauge(doc any) (*gauge, error) {
	const name = "tool:///schema"
	g := &gauge{}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertVocabs()
	c.RegisterVocabulary(&jsonschema.Vocabulary{
		URL: "tool:///cost",
		Compile: func(_ *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
			return toll{g, weight(schema)}, nil
		},
	})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	var err error
	g.schema, err = c.Compile(name)
	return g, err
}

// validate checks v at a cost of at most left.
func (g *gauge) validate(v any, left int) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case errCostly:
			err = errCostly
		default:
			panic(p)
		}
	}()
	g.left = left
	return g.schema.Validate(v)
}

// toll is taken at each evaluation of the schema that it stands in.
type toll struct {
	gauge  *gauge
	weight int
}

// Validate panics with errCostly when the validation has cost too much: it is
// the library's only way out.
func (t toll) Validate(*jsonschema.ValidatorContext, any) {
	if t.gauge.left -= t.weight; t.gauge.left < 0 {
		panic(errCostly)
	}
}

// weight is one for the schema and one for each schema right below it, which
// may end before it pays a toll of its own.
func weight(schema map[string]any) int {
	n := 1
	for _, v := range schema {
		switch v := v.(type) {
		case map[string]any:
			n += 1 + len(v)
		case []any:
			n += len(v)
		}
	}
	return n
}

// noLoader refuses every reference to another document.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("references are not fetched") }

package authorize

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// schemas holds compiled input schemas by the digest of the pinned definition,
// which never changes.
type schemas struct{ byDigest sync.Map } // digest -> *compiled

// compiled is a tool's schemas and the headers that mirror arguments.
type compiled struct {
	schema  *jsonschema.Schema // nil: the schema cannot be used, and err says why
	output  *jsonschema.Schema // nil: the tool promises no shape of its results
	params  []wire.HeaderParam
	err     error
	trivial bool // accepts every object
}

// Bounds of a schema that is evaluated on every call (M23).
const (
	schemaBytes = 256 << 10
	schemaDepth = 32
)

// arguments checks a tool call against the pinned definition: the arguments
// against the input schema (M22), the Mcp-Param headers against the arguments
// (M03).
func (s *Step) arguments(x *exchange.Exchange) error {
	if x.Tool == nil || x.Tool.Definition == "" {
		return checkParams(x, nil, false)
	}
	c := s.schemas.of(x.Tool)
	if c.err != nil {
		x.Decision.Reason = "schema cannot be used: " + c.err.Error()
		return fault.Wrap(fault.ToolUnknown, c.err)
	}
	if err := checkParams(x, c.params, true); err != nil {
		return err
	}
	if c.trivial {
		return nil
	}
	return c.validate(x.Request.Params().Get("arguments"))
}

func checkParams(x *exchange.Exchange, params []wire.HeaderParam, known bool) error {
	if x.Era != wire.Modern || x.Parent != "" {
		return nil
	}
	m := x.Mirrors
	return wire.CheckMirrors(x.Request, m.Version, m.Method, m.HasMethod, m.Name, m.HasName, m.Params, params, known)
}

func (c *compiled) validate(arguments wire.Value) error {
	raw := []byte("{}")
	if arguments.Exists() {
		raw = arguments.Raw()
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	if err := c.schema.Validate(v); err != nil && !onlyMissing(err) {
		f := fault.Newf(fault.BadParams, "The arguments do not fit the tool's input schema%s.", whereOf(err))
		f.Cause = errors.New("arguments do not fit the schema") // the library's text holds values
		return f
	}
	return nil
}

// onlyMissing reports whether nothing is wrong but that members are missing.
// Such a call goes on: servers answer it in their own words, and clients are
// written for that. What is there must fit.
func onlyMissing(err error) bool {
	var v *jsonschema.ValidationError
	return errors.As(err, &v) && missing(v)
}

func missing(v *jsonschema.ValidationError) bool {
	if len(v.Causes) == 0 {
		_, is := v.ErrorKind.(*kind.Required)
		return is
	}
	for _, c := range v.Causes {
		if !missing(c) {
			return false
		}
	}
	return true
}

// whereOf names the keyword that failed, which comes from the schema and not
// from the caller.
func whereOf(err error) string {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return ""
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	if path := v.ErrorKind.KeywordPath(); len(path) > 0 {
		return fmt.Sprintf(" (keyword %q)", path[len(path)-1])
	}
	return ""
}

func (s *schemas) of(tool *registry.Tool) *compiled {
	if c, ok := s.byDigest.Load(tool.Digest); ok {
		return c.(*compiled)
	}
	c := compile([]byte(tool.Definition))
	s.byDigest.Store(tool.Digest, c)
	return c
}

// output checks the structured part of a tool's result against what the pinned
// definition promises: clients and models act on it without looking at the
// text beside it (M24, TestHostileCalls). A failure that the tool reports
// itself has no promised shape.
func (s *Step) output(x *exchange.Exchange) error {
	if x.Fact.Method != "tools/call" || x.Tool == nil || x.Tool.Definition == "" {
		return nil
	}
	v := x.Message.Result().Get("structuredContent")
	failed, _ := x.Message.Result().Get("isError").Bool()
	c := s.schemas.of(x.Tool)
	if c.output == nil || !v.Exists() || failed {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Raw()))
	if err != nil {
		return fault.Wrap(fault.UpstreamBad, err)
	}
	if err := c.output.Validate(doc); err != nil {
		f := fault.Newf(fault.UpstreamBad, "The server's result does not fit the tool's output schema%s.", whereOf(err))
		f.Cause = errors.New("result does not fit the output schema") // the library's text holds values
		return f
	}
	return nil
}

// compile prepares a definition. A schema that cannot be used makes the whole
// tool unusable, because what it would let through is not known.
func compile(definition []byte) *compiled {
	v, err := wire.ParseValue(definition, wire.DefaultLimits())
	if err != nil {
		return &compiled{err: err}
	}
	output, err := schemaOf(v.Get("outputSchema"), "tool:///output")
	if err != nil {
		return &compiled{err: fmt.Errorf("output schema: %w", err)}
	}
	in := v.Get("inputSchema")
	if !in.Exists() {
		return &compiled{output: output, trivial: true}
	}
	params, err := wire.HeaderParams(in)
	if err != nil {
		return &compiled{err: err}
	}
	schema, err := schemaOf(in, "tool:///input")
	if err != nil {
		return &compiled{err: err}
	}
	return &compiled{schema: schema, output: output, params: params}
}

// schemaOf compiles one schema; nil when v is absent. The compiler has no
// loader, so a reference that leaves the schema is an error and never a fetch;
// regular expressions are Go's, which run in linear time.
func schemaOf(v wire.Value, name string) (*jsonschema.Schema, error) {
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
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	schema, err := c.Compile(name)
	if err != nil {
		return nil, errors.New("not a JSON Schema that stands alone")
	}
	return schema, nil
}

// noLoader refuses every reference to another document.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("references are not fetched") }

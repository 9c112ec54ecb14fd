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
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// schemas holds compiled input schemas by the digest of the pinned definition,
// which never changes.
type schemas struct{ byDigest sync.Map } // digest -> *compiled

// compiled is a tool's schemas and the headers that mirror arguments.
type compiled struct {
	schema   *gauges    // nil: the tool takes every object
	output   *gauges    // nil: the tool promises no shape of its results
	promised wire.Value // outputSchema as it was written
	shape    func() *filter.Shape
	plain    *plain // schema in short, when it is that simple
	params   []wire.HeaderParam
	err      error // a schema cannot be used
	headers  error // params breaks the rules of 2026-07-28, where such a tool is not offered
}

// unusable returns why the tool cannot be called in an era, or nil. Calls and
// lists ask it, so that they agree (TestListAgreesWithCall).
func (c *compiled) unusable(era wire.Era) error {
	if c.err == nil && era == wire.Modern {
		return c.headers
	}
	return c.err
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
	if err := c.unusable(x.Era); err != nil {
		x.Decision.Reason = "schema cannot be used: " + err.Error()
		return fault.Wrap(fault.ToolUnknown, err)
	}
	if err := checkParams(x, c.params, true); err != nil {
		return err
	}
	if c.schema == nil {
		return nil
	}
	return c.validate(x.Request.Params().Get("arguments"))
}

func checkParams(x *exchange.Exchange, params []wire.HeaderParam, known bool) error {
	if x.Era != wire.Modern {
		return nil
	}
	m := x.Mirrors
	if x.Parent != "" { // admit compared method and name, before the part got its server's own
		m.Method, m.HasMethod = x.Request.Method(), true
		m.Name, m.HasName = wire.EncodeHeader(x.Request.Name()), true
	}
	return wire.CheckMirrors(x.Request, m.Version, m.Method, m.HasMethod, m.Name, m.HasName, m.Params, params, known)
}

func (c *compiled) validate(arguments wire.Value) error {
	if c.plain != nil {
		if fits, sure := c.plain.check(arguments); sure && fits {
			return nil
		}
	}
	return c.full(arguments)
}

// full asks the library, which also says what is wrong.
func (c *compiled) full(arguments wire.Value) error {
	raw := []byte("{}")
	if arguments.Exists() {
		raw = arguments.Raw()
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	if err := c.schema.validate(v, len(raw)); err != nil && !onlyMissing(err) {
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

// of returns what is compiled of a pinned tool. One without a digest cannot be
// compared with what the server shows, and has no place in the table.
func (s *schemas) of(tool *registry.Tool) *compiled {
	if tool.Digest == "" {
		return &compiled{err: errors.New("the definition has no digest")}
	}
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
	if err := (&OutputSchema{gauges: c.output}).Validate(v.Raw()); err != nil {
		f := fault.Newf(fault.UpstreamBad, "The server's result %s.", err)
		f.Cause = errors.New("result does not fit the output schema") // the library's text holds values
		return f
	}
	return nil
}

// OutputSchema is what a tool promises about the structure of its results.
type OutputSchema struct {
	gauges *gauges
	text   wire.Value
	shape  func() *filter.Shape
}

// Output returns the output schema of a pinned tool, nil when it has none.
func (s *Step) Output(tool *registry.Tool) *OutputSchema {
	c := s.schemas.of(tool)
	if c.output == nil {
		return nil
	}
	return &OutputSchema{c.output, c.promised, c.shape}
}

// Validate returns an error when raw does not fit. The error holds no value.
func (o *OutputSchema) Validate(raw []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fault.Wrap(fault.Internal, err)
	}
	if err := o.gauges.validate(doc, len(raw)); err != nil {
		return fmt.Errorf("does not fit the tool's output schema%s", whereOf(err))
	}
	return nil
}

// Shape returns what the schema says about which members may not go missing. It
// is made when something was first withheld.
func (o *OutputSchema) Shape() *filter.Shape { return o.shape() }

// Text returns the schema as the server wrote it.
func (o *OutputSchema) Text() wire.Value { return o.text }

// compile prepares a definition. A schema that cannot be used makes the whole
// tool unusable, because what it would let through is not known.
func compile(definition []byte) *compiled {
	v, err := wire.ParseValue(definition, wire.DefaultLimits())
	if err != nil {
		return &compiled{err: err}
	}
	c := &compiled{promised: v.Get("outputSchema")}
	c.shape = sync.OnceValue(func() *filter.Shape { return filter.ShapeOf(c.promised) })
	in := v.Get("inputSchema")
	c.params, c.headers = wire.HeaderParams(in)
	if c.output, err = newGauges(v.Get("outputSchema")); err != nil {
		return &compiled{err: fmt.Errorf("output schema: %w", err)}
	}
	if c.schema, err = newGauges(in); err != nil {
		return &compiled{err: err}
	}
	c.plain = plainOf(in)
	return c
}

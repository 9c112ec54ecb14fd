package filter

import (
	"bytes"
	"errors"
	"slices"

	"ostiary.dev/ostiary/internal/wire"
)

// Schema is a tool's output schema. It may also be a Shaped one.
type Schema interface {
	Validate(raw []byte) error
}

// Shaped is a Schema that says which members may not go missing. Of any other,
// an answer without something that it requires is unfit.
type Shaped interface {
	Schema
	Shape() *Shape // nil: not known
}

// Plan is what the rules of a Set say about one answer.
type Plan struct {
	rules   []*Rule
	broken  string // why nothing may pass
	unknown bool   // the request is not known, so the result may be a list
}

// Report counts what was withheld. Unfit says why a result cannot be made to
// fit its schema; the caller then blocks it. It holds no value of the answer.
type Report struct {
	Fields int    `json:"fields"`          // members and elements that no path keeps or that one drops
	Rows   int    `json:"rows"`            // elements of bounded lists
	Blocks int    `json:"blocks"`          // content blocks, texts and resources
	Bytes  int    `json:"bytes"`           // of the message
	Unfit  string `json:"unfit,omitempty"` // why nothing of it may pass
}

var errNoObject = errors.New("the result is no object")

// job applies a plan to one message.
type job struct {
	walk
	plan    *Plan
	keeps   bool   // some rule has a keep list: what nothing names, goes
	paths   bool   // some rule looks into JSON
	text    int    // bytes of a text that is not JSON
	said    bool   // some rule says what becomes of such texts
	edited  bool   // JSON of the message lost something: texts beside it may repeat it
	isError bool   // the tool says that it failed
	shape   *shape // of structuredContent, and so of a text that repeats it
	repeats bool   // there is structuredContent; what texts lose is not counted again
}

func (p *Plan) job() *job {
	j := &job{plan: p, text: unbounded}
	for _, r := range p.rules {
		j.keeps = j.keeps || r.keeps
		j.undeclared = j.undeclared || r.undeclared
		j.paths = j.paths || r.hasPaths() || r.undeclared
		j.text = min(j.text, r.textBound())
		j.said = j.said || r.text != unbounded
		if r.machine != nil {
			j.rules = append(j.rules, r)
		}
	}
	return j
}

// some reports whether a rule of the plan says yes.
func (j *job) some(of func(r *Rule) bool) bool { return slices.ContainsFunc(j.plan.rules, of) }

// Apply returns the edits of the message that result belongs to. output is the
// schema of its structuredContent, or nil. An error blocks the answer, as a
// Report that is Unfit does.
func (p *Plan) Apply(result wire.Value, output Schema) ([]wire.Edit, Report, error) {
	return p.apply(result, func(j *job) { j.result(result, output) })
}

// ApplyError is Apply for the error object of a server's error answer.
func (p *Plan) ApplyError(object wire.Value) ([]wire.Edit, Report, error) {
	return p.apply(object, func(j *job) { j.failure(object) })
}

// ApplyNotice is Apply for the params of a server's notification.
func (p *Plan) ApplyNotice(method string, params wire.Value) ([]wire.Edit, Report, error) {
	return p.apply(params, func(j *job) { j.notice(method, params) })
}

func (p *Plan) apply(v wire.Value, do func(j *job)) ([]wire.Edit, Report, error) {
	switch {
	case p == nil, !v.Exists():
		return nil, Report{}, nil
	case p.broken != "":
		return nil, Report{Unfit: p.broken}, nil
	case v.Kind() != wire.Object:
		return nil, Report{}, errNoObject
	}
	j := p.job()
	do(j)
	if j.Unfit != "" {
		return nil, Report{Unfit: j.Unfit}, nil
	}
	for _, e := range j.edits {
		j.Bytes += max(0, e.End-e.Start-len(e.Text))
	}
	return j.edits, j.Report, nil
}

// result goes through all parts of a result.
func (j *job) result(result wire.Value, output Schema) {
	if j.plan.unknown && !hasContent(result) {
		return
	}
	j.isError, _ = result.Get("isError").Bool()
	j.traces = j.isError && j.some(func(r *Rule) bool { return r.errors })
	j.structured(result.Get("structuredContent"), output)
	sites := sitesOf(result)
	for _, s := range sites {
		for _, b := range s.blocks {
			j.json(b)
		}
	}
	for _, s := range sites {
		for _, b := range s.blocks {
			j.rest(b)
		}
		j.remove(s)
	}
	j.members(result, resultMembers)
	if !result.Get("taskId").Exists() {
		return
	}
	// The tasks extension puts the result of a call, or its error, into another.
	if inner := result.Get("result"); inner.Kind() == wire.Object && !inner.Get("taskId").Exists() {
		j.result(inner, output)
	}
	j.failure(result.Get("error"))
}

// hasContent reports whether a result has what tools, resources and prompts
// yield, at once or within a task.
func hasContent(result wire.Value) bool {
	for _, key := range []string{"structuredContent", "content", "contents", "messages", "taskId"} {
		if result.Get(key).Exists() {
			return true
		}
	}
	return false
}

// structured filters structuredContent, which has to fit its schema afterwards.
func (j *job) structured(v wire.Value, output Schema) {
	if !v.Exists() {
		return
	}
	if s, ok := output.(Shaped); ok && !j.isError {
		if shape := s.Shape(); shape != nil {
			j.shape = shape.root
		}
	}
	j.repeats = true
	before := len(j.edits)
	j.lenient = j.isError || output == nil
	if at, h := j.start(), open(v); j.stays(h, at) {
		j.within(h, at, j.shape)
	} else if text := j.nothing(v); !bytes.Equal(text, v.Raw()) {
		j.edits = append(j.edits, wire.Replace(v, text))
	}
	edits := j.edits[before:]
	if len(edits) == 0 {
		return
	}
	j.edited = true
	start, _ := v.Range()
	if output == nil || j.isError || j.Unfit != "" {
		return
	}
	if err := output.Validate(splice(v.Raw(), start, edits)); err != nil {
		j.Unfit = "what is left of the result does not fit the output schema"
	}
}

// nothing is what stands in the place of structuredContent of which nothing
// stays.
func (j *job) nothing(v wire.Value) []byte {
	switch {
	case j.shape != nil && j.shape.neutral != nil:
		return j.shape.neutral
	case v.Kind() == wire.Array:
		return []byte("[]")
	}
	return []byte("{}")
}

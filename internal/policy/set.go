package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"ostiary.dev/ostiary/internal/registry"
)

// Limits of one set. A noun holds 1 MiB, so the text is bounded anyway.
const (
	maxSources = 64
	maxText    = 512 << 10
	maxRules   = 5000
)

// Source is one file of Cedar policies.
type Source = registry.PolicySource

// Problem is one thing that is wrong with a source.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0 = the whole file
	Column  int    `json:"column"` // from 1; 0 = the whole line
	Message string `json:"message"`
}

// String returns the problem as compilers write it.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Set is the operators' policies, ready to decide with. It is immutable and
// safe for concurrent use. A nil Set holds no policies: the grants alone decide.
type Set struct {
	hash   string
	broken string // why every call is refused; "" = it can be used
	rules  []*rule
	any    []*rule                  // whose scope names neither one server nor one agent
	home   map[string][]*rule       // by the server that the scope names
	owner  map[string][]*rule       // by the agent, of those without a server
	facts  []string                 // that some rule names, sorted
	names  map[types.EntityUID]bool // that some rule's conditions name
	whole  bool                     // ask every rule: tests compare that with the slice
	single bool                     // ask one rule after the other: tests compare that with all at once
}

// Rule is one policy of a set.
type Rule struct {
	ID     string            `json:"id"` // its @id, or "FILE#N"
	Forbid bool              `json:"forbid"`
	Needs  string            `json:"needs,omitempty"` // its @needs
	Notes  map[string]string `json:"notes,omitempty"` // its annotations
	Text   string            `json:"text"`            // Cedar
	File   string            `json:"file"`
	Line   int               `json:"line"`
}

// Hash returns the hash of the sources (registry.PolicyHash), "" of no set.
func (s *Set) Hash() string {
	if s == nil {
		return ""
	}
	return s.hash
}

// Broken returns why the set refuses every call, or "".
func (s *Set) Broken() string {
	if s == nil {
		return ""
	}
	return s.broken
}

// Rules returns the policies of the set in the order of their files.
func (s *Set) Rules() []Rule {
	if s == nil {
		return nil
	}
	out := make([]Rule, 0, len(s.rules))
	for _, r := range s.rules {
		at := r.policy.Position()
		out = append(out, Rule{ID: r.id, Forbid: r.forbid, Needs: r.notes["needs"], Notes: maps.Clone(r.notes), Text: r.text(), File: at.Filename, Line: at.Line})
	}
	return out
}

// Compile checks sources against the schema that Schema makes of s, and returns
// them ready to use, or every problem that was found and no Set.
func Compile(s *registry.Snapshot, sources []Source) (*Set, []Problem) {
	set, problems := load(sources)
	if len(problems) > 0 {
		return nil, problems
	}
	if problems = check(s, set.rules); len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

// load parses sources. It does not check types: what a policy names may have
// gone from the registry since it was applied.
func load(sources []Source) (*Set, []Problem) {
	set := &Set{hash: registry.PolicyHash(sources), home: map[string][]*rule{}, owner: map[string][]*rule{}, names: map[types.EntityUID]bool{}}
	problems := checkSources(sources)
	if len(problems) > 0 {
		return nil, problems
	}
	seen := map[string]bool{}
	for _, source := range sources {
		list, err := cedar.NewPolicyListFromBytes(source.Name, []byte(source.Text))
		if err != nil {
			problems = append(problems, syntax(source.Name, err))
			continue
		}
		for i, p := range list {
			r, wrongs := newRule(p, source.Name, i+1)
			if seen[r.id] {
				wrongs = append(wrongs, fmt.Sprintf("another policy has the id %q", r.id))
			}
			seen[r.id] = true
			for _, text := range wrongs {
				problems = append(problems, at(p, text))
			}
			set.add(r)
		}
	}
	if len(set.rules) > maxRules {
		problems = append(problems, Problem{File: sources[0].Name, Message: fmt.Sprintf("there are more than %d policies", maxRules)})
	}
	return set, problems
}

func checkSources(sources []Source) (problems []Problem) {
	total, names := 0, map[string]bool{}
	for _, s := range sources {
		switch total += len(s.Text); {
		case s.Name == "" || len(s.Name) > 200 || strings.ContainsFunc(s.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
			problems = append(problems, Problem{File: strconv.Quote(s.Name), Message: "a file needs a plain name of at most 200 bytes"})
		case names[s.Name]:
			problems = append(problems, Problem{File: s.Name, Message: "the file is there twice"})
		}
		names[s.Name] = true
	}
	switch {
	case len(sources) > maxSources:
		problems = append(problems, Problem{File: "policies", Message: fmt.Sprintf("there are more than %d files", maxSources)})
	case total > maxText:
		problems = append(problems, Problem{File: "policies", Message: fmt.Sprintf("the text is longer than %d bytes", maxText)})
	}
	return problems
}

var atPosition = regexp.MustCompile(`parse error at (?:<[^>]*>|[^ ]*?):?(\d+):(\d+) (.*)$`)

// syntax makes a Problem of the parser's error.
func syntax(file string, err error) Problem {
	p := Problem{File: file, Message: strings.TrimPrefix(err.Error(), "parser error: ")}
	if m := atPosition.FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = "at " + m[3]
	}
	return p
}

func at(p *cedar.Policy, text string) Problem {
	pos := p.Position()
	return Problem{File: pos.Filename, Line: pos.Line, Column: pos.Column, Message: text}
}

// knownNotes are the annotations that policies may have. Others are refused: a
// misspelt @needs would ask for nobody.
var knownNotes = []string{"id", "needs", "approvers", "reason", "title", "note", "owner"}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

// newRule looks at one policy and says what is wrong with it.
func newRule(p *cedar.Policy, file string, n int) (r *rule, wrongs []string) {
	r = &rule{id: fmt.Sprintf("%s#%d", file, n), forbid: p.Effect() == cedar.Forbid, notes: map[string]string{}, policy: p, ast: (*ast.Policy)(p.AST())}
	for k, v := range p.Annotations() {
		r.notes[string(k)] = string(v)
		if !slices.Contains(knownNotes, string(k)) {
			wrongs = append(wrongs, fmt.Sprintf("the annotation @%s is not one of @%s", k, strings.Join(knownNotes, ", @")))
		}
	}
	if id, ok := r.notes["id"]; ok {
		r.id = id
		if !idForm.MatchString(id) {
			wrongs = append(wrongs, fmt.Sprintf("@id(%q) must be letters, digits and . _ / -, at most 100", id))
		}
	}
	if needs, ok := r.notes["needs"]; ok {
		if r.needs = needsOf(needs); r.needs == 0 {
			wrongs = append(wrongs, fmt.Sprintf(`@needs(%q) must be "approval", "step-up" or both`, needs))
		}
	}
	r.approvers = 1
	if text, ok := r.notes["approvers"]; ok {
		if r.approvers, r.passkey, ok = approversOf(text); !ok || r.needs&needApproval == 0 {
			wrongs = append(wrongs, fmt.Sprintf(`@approvers(%q) must be "1", "2", "passkey" or "2 passkey", beside @needs("approval")`, text))
		}
	}
	r.reads = readsOf(r.ast)
	r.place()
	return r, wrongs
}

// needsOf reads an annotation; 0 when it holds anything unknown.
func needsOf(text string) (needs int) {
	for _, word := range strings.Fields(text) {
		switch Needs(word) {
		case NeedsApproval:
			needs |= needApproval
		case NeedsStepUp:
			needs |= needStepUp
		default:
			return 0
		}
	}
	return needs
}

// approversOf reads who must approve: how many people, and whether each has to
// use a passkey.
func approversOf(text string) (n int, passkey, ok bool) {
	words := strings.Fields(text)
	if i := len(words) - 1; i >= 0 && words[i] == "passkey" {
		words, passkey = words[:i], true
	}
	switch {
	case len(words) == 0 && passkey, len(words) == 1 && words[0] == "1":
		return 1, passkey, true
	case len(words) == 1 && words[0] == "2":
		return 2, passkey, true
	}
	return 1, passkey, false
}

func (s *Set) add(r *rule) {
	s.rules = append(s.rules, r)
	r.n = len(s.rules)
	s.facts = union(s.facts, r.reads.facts)
	maps.Copy(s.names, r.reads.names)
	switch {
	case r.home != "":
		s.home[r.home] = append(s.home[r.home], r)
	case r.owner != "":
		s.owner[r.owner] = append(s.owner[r.owner], r)
	default:
		s.any = append(s.any, r)
	}
}

package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/cedar-policy/cedar-go/types"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/policy/policytest"
)

// question is what clients/cedar.py asks the Cedar in Rust.
type question struct {
	Ask       string          `json:"ask"`
	Principal map[string]any  `json:"principal,omitempty"`
	Action    map[string]any  `json:"action,omitempty"`
	Resource  map[string]any  `json:"resource,omitempty"`
	Context   *types.Record   `json:"context,omitempty"`
	Entities  types.EntityMap `json:"entities,omitempty"`
	Policies  []string        `json:"policies"`
	Schema    string          `json:"schema,omitempty"`
}

// answer is what it says. Policies are named by their places.
type answer struct {
	Allow    bool     `json:"allow"`
	Reasons  []int    `json:"reasons"`
	Errors   []int    `json:"errors"`
	Failed   []string `json:"failed"`
	Messages []string `json:"messages"`
}

// askRust puts all questions to one process.
func askRust(t *testing.T, questions []question) []answer {
	t.Helper()
	var in, out bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, q := range questions {
		if err := lines.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(need(t, ".venv/bin/python"), "clients/cedar.py")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("clients/cedar.py: %v", err)
	}
	var answers []answer
	for lines := bufio.NewReader(&out); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

// trial is one query, decided by us, with what to ask about it.
type trial struct {
	seed    uint64
	text    string
	query   policy.Query
	decided policy.Decision
	rules   []string // ids, by place
	ask     question
}

// askPeople finds what Cedar does not know of.
var askPeople = regexp.MustCompile(`@(needs|approvers)\("[^"]*"\) `)

// trials makes queries that reach policies, of as many worlds.
func trials(t *testing.T, worlds uint64) (out []trial) {
	t.Helper()
	for seed := range worlds {
		draw := policytest.Draw(rand.New(rand.NewPCG(seed, 4)).IntN)
		text := askPeople.ReplaceAllString(policytest.Policies(draw, 8), "")
		s, err := policytest.With(policytest.World(draw), text)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			q := policytest.Query(draw)
			c, err := policy.Export(s, q)
			if err != nil {
				continue
			}
			one := trial{seed: seed, text: text, query: q, decided: policy.Decide(s, q), ask: questionOf(c)}
			for _, r := range c.Policies {
				one.rules = append(one.rules, r.ID)
			}
			out = append(out, one)
			if q.Args.Get("path").Exists() || !q.IsTool { // else the request does not fit the schema
				one.ask.Schema = policy.Schema(s)
				out = append(out, one)
			}
		}
	}
	return out
}

var clauses = regexp.MustCompile(`\b(when|unless) \{`)

func questionOf(c *policy.Case) question {
	named := func(e types.EntityUID) map[string]any {
		return map[string]any{"type": string(e.Type), "id": string(e.ID)}
	}
	q := question{Ask: "authorize", Context: &c.Request.Context, Entities: c.Entities,
		Principal: named(c.Request.Principal), Action: named(c.Request.Action), Resource: named(c.Request.Resource)}
	for _, r := range c.Policies {
		q.Policies = append(q.Policies, r.Text)
	}
	return q
}

// TestCedarInRustDecidesTheSame: the Cedar in Rust, given the entities and the
// context that we make, decides as we do. There are two differences, both meant:
// where Rust skips a policy that fails, we refuse, and greeting a server needs
// no permit. With the generated schema it also holds entities and context
// against that.
func TestCedarInRustDecidesTheSame(t *testing.T) {
	worlds := uint64(500)
	if *soak {
		worlds = 20_000
	}
	all := trials(t, worlds)
	var questions []question
	for _, one := range all {
		questions = append(questions, one.ask)
	}
	counts := map[string]int{}
	for i, a := range askRust(t, questions) {
		kind, wrong := compare(all[i], a)
		counts[kind]++
		if wrong {
			t.Fatalf("seed %d: %s\n%s\n%+v\nours: %+v\nRust: %+v", all[i].seed, kind, all[i].text, all[i].query, all[i].decided, a)
		}
	}
	t.Logf("%d requests: %v", len(all), counts)
	for _, kind := range []string{"allowed", "forbidden", "not permitted", "failing, which Rust allows", "failing, which Rust denies", "greeting"} {
		if counts[kind] == 0 {
			t.Errorf("no request was %s", kind)
		}
	}
}

// compare says what a trial shows, and whether we and Rust disagree.
func compare(one trial, a answer) (kind string, wrong bool) {
	d := one.decided
	var reasons []string
	for _, place := range a.Reasons {
		reasons = append(reasons, one.rules[place])
	}
	slices.Sort(reasons)
	switch {
	case len(a.Failed) > 0:
		return "not taken by Rust", true
	case len(a.Errors) > 0 && a.Allow:
		return "failing, which Rust allows", d.Allow || d.Reason != policy.ReasonPolicyError
	case len(a.Errors) > 0:
		return "failing, which Rust denies", d.Allow || d.Reason != policy.ReasonPolicyError
	case a.Allow:
		return "allowed", !d.Allow || !slices.Equal(d.Reasons, reasons)
	case len(reasons) > 0:
		return "forbidden", d.Allow || d.Reason != policy.ReasonForbid || !slices.Equal(d.Reasons, reasons)
	case !one.query.IsTool && slices.Contains([]any{"connect", "list"}, one.ask.Action["id"]):
		return "greeting", !d.Allow
	}
	return "not permitted", d.Allow || d.Needs != ""
}

// TestCedarInRustValidatesTheSame: what we accept against the generated schema,
// Rust accepts too, and it refuses what we refuse. One difference is cedar-go's:
// what one "when" proves, it does not know in the next, so it refuses a little
// more of policies with two.
func TestCedarInRustValidatesTheSame(t *testing.T) {
	worlds := uint64(300)
	if *soak {
		worlds = 5_000
	}
	var questions []question
	var accepted [][]bool
	for seed := range worlds {
		draw := policytest.Draw(rand.New(rand.NewPCG(seed, 5)).IntN)
		s := policytest.World(draw)
		q, ours := question{Ask: "validate", Schema: policy.Schema(s)}, []bool{}
		for len(q.Policies) < 8 {
			text := askPeople.ReplaceAllString(policytest.Policies(draw, 1), "")
			if text == "" {
				continue
			}
			_, problems := policy.Compile(s, []policy.Source{{Name: "p", Text: text}})
			q.Policies, ours = append(q.Policies, text), append(ours, len(problems) == 0)
		}
		questions, accepted = append(questions, q), append(accepted, ours)
	}
	counts := map[[2]bool]int{}
	for i, a := range askRust(t, questions) {
		if len(a.Failed) > 0 {
			t.Fatalf("%s\n%v", questions[i].Policies, a.Failed)
		}
		for place, text := range questions[i].Policies {
			ours, rust := accepted[i][place], !slices.Contains(a.Errors, place)
			counts[[2]bool{ours, rust}]++
			if ours != rust && (ours || len(clauses.FindAllString(text, -1)) < 2) {
				t.Errorf("we accept: %v, Rust: %v %v\n%s", ours, rust, a.Messages, text)
			}
		}
	}
	t.Logf("[ours Rust]: %v", counts)
	if counts[[2]bool{true, true}] == 0 || counts[[2]bool{false, false}] == 0 {
		t.Errorf("nothing was compared: %v", counts)
	}
}

// typeErrors are policies with one error of types each.
var typeErrors = []string{
	`permit (principal == Ostiary::User::"x", action, resource);`,
	`permit (principal, action == Ostiary::Action::"call:files/nothing", resource);`,
	`permit (principal, action in Ostiary::Action::"execute", resource);`,
	`permit (principal, action, resource in Ostiary::Machine::"x");`,
	`permit (principal, action == Ostiary::Action::"get", resource is Ostiary::Tool);`,
	`permit (principal, action, resource) when { principal.nothing };`,
	`permit (principal, action, resource) when { principal.zone };`,
	`permit (principal, action, resource) when { principal.zone > 3 };`,
	`permit (principal, action, resource) when { principal.clearance.contains(3) };`,
	`permit (principal, action, resource) when { principal.zone == 3 };`,
	`permit (principal, action, resource) when { resource.zone == "intern" };`,
	`permit (principal, action, resource) when { context.call.mfa == "yes" };`,
	`permit (principal, action, resource) when { context.call.nothing };`,
	`permit (principal, action, resource) when { context.call.ip.isLoopback() };`,
	`permit (principal, action, resource) when { context.call.time > 5 };`,
	`permit (principal, action, resource) when { context.call.time.toTime() < 5 };`,
	`permit (principal, action, resource) when { context.call.chain.contains(principal) };`,
	`permit (principal, action, resource) when { context.args.path == "/a" };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args.n > 3 };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args.path > 3 };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args.pth == "/a" };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args has price && context.args.price > 1 };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args has tags && context.args.tags like "a*" };`,
	`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args has deep && context.args.deep.on == 1 };`,
	`permit (principal, action, resource) when { if context.call.mfa then 1 else true };`,
	`permit (principal, action, resource) when { decimal(principal.zone) == decimal("1.0") };`,
	`permit (principal, action, resource) when { decimal("1.23456") == decimal("1.0") };`,
	`permit (principal, action, resource) when { ip("no").isLoopback() };`,
	`permit (principal, action, resource) when { [1, "a"].contains(1) };`,
	`permit (principal, action, resource) when { [].isEmpty() };`,
	`permit (principal, action, resource) when { 3 };`,
	`permit (principal, action, resource) when { !principal.zone };`,
	`permit (principal, action, resource) when { principal in 3 };`,
	`permit (principal, action, resource) when { principal.getTag("x") == "y" };`,
}

// TestCedarInRustRefusesTypeErrors: a table of errors of types is refused by
// both validators.
func TestCedarInRustRefusesTypeErrors(t *testing.T) {
	s := policytest.World(rand.New(rand.NewPCG(0, 6)).IntN)
	var questions []question
	for _, text := range typeErrors {
		if _, problems := policy.Compile(s, []policy.Source{{Name: "p", Text: text}}); len(problems) == 0 {
			t.Errorf("we accept: %s", text)
		}
		questions = append(questions, question{Ask: "validate", Policies: []string{text}, Schema: policy.Schema(s)})
	}
	for i, a := range askRust(t, questions) {
		if len(a.Failed) > 0 || len(a.Errors) == 0 {
			t.Errorf("Rust: %v\n%s", a.Failed, typeErrors[i])
		}
	}
}

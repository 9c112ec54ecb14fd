package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"ostiary.dev/ostiary/internal/registry"
)

// fixedSchema is the part that every gateway has.
const fixedSchema = `  entity Tenant;
  entity Role in [Role, Tenant];
  entity Client in [Role, Tenant] { tenant: Tenant, zone: String, clearance: Set<String> };
  entity Person in [Role, Tenant];
  entity Server in [Tenant] { labels: Set<String>, zone: String, state: String };
  entity Tool, Resource, Prompt in [Server] { labels: Set<String> };
  entity Record in [Server] { labels: Set<String>, purposes: Set<String>, owner: Client };
  type Call = {
    auth_strength: Long, mfa: Bool, time: datetime, ip?: ipaddr, chain: Set<Person>, purpose: String,
    signature_state: String, facts: Set<String>, session_labels: Set<String>, scopes: Set<String>, approved: Bool
  };
  action read, write, modify;
`

// Schema returns the Cedar schema of s: one action for each tool, in the group
// of its class, with the arguments that its definition names. A tool that nobody
// classified is in modify; one with a class that is not known is in no group.
func Schema(s *registry.Snapshot) string {
	return schemaOf(s, func(*registry.Server, *registry.Tool, string) bool { return true })
}

// schemaOf is Schema with the tools that keep wants; args is the text of their
// arguments' type.
func schemaOf(s *registry.Snapshot, keep func(server *registry.Server, t *registry.Tool, args string) bool) string {
	var b strings.Builder
	groups := map[registry.Access]bool{registry.Read: true} // has actions
	b.WriteString("namespace Ostiary {\n" + fixedSchema)
	for _, a := range fixedActions {
		fmt.Fprintf(&b, "  action %s in [read] appliesTo { principal: [Client], resource: [%s], context: { call: Call } };\n", a.name, a.on)
	}
	for _, server := range s.Servers() {
		if server.State == registry.Retired || server.State == registry.Rejected {
			continue
		}
		for i := range server.Tools {
			t := &server.Tools[i]
			var args strings.Builder
			argumentsOf(t).write(&args)
			if !keep(server, t, args.String()) {
				continue
			}
			group := ""
			if access := class(t); rank(access) > 0 {
				group, groups[access] = " in ["+string(access)+"]", true
			}
			fmt.Fprintf(&b, "  action %s%s appliesTo { principal: [Client], resource: [Tool], context: { call: Call, args: %s } };\n",
				quoted(callAction(server.ID, t.Name)), group, args.String())
		}
	}
	// A group without a tool has an action that nobody can call, so that a
	// policy can come before the tools that it is about.
	for _, access := range []registry.Access{registry.Write, registry.Modify} {
		if !groups[access] {
			fmt.Fprintf(&b, "  action \"none:%s\" in [%s] appliesTo { principal: [Client], resource: [Tool], context: { call: Call, args: {} } };\n", access, access)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// write appends the type in Cedar's notation.
func (s *shape) write(b *strings.Builder) {
	switch s.form {
	case formText:
		b.WriteString("String")
	case formLong:
		b.WriteString("Long")
	case formNumber:
		b.WriteString("decimal")
	case formBool:
		b.WriteString("Bool")
	case formSet:
		b.WriteString("Set<")
		s.item.write(b)
		b.WriteString(">")
	case formRecord:
		b.WriteString("{")
		for i, m := range s.members {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoted(m.name))
			if !m.required {
				b.WriteString("?")
			}
			b.WriteString(": ")
			m.shape.write(b)
		}
		b.WriteString("}")
	}
}

// quoted returns a string in Cedar's notation.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// check validates rules against the schema of s. A rule whose scope names one
// server is only held against the tools of that one, and of tools that look the
// same in a schema one stands for all: each rule is checked with every action
// that it could meet, and a thousand tools with a thousand rules are a million.
func check(s *registry.Snapshot, rules []*rule) (problems []Problem) {
	named := map[string]bool{}
	homes := map[string][]*rule{}
	for _, r := range rules {
		homes[r.home] = append(homes[r.home], r)
		for _, m := range actionNames.FindAllStringSubmatch(r.text(), -1) {
			named[m[1]] = true
		}
	}
	wrong := map[*rule]string{}
	for home, list := range homes {
		v, err := validator(schemaOf(s, concerned(home, named)))
		if err != nil {
			return []Problem{{File: "schema", Message: "the schema of the registered tools cannot be made: " + err.Error()}}
		}
		for _, r := range list {
			if err := v.Policy(r.id, r.ast); err != nil {
				wrong[r] = oneLine(err.Error())
			}
		}
	}
	for _, r := range rules {
		if text := wrong[r]; text != "" {
			problems = append(problems, at(r.policy, text))
		}
	}
	return problems
}

// actionNames finds the actions that a policy names, as quoted writes them.
var actionNames = regexp.MustCompile(`Action::("(?:[^"\\]|\\.)*")`)

// concerned picks the tools that rules of one home are checked with: those that
// some rule names, and one of each look of that server, or of all for "".
func concerned(home string, named map[string]bool) func(*registry.Server, *registry.Tool, string) bool {
	seen := map[string]bool{}
	return func(server *registry.Server, t *registry.Tool, args string) bool {
		if named[quoted(callAction(server.ID, t.Name))] {
			return true
		}
		look := string(class(t)) + " " + args
		if home != "" && server.ID != home || seen[look] {
			return false
		}
		seen[look] = true
		return true
	}
}

func validator(text string) (*validate.Validator, error) {
	var parsed schema.Schema
	if err := parsed.UnmarshalCedar([]byte(text)); err != nil {
		return nil, err
	}
	resolved, err := parsed.Resolve()
	if err != nil {
		return nil, err
	}
	if resolved == nil {
		return nil, errors.New("it is empty")
	}
	return validate.New(resolved), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

package policy

import (
	"errors"
	"fmt"
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
	var b strings.Builder
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
			group := ""
			if access := class(t); rank(access) > 0 {
				group = " in [" + string(access) + "]"
			}
			fmt.Fprintf(&b, "  action %s%s appliesTo { principal: [Client], resource: [Tool], context: { call: Call, args: ",
				quoted(callAction(server.ID, t.Name)), group)
			argumentsOf(t).write(&b)
			b.WriteString(" } };\n")
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

// check validates rules against the schema of s.
func check(s *registry.Snapshot, rules []*rule) (problems []Problem) {
	if len(rules) == 0 {
		return nil
	}
	v, err := validator(s)
	if err != nil {
		return []Problem{{File: "schema", Message: "the schema of the registered tools cannot be made: " + err.Error()}}
	}
	for _, r := range rules {
		if err := v.Policy(r.id, r.ast); err != nil {
			problems = append(problems, at(r.policy, oneLine(err.Error())))
		}
	}
	return problems
}

func validator(s *registry.Snapshot) (*validate.Validator, error) {
	var parsed schema.Schema
	if err := parsed.UnmarshalCedar([]byte(Schema(s))); err != nil {
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

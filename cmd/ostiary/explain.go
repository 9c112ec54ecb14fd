package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/identity"
)

var explainColumns = []string{"agent", "server", "tool", "decision", "reasons", "needs", "need", "have", "policy_version", "version", "fix"}

// maxArgsFile bounds the arguments of a hypothetical call.
const maxArgsFile = 1 << 20

// asked are the flags that describe a hypothetical call.
type asked struct {
	r        admin.Explain
	args, at string
	strength int
}

func (a *asked) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.r.Agent, "agent", "", "who calls")
	f.StringVar(&a.r.Server, "server", "", "the server")
	f.StringVar(&a.r.Tool, "tool", "", "the server's own name of the tool; without it: connecting and reading")
	f.StringVar(&a.args, "args", "", "arguments as a JSON object, @FILE or - ; without them: would some be allowed?")
	f.StringVar(&a.at, "at", "", "when, RFC 3339 (default: now)")
	f.StringVar(&a.r.IP, "ip", "", "address of the caller")
	f.StringVar(&a.r.Purpose, "purpose", "", "what for (default: the grant's purpose)")
	f.IntVar(&a.strength, "strength", 0, "how strongly the caller proved itself, 1 to 4, just now")
	f.BoolVar(&a.r.Approved, "approved", false, "as if a person had approved the call")
}

// request reads the call from the flags and, where they are not set, from the
// positions AGENT SERVER [TOOL].
func (a *asked) request(c *cli, given []string) (admin.Explain, error) {
	for i, into := range []*string{&a.r.Agent, &a.r.Server, &a.r.Tool} {
		if i >= len(given) {
			break
		}
		if *into != "" && *into != given[i] {
			return a.r, invalid("name it once", "%q and %q name the same thing", *into, given[i])
		}
		*into = given[i]
	}
	if a.r.Agent == "" || a.r.Server == "" {
		return a.r, invalid("add --agent A --server S", "agent and server are needed")
	}
	if a.strength < 0 || a.strength > int(identity.Passkey) {
		return a.r, invalid("use 1 (bearer) to 4 (passkey)", "there is no strength %d", a.strength)
	}
	a.r.Strength = identity.Strength(a.strength)
	if a.at != "" {
		at, err := time.Parse(time.RFC3339, a.at)
		if err != nil {
			return a.r, invalid("use RFC 3339, such as 2026-08-01T09:00:00Z", "%q is not a time", a.at)
		}
		a.r.At = &at
	}
	text, err := c.inline(a.args)
	if err != nil {
		return a.r, err
	}
	if len(text) > 0 && !json.Valid(text) {
		return a.r, invalid(`give one JSON object, such as '{"path": "/a"}'`, "the arguments are not JSON")
	}
	a.r.Args = text
	return a.r, nil
}

// inline returns a value itself, what is in @FILE, or what is on stdin for -.
func (c *cli) inline(value string) ([]byte, error) {
	var in io.Reader
	switch {
	case value == "-":
		in = c.stdin
	case strings.HasPrefix(value, "@"):
		f, err := os.Open(value[1:])
		if err != nil {
			return nil, invalid("check the path", "%v", err)
		}
		defer f.Close()
		in = f
	default:
		return []byte(value), nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxArgsFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the arguments: %w", err)
	}
	if len(text) > maxArgsFile {
		return nil, invalid("", "the arguments are longer than %d bytes", maxArgsFile)
	}
	return text, nil
}

func newExplain(c *cli) *cobra.Command {
	var a asked
	cmd := &cobra.Command{Use: "explain [AGENT SERVER [TOOL]]", Short: "Say what the gateway would decide, and why", Args: args(0, 3),
		RunE: func(cmd *cobra.Command, given []string) error {
			r, err := a.request(c, given)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				e, err := api.Explain(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.printExplanation(e)
			})
		}}
	a.flags(cmd)
	return cmd
}

// printExplanation prints a decision. JSON and YAML carry its members at the top
// too, beside the list that every command has.
func (c *cli) printExplanation(e admin.Explanation) error {
	p := page{kind: "Explanation", items: []admin.Explanation{e}, wide: true, columns: explainColumns}
	if c.output != "json" && c.output != "yaml" {
		return c.print(p)
	}
	whole := struct {
		APIVersion string              `json:"apiVersion"`
		Envelope   string              `json:"kind"`
		Items      []admin.Explanation `json:"items"`
		NextCursor string              `json:"nextCursor"`
		Decision   string              `json:"decision"`
		Reasons    []string            `json:"reasons"`
		Policy     uint64              `json:"policy_version"`
		Refusal    string              `json:"refusal,omitempty"`
		Need       string              `json:"need,omitempty"`
		Needs      string              `json:"needs,omitempty"`
		Fix        string              `json:"fix,omitempty"`
	}{apiVersion, p.kind, []admin.Explanation{e}, "", e.Decision, e.Reasons, e.Policy, e.Kind, string(e.Need), e.Needs, e.Fix}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err == nil && c.output == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", strings.TrimRight(string(text), "\n"))
	return err
}

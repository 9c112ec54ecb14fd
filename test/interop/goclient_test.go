//lint:file-ignore SA1019 Features that the protocol deprecates are still in it, so they are exercised.

package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"ostiary.dev/ostiary/test/doortest"
)

// goPeer is a client of the Go SDK under way.
type goPeer struct {
	session                    *mcp.ClientSession
	sampling, elicitation, log atomic.Int64
	progress                   atomic.Pointer[func()] // called on each progress notification
}

// goClient carries a plan out with the Go SDK.
func goClient(t *testing.T, p plan) report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	peer := &goPeer{}
	options := &mcp.ClientOptions{
		CreateMessageHandler:        peer.sample,
		ElicitationHandler:          peer.elicit,
		LoggingMessageHandler:       func(context.Context, *mcp.LoggingMessageRequest) { peer.log.Add(1) },
		ProgressNotificationHandler: peer.progressed,
	}
	c := mcp.NewClient(&mcp.Implementation{Name: "interop-go", Version: "1"}, options)
	c.AddRoots(&mcp.Root{URI: "file:///interop", Name: "interop"})
	transport, closeIdle := goTransport(t, p)
	defer closeIdle()
	version := map[string]string{"legacy": doortest.LegacyVersion, "modern": doortest.ModernVersion}[p.Era]
	session, err := c.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	peer.session = session
	out := report{Version: session.InitializeResult().ProtocolVersion}
	for i, s := range p.Steps {
		v, err := peer.step(ctx, s)
		if err != nil {
			t.Fatalf("step %d, %s %s%s: %v", i, s.Do, s.Name, s.URI, err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Steps = append(out.Steps, raw)
	}
	if err := session.Close(); err != nil && p.Command == nil {
		t.Errorf("close: %v", err)
	}
	out.Counts = map[string]int{"sampling": int(peer.sampling.Load()), "elicitation": int(peer.elicitation.Load())}
	return out
}

// bearer adds the token to every request.
type bearer struct {
	token string
	next  *http.Transport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

func goTransport(t *testing.T, p plan) (mcp.Transport, func()) {
	t.Helper()
	if p.Command != nil {
		cmd := exec.Command(p.Command[0], p.Command[1:]...)
		cmd.Env = os.Environ()
		for k, v := range p.Env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		return &mcp.CommandTransport{Command: cmd}, func() {}
	}
	next := &http.Transport{}
	if p.CA != "" {
		pem, err := os.ReadFile(p.CA)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		next.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
		next.ForceAttemptHTTP2 = true
	}
	return &mcp.StreamableClientTransport{Endpoint: p.URL, HTTPClient: &http.Client{Transport: bearer{p.Token, next}}}, next.CloseIdleConnections
}

func (g *goPeer) sample(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	g.sampling.Add(1)
	return &mcp.CreateMessageResult{Role: "assistant", Model: "interop-model", Content: &mcp.TextContent{Text: "sampled text"}}, nil
}

func (g *goPeer) elicit(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	g.elicitation.Add(1)
	raw, err := json.Marshal(r.Params.RequestedSchema)
	if err != nil {
		return nil, err
	}
	var schema requested
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, err
	}
	return &mcp.ElicitResult{Action: "accept", Content: schema.fill()}, nil
}

// requested is an elicitation's schema, as far as fill reads it.
type requested struct {
	Required   []string `json:"required"`
	Properties map[string]struct {
		Type    string `json:"type"`
		Default any    `json:"default"`
		Enum    []any  `json:"enum"`
		OneOf   []struct {
			Const any `json:"const"`
		} `json:"oneOf"`
	} `json:"properties"`
}

// fill makes the smallest content that the schema accepts.
func (r requested) fill() map[string]any {
	content := map[string]any{}
	for _, name := range r.Required {
		p := r.Properties[name]
		switch {
		case p.Default != nil:
			content[name] = p.Default
		case len(p.Enum) > 0:
			content[name] = p.Enum[0]
		case len(p.OneOf) > 0:
			content[name] = p.OneOf[0].Const
		default:
			content[name] = map[string]any{"string": "interop", "integer": 1, "number": 1, "boolean": true, "array": []any{}}[p.Type]
		}
	}
	return content
}

func (g *goPeer) progressed(context.Context, *mcp.ProgressNotificationClientRequest) {
	if f := g.progress.Load(); f != nil {
		(*f)()
	}
}

// refused turns a refusal by JSON-RPC error into a value; all else is an error.
func refused(v any, err error) (any, error) {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) {
		return map[string]int64{"error": wire.Code}, nil
	}
	return v, err
}

func (g *goPeer) step(ctx context.Context, s step) (any, error) {
	switch s.Do {
	case "tools":
		r, err := g.session.ListTools(ctx, nil)
		return names(r, err, func(r *mcp.ListToolsResult) []*mcp.Tool { return r.Tools }, func(t *mcp.Tool) string { return t.Name })
	case "resources":
		r, err := g.session.ListResources(ctx, nil)
		return names(r, err, func(r *mcp.ListResourcesResult) []*mcp.Resource { return r.Resources }, func(r *mcp.Resource) string { return r.URI })
	case "templates":
		r, err := g.session.ListResourceTemplates(ctx, nil)
		return names(r, err, func(r *mcp.ListResourceTemplatesResult) []*mcp.ResourceTemplate { return r.ResourceTemplates },
			func(r *mcp.ResourceTemplate) string { return r.URITemplate })
	case "prompts":
		r, err := g.session.ListPrompts(ctx, nil)
		return names(r, err, func(r *mcp.ListPromptsResult) []*mcp.Prompt { return r.Prompts }, func(p *mcp.Prompt) string { return p.Name })
	case "read":
		r, err := g.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: s.URI})
		if err != nil {
			return refused(nil, err)
		}
		return r.Contents, nil
	case "prompt":
		args := map[string]string{}
		for k, v := range s.Arguments {
			args[k] = fmt.Sprint(v)
		}
		r, err := g.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: s.Name, Arguments: args})
		if err != nil {
			return refused(nil, err)
		}
		return r.Messages, nil
	case "complete":
		ref := &mcp.CompleteReference{Type: "ref/prompt", Name: fmt.Sprint(s.Ref["name"])}
		arg := mcp.CompleteParamsArgument{Name: fmt.Sprint(s.Argument["name"]), Value: fmt.Sprint(s.Argument["value"])}
		r, err := g.session.Complete(ctx, &mcp.CompleteParams{Ref: ref, Argument: arg})
		if err != nil {
			return refused(nil, err)
		}
		return r.Completion.Values, nil
	case "call":
		return g.call(ctx, s)
	case "cancel":
		return g.cancel(ctx, s)
	}
	return nil, fmt.Errorf("unknown step %s", s.Do)
}

// names sorts the names of a list.
func names[R, E any](r R, err error, items func(R) []E, name func(E) string) (any, error) {
	if err != nil {
		return refused(nil, err)
	}
	var out []string
	for _, e := range items(r) {
		out = append(out, name(e))
	}
	slices.Sort(out)
	return out, nil
}

func (s step) params() *mcp.CallToolParams {
	p := &mcp.CallToolParams{Name: s.Name, Arguments: s.Arguments}
	if s.Arguments == nil {
		p.Arguments = map[string]any{}
	}
	if s.Progress || s.Do == "cancel" {
		p.SetProgressToken("interop-" + s.Do)
	}
	return p
}

func (g *goPeer) call(ctx context.Context, s step) (any, error) {
	var progress atomic.Bool
	seen := func() { progress.Store(true) }
	g.progress.Store(&seen)
	defer g.progress.Store(nil)
	r, err := g.session.CallTool(ctx, s.params())
	if err != nil {
		return refused(nil, err)
	}
	out := map[string]any{"isError": r.IsError}
	if !s.Volatile {
		out["content"] = r.Content
	}
	if r.StructuredContent != nil {
		out["structuredContent"] = r.StructuredContent
	}
	if s.Progress {
		out["progress"] = progress.Load()
	}
	return out, nil
}

// cancel gives the call up at its first sign of life.
func (g *goPeer) cancel(ctx context.Context, s step) (any, error) {
	inner, giveUp := context.WithCancel(ctx)
	defer giveUp()
	seen := func() { giveUp() }
	g.progress.Store(&seen)
	defer g.progress.Store(nil)
	_, err := g.session.CallTool(inner, s.params())
	if err == nil {
		return "finished", nil
	}
	if inner.Err() == nil {
		return nil, err
	}
	return "cancelled", nil
}

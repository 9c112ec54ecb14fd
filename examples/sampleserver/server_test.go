package main

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// connect returns a client of a fresh sample server that asks for one protocol
// version.
func connect(t *testing.T, version string) *mcp.ClientSession {
	t.Helper()
	ours, theirs := mcp.NewInMemoryTransports()
	served, err := newServer(new(notes)).Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), ours, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		if err := served.Wait(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// eras names a protocol version of each era.
func eras() map[string]string {
	return map[string]string{"legacy": "2025-11-25", "modern": "2026-07-28"}
}

// call returns the text of a tool's answer and whether it is an error.
func call(t *testing.T, s *mcp.ClientSession, tool string, args any) (string, bool) {
	t.Helper()
	r, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(r.Content) != 1 {
		t.Fatalf("%s answered %d contents, want 1", tool, len(r.Content))
	}
	c, ok := r.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("%s answered %T, want text", tool, r.Content[0])
	}
	return c.Text, r.IsError
}

func TestServerInBothEras(t *testing.T) {
	for era, version := range eras() {
		t.Run(era, func(t *testing.T) {
			s := connect(t, version)
			if got := s.InitializeResult().ProtocolVersion; got != version {
				t.Fatalf("the session speaks %s, want %s", got, version)
			}
			for _, one := range []struct {
				tool string
				args map[string]any
				want string
			}{
				{"echo", map[string]any{"text": "hello"}, "hello"},
				{"add", map[string]any{"a": 2, "b": 0.5}, "2.5"},
				{"note_write", map[string]any{"text": "buy milk"}, "kept as note 1"},
				{"note_write", map[string]any{"text": "sell milk"}, "kept as note 2"},
			} {
				if got, failed := call(t, s, one.tool, one.args); got != one.want || failed {
					t.Errorf("%s(%v) = %q, error %v; want %q", one.tool, one.args, got, failed, one.want)
				}
			}
			r, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: notesURI})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Contents) != 1 || r.Contents[0].Text != "buy milk\nsell milk" {
				t.Errorf("%s = %+v", notesURI, r.Contents)
			}
			p, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "summarize", Arguments: map[string]string{"text": "a long story"}})
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := p.Messages[0].Content.(*mcp.TextContent); !ok || !strings.HasSuffix(c.Text, "a long story") {
				t.Errorf("the prompt is %+v", p.Messages[0].Content)
			}
		})
	}
}

func TestToolsSayWhetherTheyRead(t *testing.T) {
	s := connect(t, "2026-07-28")
	r, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, tool := range r.Tools {
		got[tool.Name] = tool.Annotations.ReadOnlyHint
	}
	want := map[string]bool{"echo": true, "add": true, "note_write": false}
	if len(got) != len(want) {
		t.Errorf("tools are %v", got)
	}
	for name, reads := range want {
		if got[name] != reads {
			t.Errorf("%s says it reads: %v, want %v", name, got[name], reads)
		}
	}
}

func TestServerRefuses(t *testing.T) {
	s := connect(t, "2026-07-28")
	for name, one := range map[string]struct {
		tool string
		args map[string]any
	}{
		"an empty note":           {"note_write", map[string]any{"text": " "}},
		"a note of two lines":     {"note_write", map[string]any{"text": "a\nb"}},
		"a note that is too long": {"note_write", map[string]any{"text": strings.Repeat("a", maxNoteBytes+1)}},
		"a sum beyond numbers":    {"add", map[string]any{"a": 1e308, "b": 1e308}},
		"a missing argument":      {"echo", map[string]any{}},
		"an unknown argument":     {"echo", map[string]any{"text": "a", "more": 1}},
	} {
		if got, failed := call(t, s, one.tool, one.args); !failed {
			t.Errorf("%s: %q is no error", name, got)
		}
	}
	if _, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "summarize"}); err == nil {
		t.Error("a prompt without its text is no error")
	}
	if _, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "note://other"}); err == nil {
		t.Error("an unknown resource is no error")
	}
}

func TestNotesAreBounded(t *testing.T) {
	n := new(notes)
	for i := range maxNotes {
		if got, err := n.add("note"); err != nil || got != i+1 {
			t.Fatalf("note %d: %d, %v", i+1, got, err)
		}
	}
	if _, err := n.add("one more"); err == nil {
		t.Error("a note beyond the bound is kept")
	}
	if len(n.all()) != maxNotes {
		t.Errorf("%d notes are kept, want %d", len(n.all()), maxNotes)
	}
}

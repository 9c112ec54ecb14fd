package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// notesURI is the resource that holds every note, one a line.
const notesURI = "note://all"

// newServer returns the sample server over n.
func newServer(n *notes) *mcp.Server {
	s := mcp.NewServer(
		&mcp.Implementation{Name: "sample-server", Title: "Ostiary's sample server", Version: "1.0.0"},
		&mcp.ServerOptions{Instructions: "A sample: echo and add read, note_write keeps a note, note://all shows the notes."})
	addTools(s, n)
	s.AddResource(&mcp.Resource{Name: "notes", URI: notesURI, MIMEType: "text/plain",
		Description: "Every note that note_write keeps, one a line."},
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{
				{URI: notesURI, MIMEType: "text/plain", Text: strings.Join(n.all(), "\n")}}}, nil
		})
	s.AddPrompt(&mcp.Prompt{Name: "summarize", Description: "Asks for a short summary of a text.",
		Arguments: []*mcp.PromptArgument{{Name: "text", Description: "The text to summarize.", Required: true}}}, summarize)
	return s
}

// text is the argument and the result of echo.
type text struct {
	Text string `json:"text" jsonschema:"the text"`
}

// terms are the arguments of add.
type terms struct {
	A float64 `json:"a" jsonschema:"the first number"`
	B float64 `json:"b" jsonschema:"the second number"`
}

// total is the result of add.
type total struct {
	Sum float64 `json:"sum" jsonschema:"a plus b"`
}

// kept is the result of note_write.
type kept struct {
	Notes int `json:"notes" jsonschema:"how many notes there are now"`
}

// errSum says that a sum is no number that JSON can carry.
var errSum = errors.New("the sum is too large")

func addTools(s *mcp.Server, n *notes) {
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(false)}
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "Answers with the text that it gets.", Annotations: reads},
		func(_ context.Context, _ *mcp.CallToolRequest, in text) (*mcp.CallToolResult, text, error) {
			return said(in.Text), in, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "add", Description: "Adds two numbers.", Annotations: reads},
		func(_ context.Context, _ *mcp.CallToolRequest, in terms) (*mcp.CallToolResult, total, error) {
			sum := in.A + in.B
			if math.IsInf(sum, 0) {
				return nil, total{}, errSum
			}
			return said(fmt.Sprint(sum)), total{Sum: sum}, nil
		})
	writes := &mcp.ToolAnnotations{DestructiveHint: new(false), OpenWorldHint: new(false)}
	mcp.AddTool(s, &mcp.Tool{Name: "note_write", Description: "Keeps a note until this server ends.", Annotations: writes},
		func(_ context.Context, _ *mcp.CallToolRequest, in text) (*mcp.CallToolResult, kept, error) {
			count, err := n.add(in.Text)
			if err != nil {
				return nil, kept{}, err
			}
			return said(fmt.Sprintf("kept as note %d", count)), kept{Notes: count}, nil
		})
}

// said is a result of one text.
func said(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

func summarize(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	given := r.Params.Arguments["text"]
	if given == "" || !utf8.ValidString(given) {
		return nil, errors.New("the argument text is missing")
	}
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user",
		Content: &mcp.TextContent{Text: "Summarize this text in at most three sentences:\n\n" + given}}}}, nil
}

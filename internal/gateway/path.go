// Package gateway is the path: the one ordered list of steps that every
// exchange walks, and the loop that walks it. Start reading here.
//
// It may call the verbs and the exchange, and starts no listener, opens no
// connection and knows no policy of its own. It deliberately has no
// middleware: a step cannot skip, repeat or reorder another. docs/path.md is
// its picture; path_test.go pins its order.
package gateway

import (
	"context"

	"ostiary.dev/ostiary/internal/exchange"
)

// Steps are the functions that the path calls, one field per place. app fills
// it; a nil field is a bug that New reports.
type Steps struct {
	Identify  func(context.Context, *exchange.Exchange) error // who calls
	Read      func(context.Context, *exchange.Exchange) error // what they ask; only now is the body read
	Asked     func(context.Context, *exchange.Exchange) error // do they want a proof; the server is not told
	Split     func(context.Context, *exchange.Exchange) error // /mcp: one part per server
	Authorize func(context.Context, *exchange.Exchange) error // may they
	Hide      func(context.Context, *exchange.Exchange) error // what of it the server may see
	Open      func(context.Context, *exchange.Exchange) error // record it before any effect
	Forward   func(context.Context, *exchange.Exchange) error // the only step that reaches a server

	Response func(context.Context, *exchange.Exchange) error // no receipt but ours
	Answer   func(context.Context, *exchange.Exchange) error // may this answer reach them
	Withhold func(context.Context, *exchange.Exchange) error // what of it they may see

	Return func(context.Context, *exchange.Exchange) error // tells the server x.Back
	Close  func(context.Context, *exchange.Exchange) error // record how it ended; always runs
	Reply  func(context.Context, *exchange.Exchange)       // the receipt of what is recorded now
	Still  func(*exchange.Exchange) error                  // may an exchange under way go on
	Passed func(*exchange.Exchange)                        // x.Message has reached the caller
	Done   func(*exchange.Exchange)                        // metrics and traces; after Close
}

// path is the list. arrive ends when the request is known; from there on the
// exchange has the lifetime that its era demands.
type path struct {
	arrive []exchange.Step
	toward []exchange.Step
	onward []exchange.Step // from here on the exchange can be ended from outside
	back   []exchange.Step
}

func newPath(s Steps) path {
	return path{
		arrive: []exchange.Step{
			{Name: "identify.Caller", Run: s.Identify},
			{Name: "admit.Read", Run: s.Read},
		},
		toward: []exchange.Step{
			{Name: "attest.Request", Run: s.Asked},
			{Name: "aggregate.Split", Run: s.Split},
			{Name: "authorize.Call", Run: s.Authorize},
			{Name: "protect.Request", Run: s.Hide},
			{Name: "record.Open", Run: s.Open},
		},
		onward: []exchange.Step{
			{Name: "forward.Send", Run: s.Forward},
		},
		back: []exchange.Step{
			{Name: "attest.Response", Run: s.Response},
			{Name: "authorize.Answer", Run: s.Answer},
			{Name: "protect.Answer", Run: s.Withhold},
		},
	}
}

// Names returns the steps in order, for the test that pins them and for docs.
func (p path) Names() []string {
	var names []string
	for _, leg := range [][]exchange.Step{p.arrive, p.toward, p.onward, p.back} {
		for _, s := range leg {
			names = append(names, s.Name)
		}
	}
	return append(names, "record.Close", "attest.Reply")
}

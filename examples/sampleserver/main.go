// Command sampleserver is a small MCP server over stdio, for trying the gateway
// out: `make run` registers it.
//
// It has two tools that read (echo, add), one that writes (note_write), one
// resource (note://all) and one prompt (summarize). Notes live in memory and
// end with the process. It touches its standard streams only, deliberately has
// no file and no network, and is no part of the gateway. It follows MCP
// 2026-07-28 and the versions before it (https://modelcontextprotocol.io),
// by the official Go SDK.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newServer(new(notes)).Run(ctx, &mcp.StdioTransport{})
	ended := ctx.Err() != nil
	stop()
	if err != nil && !ended {
		fmt.Fprintln(os.Stderr, "sampleserver:", err)
		os.Exit(1)
	}
}

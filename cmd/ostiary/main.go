// Command ostiary is the gateway, its operators' command line and the stdio
// shim, in one binary.
//
// It reads flags and the environment, starts one subcommand per file and owns
// the exit codes (ostiary help exit-codes). It deliberately has no logic: what
// a command does is in internal/admin and internal/app, so that every other
// face of the gateway does the same.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"ostiary.dev/ostiary/internal/app"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, process{args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.LookupEnv,
		exposed: app.Undumpable()}) // before anything secret is read
	stop()
	os.Exit(code)
}

// process is what the system gives a run of the command.
type process struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        func(string) (string, bool)
	exposed        error // why a crash of this process may leave its memory on a disk
}

// run runs one command and returns its exit code.
func run(ctx context.Context, p process) int {
	c := &cli{process: p}
	root := newRoot(c)
	root.SetArgs(p.args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return c.fail(ctx, err)
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
)

func newUp(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Run the gateway until SIGTERM",
		Long: "up serves MCP clients until it gets SIGTERM, and then lets running calls end.\n" +
			"SIGHUP, or a change of ostiary.yaml, re-reads the configuration.",
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.up(cmd.Context()) },
	}
}

func (c *cli) up(ctx context.Context) (err error) {
	o := c.options(connectWait)
	o.Log = c.stderr
	a, err := app.Open(ctx, c.dir, o)
	if err != nil {
		return err
	}
	defer func() {
		if e := a.Close(); err == nil {
			err = e
		}
	}()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return a.Up(ctx, app.UpOptions{
		Reload:   hup,
		Notify:   c.notifier(),
		Watchdog: c.watchdog(),
		Ready:    func(address string) { fmt.Fprintln(c.stderr, "ready: MCP clients are served at https://"+address) },
	})
}

// notifier tells systemd about the service's state, when it asked to be told.
func (c *cli) notifier() func(string) error {
	socket, ok := c.environ("NOTIFY_SOCKET")
	if !ok || socket == "" {
		return nil
	}
	return func(state string) error { return app.Notify(socket, state) }
}

// watchdog is how often systemd wants to hear from this process.
func (c *cli) watchdog() time.Duration {
	text, _ := c.environ("WATCHDOG_USEC")
	if pid, ok := c.environ("WATCHDOG_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

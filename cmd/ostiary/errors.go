package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/fault"
)

// The exit codes; they never change (ostiary help exit-codes).
const (
	exitOK          = 0
	exitOther       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitAuth        = 4
	exitDenied      = 5
	exitPending     = 6
	exitIntegrity   = 7
	exitDrift       = 8
	exitUnavailable = 9
	exitInterrupted = 130
)

// failure is an error as a command prints it.
type failure struct {
	Code     string       `json:"code"`
	Message  string       `json:"message"`
	Cause    string       `json:"cause,omitempty"`
	Fix      string       `json:"fix,omitempty"`
	Docs     string       `json:"docs"`
	Problems app.Problems `json:"problems,omitempty"` // of a configuration file
	exit     int
}

// fail prints err and returns the exit code.
func (c *cli) fail(ctx context.Context, err error) int {
	f := describe(err)
	if ctx.Err() != nil {
		f.exit = exitInterrupted
	}
	if c.output == "json" || c.output == "jsonl" {
		text, err := json.Marshal(map[string]any{"apiVersion": apiVersion, "kind": "Error", "error": f})
		if err != nil {
			return exitOther
		}
		fmt.Fprintln(c.stderr, string(text))
		return f.exit
	}
	fmt.Fprintln(c.stderr, "error:", f.Message)
	for _, p := range f.Problems {
		fmt.Fprintln(c.stderr, "  "+p.String())
	}
	if f.Cause != "" {
		fmt.Fprintln(c.stderr, "cause:", f.Cause)
	}
	if f.Fix != "" {
		fmt.Fprintln(c.stderr, "fix:  ", f.Fix)
	}
	return f.exit
}

// describe finds message, cause, fix and exit code of an error.
func describe(err error) failure {
	f := failure{Code: "internal", Message: err.Error(), exit: exitOther}
	var a *admin.Error
	var problems app.Problems
	var broken *auditlog.Broken
	var refused *fault.Error
	switch {
	case errors.As(err, &a):
		f = failure{Code: string(a.Code), Message: a.Message, Cause: a.Cause, Fix: a.Fix, exit: exitOf(a.Code)}
	case errors.As(err, &broken):
		f = failure{Code: "integrity", Message: "the log does not verify: " + err.Error(), exit: exitIntegrity,
			Fix: "keep the data directory as it is, and compare with a witness, an export or a backup"}
	case errors.As(err, &problems):
		f = failure{Code: "invalid", Message: "the configuration is not valid", Problems: problems,
			Fix: "correct each line; ostiary config schema describes every key", exit: exitUsage}
	case errors.Is(err, errDiffers):
		f = failure{Code: "differs", Message: err.Error(), Fix: "correct the profile or the cases", exit: exitOther}
	case errors.Is(err, app.ErrNoGateway):
		f = failure{Code: "not_found", Message: err.Error(), Fix: "make one: ostiary init --dir DIR", exit: exitNotFound}
	case errors.Is(err, app.ErrGateway):
		f = failure{Code: "exists", Message: err.Error(), Fix: "choose another directory", exit: exitUsage}
	case errors.Is(err, app.ErrLocked):
		f = failure{Code: "unavailable", Message: err.Error(), Fix: "wait for the other command, or check with: ostiary status",
			exit: exitUnavailable}
	case errors.As(err, &refused):
		f = failure{Code: string(refused.Kind), Message: err.Error(), exit: exitOther}
		if refused.Kind == fault.UpstreamUnreachable || refused.Kind == fault.UpstreamLate {
			f.Fix, f.exit = "check that the gateway runs: ostiary status", exitUnavailable
		}
	case errors.Is(err, syscall.EADDRINUSE):
		f = failure{Code: "unavailable", Message: err.Error(), exit: exitUnavailable,
			Fix: "stop the program that has the address, or write another one to " + app.ConfigName}
	case strings.HasPrefix(err.Error(), "unknown command"):
		f = failure{Code: "invalid", Message: strings.ReplaceAll(err.Error(), "\n\n", "\n"), Fix: "see: ostiary --help", exit: exitUsage}
	}
	f.Docs = "ostiary help exit-codes"
	return f
}

func exitOf(c admin.Code) int {
	switch c {
	case admin.Invalid, admin.Exists:
		return exitUsage
	case admin.NotFound:
		return exitNotFound
	case admin.Integrity:
		return exitIntegrity
	case admin.Forbidden:
		return exitAuth
	case admin.Drift:
		return exitDrift
	case admin.Unavailable:
		return exitUnavailable
	}
	return exitOther
}

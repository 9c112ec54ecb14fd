// Command ostiary-verify checks what an Ostiary gateway gives away: an exported
// log, a proof, a receipt, an evidence pack. It needs public keys and reads
// files; it has no network, no configuration and no part of the gateway in it
// but the package verify.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ostiary.dev/ostiary/verify"
)

// version is set by the build.
var version = "dev"

// The exit codes, as those of ostiary.
const (
	exitOK        = 0
	exitOther     = 1 // a file could not be read
	exitUsage     = 2
	exitIntegrity = 7 // something does not verify
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// errUsage is a wrong command line.
var errUsage = errors.New("")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w"+format, append([]any{errUsage}, args...)...)
}

// run runs one command and returns the exit code.
func run(argv []string, stdout, stderr io.Writer) int {
	if len(argv) == 1 && (argv[0] == "--version" || argv[0] == "version") {
		fmt.Fprintln(stdout, "ostiary-verify", version)
		return exitOK
	}
	if len(argv) == 0 || argv[0] == "help" || argv[0] == "--help" || argv[0] == "-h" {
		fmt.Fprint(stdout, help)
		if len(argv) == 0 {
			return exitUsage
		}
		return exitOK
	}
	a, err := parseArgs(argv)
	if err == nil {
		var report any
		if report, err = a.run(stderr); err == nil {
			err = a.print(stdout, report)
		}
	}
	return finish(a, err, stderr)
}

// finish prints an error and returns the exit code.
func finish(a args, err error, stderr io.Writer) int {
	var b *verify.Broken
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "error: %s\n  ostiary-verify help shows how it is called\n", err)
		return exitUsage
	case errors.As(err, &b):
		if a.json {
			text, err := json.Marshal(map[string]any{"ok": false, "log": b.Log, "index": b.Index, "why": b.Why})
			if err == nil {
				fmt.Fprintln(stderr, string(text))
			}
			return exitIntegrity
		}
		fmt.Fprintln(stderr, "BROKEN:", b)
		if b.Index != verify.NoIndex {
			fmt.Fprintln(stderr, "first bad index:", b.Index)
		}
		return exitIntegrity
	}
	fmt.Fprintln(stderr, "error:", err)
	if errors.Is(err, fs.ErrNotExist) {
		return exitUsage
	}
	return exitOther
}

const help = `ostiary-verify checks what an Ostiary gateway gives away, with public keys alone.

  ostiary-verify log DIR --key FILE      an exported log
      --old FILE|DIR                     also: it extends an earlier checkpoint (or the earlier export DIR)
      --tiles-only                       a mirror without entries.jsonl
  ostiary-verify proof FILE --key FILE   a c2sp.org/tlog-proof
      --leaf FILE                        the entry, when the proof does not hold it
      --entry FILE                       also: its readable line
  ostiary-verify receipt FILE --key FILE a receipt, or an answer that holds one
      --answer FILE  --request FILE      also: it is of this answer, of this request
      --log-key FILE [--proof FILE]      also: its entry is in the log
  ostiary-verify evidence FILE --key FILE   an evidence pack

  --key FILE               public key of the log, or of receipts; may be given again
  --rotations FILE         hand-overs from the given key to later ones; log and evidence find their own
  --witness-policy FILE    the witnesses that must have signed the checkpoint (c2sp.org/tlog-policy)
  -o json                  the report as JSON

Exit codes: 0 all verifies, 7 something does not, 2 wrong call, 1 a file cannot be read.
`

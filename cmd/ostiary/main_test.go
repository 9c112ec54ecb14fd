package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ostiary": main, "fakeserver": fakeServer})
}

// TestScripts tells the command line as stories; UPDATE=1 rewrites what they
// expect.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":  ports,
			"append": appendFile, "vandal": vandal, "exits": exits, "grow": grow, "vkey": vkey, "witnessed": awaitWitness, "tile": tile, "exchange": exchangeOf, "evidence": evidence, "receipts": receipts,
			"serving": func(ts *testscript.TestScript, _ bool, args []string) { await(ts, args[0], "ok") },
			"checks":  func(ts *testscript.TestScript, _ bool, args []string) { await(ts, args[0], args[1]) },
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("OSTIARY_DIR", e.WorkDir+"/D")
			e.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

// ports sets each variable to a loopback address whose port was free.
func ports(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, l.Addr().String())
		ts.Check(l.Close())
	}
}

// await asks the admin listener at address until its checks hold want.
func await(ts *testscript.TestScript, address, want string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // the script knows whom it started
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	var last string
	for range 3000 {
		resp, err := client.Get("https://" + address + "/readyz?verbose")
		if err == nil {
			text, err := io.ReadAll(resp.Body)
			ts.Check(errors.Join(err, resp.Body.Close()))
			if last = string(text); resp.StatusCode == http.StatusOK && strings.Contains(last, want) {
				return
			}
		}
		<-poll.C
	}
	ts.Fatalf("%s never said %q; it said %q", address, want, last)
}

// walk calls visit for every command that can be run.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	if cmd.Runnable() {
		visit(cmd)
	}
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

func testRoot() *cobra.Command {
	c := &cli{process: process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		environ: func(string) (string, bool) { return "", false }}}
	root := newRoot(c)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	return root
}

func TestEveryCommandHasOutputHelpAndDirectory(t *testing.T) {
	n := 0
	walk(testRoot(), func(cmd *cobra.Command) {
		n++
		for _, flag := range []string{"output", "dir"} {
			if cmd.InheritedFlags().Lookup(flag) == nil && cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s has no --%s", cmd.CommandPath(), flag)
			}
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short text is %q", cmd.CommandPath(), cmd.Short)
		}
	})
	if n < 30 {
		t.Fatalf("only %d commands were found", n)
	}
}

// changes are the commands that change a gateway that exists.
var changes = []string{"server submit", "server scan", "server approve", "server reject", "server suspend", "server resume",
	"server retire", "tool approve", "tool set", "server set", "agent register", "agent set", "audit witness add", "audit witness remove", "agent renew", "agent suspend", "agent resume", "agent retire",
	"token create", "token revoke", "access grant", "access revoke"}

func TestEveryChangeCanBeTriedAndReasoned(t *testing.T) {
	root := testRoot()
	for _, path := range changes {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd.CommandPath() != "ostiary "+path {
			t.Fatalf("%s: %v", path, err)
		}
		for _, flag := range []string{"dry-run", "yes", "reason"} {
			if cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s has no --%s", path, flag)
			}
		}
	}
}

// TestEveryCommandAnswersInJSON runs every command without a gateway and with
// wrong arguments: whatever it says is JSON.
func TestEveryCommandAnswersInJSON(t *testing.T) {
	var paths [][]string
	walk(testRoot(), func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		if len(path) == 0 || path[0] == "completion" || path[0] == "help" || path[0] == "init" {
			return
		}
		paths = append(paths, path)
	})
	for _, path := range paths {
		t.Run(strings.Join(path, "-"), func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(context.Background(), process{args: append(path, "-o", "json", "--dir", t.TempDir()+"/none"),
				stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: func(string) (string, bool) { return "", false }})
			if out.Len() > 0 && !json.Valid(out.Bytes()) {
				t.Fatalf("stdout is not JSON: %s", out.String())
			}
			if code == exitOK {
				return
			}
			var e struct {
				APIVersion, Kind string
				Error            failure
			}
			if err := json.Unmarshal(errs.Bytes(), &e); err != nil || e.Kind != "Error" || e.Error.Message == "" || e.Error.Code == "" {
				t.Fatalf("exit %d, stderr is not an error object: %s", code, errs.String())
			}
		})
	}
}

func TestExitCodesAreStable(t *testing.T) {
	for code, want := range map[admin.Code]int{
		admin.Invalid: 2, admin.Exists: 2, admin.NotFound: 3, admin.Forbidden: 4, admin.Drift: 8, admin.Unavailable: 9,
		admin.Conflict: 1, admin.Failed: 1,
	} {
		if got := describe(fmt.Errorf("wrapped: %w", &admin.Error{Code: code})).exit; got != want {
			t.Errorf("%s: exit %d, want %d", code, got, want)
		}
	}
}

func TestCompletionProposesNames(t *testing.T) {
	dir := t.TempDir() + "/D"
	ask := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		p := process{args: append(args, "--dir", dir), stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
			environ: func(string) (string, bool) { return "", false }}
		if args[0] == "__complete" { // the directory comes first: the last word is the one to complete
			p.args = append([]string{"__complete", "--dir", dir}, args[1:]...)
		}
		if code := run(context.Background(), p); code != exitOK {
			t.Fatalf("%v: exit %d: %s", args, code, errs.String())
		}
		return out.String()
	}
	ask("init")
	ask("agent", "register", "my-app")
	ask("server", "submit", "wiki", "--url", "https://wiki.example.com/mcp")
	for want, args := range map[string][]string{
		"wiki":   {"__complete", "server", "approve", ""},
		"my-app": {"__complete", "access", "grant", ""},
		"grant":  {"__complete", "access", ""},
	} {
		if got := ask(args...); !strings.Contains(got, want) {
			t.Errorf("%v proposes %q, want %s", args[1:], got, want)
		}
	}
	if got := ask("__complete", "access", "grant", "my-app", ""); !strings.HasPrefix(got, "wiki\n") {
		t.Errorf("the second place proposes %q", got)
	}
}

func TestSchemaIsPrinted(t *testing.T) {
	var out bytes.Buffer
	code := run(context.Background(), process{args: []string{"config", "schema"}, stdin: strings.NewReader(""), stdout: &out,
		stderr: io.Discard, environ: func(string) (string, bool) { return "", false }})
	if code != exitOK || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "2020-12") {
		t.Fatalf("exit %d: %.200s", code, out.String())
	}
}

func TestVisibleShowsWhatIsHidden(t *testing.T) {
	for in, want := range map[string]string{
		"plain":          "plain",
		"":               "-",
		"a\x1b[31mb":     `a\u001b[31mb`,
		"a\nb":           `a\u000ab`,
		"a\u202eb":       `a\u202eb`,
		"a\u200bb":       `a\u200bb`,
		"a\xffb":         `a\xffb`,
		"\U000e0041":     `\ue0041`,
		"größe":          "größe",
		"a\u2066b\u2069": `a\u2066b\u2069`,
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := visible(strings.Repeat("a", 1000)); len(got) > 130 {
		t.Errorf("%d bytes are shown", len(got))
	}
}

package hostile

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
	"ostiary.dev/ostiary/test/doortest"
)

// wrapped sends every request through `ostiary wrap` as each agent, in both
// eras. What comes back is what the same agent gets over HTTPS.
func (w *grid) wrapped(t *testing.T) {
	for _, agent := range []string{"nobody", "single", "reader", "writer", "modifier"} {
		p := principal{name: "wrap as " + agent, access: agents[agent]}
		if agent == "single" {
			p.only = "s"
		}
		for _, server := range []string{"s", "io", ""} {
			for _, v := range eras {
				w.wrap(t, p, agent, server, wire.Version(v))
			}
		}
	}
	for _, agent := range []string{"suspended", "stranger"} {
		if r := w.Try("wrap", "--agent", agent, "--server", "s"); r.Code == 0 || r.Stdout != "" {
			t.Errorf("wrap as %s: exit %d %s", agent, r.Code, r.Stdout)
		}
	}
}

func (w *grid) wrap(t *testing.T, p principal, agent, server string, v wire.Version) {
	t.Helper()
	args := []string{"wrap", "--agent", agent}
	if server != "" {
		args = append(args, "--server", server)
	}
	cmd := w.Command(args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	c := doortest.NewClient(t, "")
	c.Version = string(v)
	if v.Era() == wire.Legacy { // a session, where the agent can have one
		ask(t, in, lines, c.Request(`"first"`, "initialize", (cell{server: server, version: v, action: action{target: "s"}}).params()))
	}
	for _, a := range actions() {
		one := cell{who: p, server: server, version: v, action: a}
		one.legacy = server == "" && a.target == "old"
		if a.notification || a.method == "GET" || a.method == "DELETE" || a.method == "initialize" || a.method == "subscriptions/listen" ||
			strings.HasPrefix(a.method, "tasks/") || server != "" && a.target != "s" {
			continue // what has no answer on a pipe, or belongs to the session
		}
		want := expected(t, one)
		got := doortest.Reply{Messages: []string{ask(t, in, lines, c.Request("7", one.method, one.params()))}}
		if want.refused() {
			w.reasons[looks[want].reason]++
		}
		if got.Code() != looks[want].code || (got.Message().Result != nil) != (want == passes || want == answered) {
			t.Errorf("%s: %s %s%s on %q in %s: %s, want %q", p.name, one.method, one.target, one.tool, server, v, got.Final(), want)
		}
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("wrap as %s ended with %v", agent, err)
	}
}

// ask writes one line and returns the answer to it.
func ask(t *testing.T, in io.Writer, out *bufio.Reader, line string) string {
	t.Helper()
	if _, err := io.WriteString(in, line+"\n"); err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("no answer to %s: %v", line, err)
		}
		if m := doortest.Envelope([]byte(answer)); m.ID != nil && m.Method == "" {
			return answer
		}
	}
}

package hostile

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// TestC11FollowerMakesNoPseudonyms: a gateway that follows another one over
// PostgreSQL turns pseudonyms back and uses those that are there. A message that
// needs a new one is refused and says why; what the owner erases is gone there.
func TestC11FollowerMakesNoPseudonyms(t *testing.T) {
	profile := strings.ReplaceAll(patientsProfile, "servers: [s]", "servers: [main]")
	p := newPairOf(t, func(yaml string) string { return withPrivacy(yaml, profile) })
	p.Must("agent", "set", "robot", "--zone", "model", "--reason", "test")
	p.Must("server", "set", "main", "--zone", "core", "--reason", "test")
	answer := func(mail string) {
		p.up.On("tools/call", func(c *doortest.Conn, _ *doortest.Request) {
			c.Result(`{"content":[],"structuredContent":{"patients":[{"id":4711,"mail":"` + mail + `"}]}}`)
		})
	}
	const known, unknown = "anna.berg@example.org", "nobody.new@example.org"
	answer(known)
	owner, follower := p.client(t, "robot", "main"), p.follower.client(t, "robot", "main")
	await(t, follower, "served", func(r doortest.Reply) bool { return r.Status == 200 })
	shown := owner.Tool("2", "echo", `{"text":"x"}`).Final()
	at := strings.Index(shown, "<EMAIL_")
	if at < 0 || strings.Contains(shown, known) {
		t.Fatalf("%s", shown)
	}
	token := shown[at : at+24]
	await(t, follower, "shown the same pseudonym", func(doortest.Reply) bool {
		return strings.Contains(follower.Tool("3", "echo", `{"text":"x"}`).Final(), token)
	})
	sent := func() string {
		p.up.Forget()
		follower.Tool("4", "echo", fmt.Sprintf(`{"text":%s}`, text(token)))
		return string(p.up.Received())
	}
	if got := sent(); !strings.Contains(got, known) {
		t.Errorf("not turned back: %s", got)
	}
	answer(unknown)
	refused := follower.Tool("5", "echo", `{"text":"x"}`)
	if kindOf(refused) != "unscannable" || !strings.Contains(string(refused.Body), "replica") || strings.Contains(string(refused.Body), unknown) {
		t.Errorf("a new value: %d %s", refused.Status, refused.Body)
	}
	for _, args := range [][]string{{"privacy", "subject", "erase", "--subject", "patient:4711", "--reason", "r", "--yes"},
		{"privacy", "vault", "reveal", token, "--purpose", "support", "--reason", "r"}} {
		if r := p.follower.Try(args...); r.Code != 9 || strings.Contains(r.Stdout+r.Stderr, known) {
			t.Errorf("%v: exit %d %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	p.Must("privacy", "subject", "erase", "--subject", "patient:4711", "--reason", "r", "--yes")
	p.up.On("tools/call", func(c *doortest.Conn, _ *doortest.Request) { c.Result(`{"content":[]}`) })
	await(t, follower, "told of the erasure", func(doortest.Reply) bool { return !strings.Contains(sent(), known) })
}

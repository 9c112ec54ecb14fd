package hostile

import (
	"testing"

	"golang.org/x/sys/unix"

	"ostiary.dev/ostiary/test/doortest"
)

// TestG06WritesFail lets every write of the gateway fail, as a broken disk or a
// quota does, by a limit on the size of its files: calls are refused with a clear
// error and reach no server, health says so, and when writes succeed again the
// gateway goes on by itself, with a log that verifies (G06).
func TestG06WritesFail(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})}
	c := w.client(t, "app", "s")
	if r := c.Tool("0", "echo", `{"text":"x"}`); r.Text() != "x" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var before unix.Rlimit
	limit := func(now *unix.Rlimit, old *unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(w.Process().Pid(), unix.RLIMIT_FSIZE, now, old); err != nil {
			t.Fatal(err)
		}
	}
	limit(nil, &before)
	limit(&unix.Rlimit{Cur: 0, Max: before.Max}, nil)
	up.Forget()
	const refused = 20
	for range refused {
		if r := c.Tool("1", "echo", `{"text":"new"}`); r.Status != 503 || r.Code() != 31040 {
			t.Fatalf("a call whose record cannot be written: %d %s", r.Status, r.Body)
		}
	}
	if up.Bytes() != 0 {
		t.Errorf("%d bytes reached the server", up.Bytes())
	}
	if status, body := w.AdminGet("/readyz"); status == 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	limit(&before, nil)
	late := 0
	doortest.Poll(t, "the gateway to go on", func() bool {
		r := c.Tool("2", "echo", `{"text":"again"}`)
		if r.Code() == 31040 {
			late++
		}
		return r.Text() == "again"
	})
	doortest.Poll(t, "the summary of what was refused", func() bool {
		ok, unavailable := w.tally()
		return ok == 2 && unavailable == refused+late
	})
	w.verified()
	w.Restart()
	w.verified()
}

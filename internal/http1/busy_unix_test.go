//go:build unix

package http1

import (
	"net"
	"testing"
)

// ends returns both ends of a loopback connection.
func ends(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// busyConn is a connection with one call under way.
func busyConn(near net.Conn) *clientConn {
	c := &Client{cpus: 2}
	c.waiting.Store(1)
	return &clientConn{client: c, raw: near, probe: newProber(near)}
}

func TestBusyLooksGetRarerInVain(t *testing.T) {
	near, far := ends(t)
	cc := busyConn(near)
	looked := 0
	for range 200 {
		if cc.busy.rest == 0 {
			looked++
		}
		cc.look()
	}
	if looked > 10 || cc.busy.pause != busyPause {
		t.Fatalf("%d looks at 200 silent calls, pause %d", looked, cc.busy.pause)
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for !cc.probe.stirs(busyLooks) { // the byte is on its way
	}
	for range busyPause + 1 {
		cc.look()
	}
	if cc.busy != (busy{}) {
		t.Errorf("after an answer in time: %+v", cc.busy)
	}
	var b [2]byte
	if n, err := near.Read(b[:]); n != 1 || err != nil {
		t.Errorf("looking took the byte: %d, %v", n, err)
	}
	far.Close()
	for !cc.probe.stirs(busyLooks) { // an end is something to read
	}
}

func TestBusyLeavesTheProcessorToOthers(t *testing.T) {
	near, _ := ends(t)
	for name, cc := range map[string]*clientConn{"other calls": busyConn(near), "one processor": busyConn(near), "no socket": busyConn(near)} {
		switch name {
		case "other calls":
			cc.client.waiting.Store(2)
		case "one processor":
			cc.client.cpus = 1
		case "no socket":
			cc.probe = newProber(struct{ net.Conn }{near})
		}
		cc.look()
		if name != "no socket" && cc.busy != (busy{}) {
			t.Errorf("%s: it looked: %+v", name, cc.busy)
		}
		if name == "no socket" && cc.busy.pause != 1 {
			t.Errorf("%s: %+v", name, cc.busy)
		}
	}
}

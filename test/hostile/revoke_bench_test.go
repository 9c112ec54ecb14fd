package hostile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/test/doortest"
)

// BenchmarkRevocation measures how long an open stream and a long call outlive
// the command that ends them: on one gateway with SQLite, and on two over one
// PostgreSQL, for clients of the owner and of the follower (A10, L10). It
// asserts nothing about time; docs/measurements.md has the figures.
//
//	go test ./test/hostile -run xxx -bench Revocation -benchtime 20x -timeout 30m
func BenchmarkRevocation(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		up := doortest.NewUpstream(b, doortest.Config{})
		door := doortest.Gateway(b, doortest.Options{Servers: []doortest.Server{{Name: "main", URL: up.URL()}}, Agents: []string{"robot"}})
		revocations(b, &ending{owner: door, at: door, up: up})
	})
	b.Run("postgres", func(b *testing.B) {
		p := newPair(b)
		b.Run("owner", func(b *testing.B) { revocations(b, &ending{owner: p.Door, at: p.Door, up: p.up}) })
		b.Run("follower", func(b *testing.B) { revocations(b, &ending{owner: p.Door, at: p.follower.Door, up: p.up}) })
	})
}

// ending is where a client is, and where an operator ends it.
type ending struct {
	owner, at *doortest.Door
	up        *doortest.Upstream
	api       admin.API
	made      int // agents and people so far
}

// guest is an agent with a grant, and what it shows.
type guest struct {
	name, serial, tokenID, person string
	cert                          tls.Certificate
	token                         string
	ca                            *x509.CertPool
}

// way is one command that ends a client.
type way struct {
	name   string
	byCert bool // the client shows a certificate, else a token
	person bool // the token is of a person's login
	end    func(e *ending, g *guest) error
	undo   func(e *ending, g *guest) error
	most   int // rounds; 0 = all
}

var why = admin.Change{Reason: "measured"}

func ways() []way {
	server := func(action admin.Action) func(*ending, *guest) error {
		return func(e *ending, _ *guest) error {
			_, err := e.api.MoveServer(context.Background(), admin.Move{ID: "main", Action: action, Change: why})
			return err
		}
	}
	kill := func(what string, off bool) func(*ending, *guest) error {
		return func(e *ending, g *guest) error {
			name := map[string]string{"client": g.name, "server": "main", "tenant": "default"}[what]
			_, err := e.api.Kill(context.Background(), admin.Switch{What: what, Name: name, Off: off, Change: why})
			return err
		}
	}
	return []way{
		{name: "agent suspend", end: func(e *ending, g *guest) error {
			_, err := e.api.MoveAgent(context.Background(), admin.Move{ID: g.name, Action: admin.Suspend, Change: why})
			return err
		}},
		{name: "token revoke", end: func(e *ending, g *guest) error {
			_, err := e.api.RevokeToken(context.Background(), admin.RevokeToken{ID: g.tokenID, Change: why})
			return err
		}},
		{name: "cert revoke", byCert: true, end: func(e *ending, g *guest) error {
			_, err := e.api.RevokeCertificate(context.Background(), admin.RevokeCert{Serial: g.serial, Change: why})
			return err
		}},
		{name: "access revoke", end: func(e *ending, g *guest) error {
			_, err := e.api.Revoke(context.Background(), admin.Revoke{Agent: g.name, Server: "main", Change: why})
			return err
		}},
		// Pages count by address how often they are asked for, so people are few.
		{name: "user disable", person: true, most: 6, end: func(e *ending, g *guest) error {
			_, err := e.api.MoveUser(context.Background(), admin.MoveUser{ID: g.person, Action: admin.DisableUser, Change: why})
			return err
		}},
		{name: "server suspend", end: server(admin.Suspend), undo: server(admin.Resume)},
		{name: "kill client", end: kill("client", false)},
		{name: "kill server", end: kill("server", false), undo: kill("server", true)},
		{name: "kill tenant", end: kill("tenant", false), undo: kill("tenant", true)},
	}
}

// revocations measures every way at one place.
func revocations(b *testing.B, e *ending) {
	api, done := e.owner.API(context.Background())
	e.api = api
	b.Cleanup(func() {
		if err := done(); err != nil {
			b.Error(err)
		}
	})
	e.up.On("tools/call", doortest.Hang)
	for _, w := range ways() {
		b.Run(w.name, func(b *testing.B) {
			stream, call := &times{}, &times{}
			for i := 0; b.Loop(); i++ {
				if w.most == 0 || i < w.most {
					e.round(b, w, stream, call)
				}
			}
			stream.report(b, "stream")
			call.report(b, "call")
		})
	}
}

// round lets a new guest in, ends it, and takes the time of both ends.
func (e *ending) round(b *testing.B, w way, stream, call *times) {
	b.Helper()
	g := e.guest(b, w)
	c := doortest.NewClient(b, e.at.URL("main"))
	c.TLS = &tls.Config{RootCAs: g.ca, MinVersion: tls.VersionTLS13}
	if w.byCert {
		c.TLS.Certificates = []tls.Certificate{g.cert}
	} else {
		c.Token = g.token
	}
	doortest.Poll(b, "the guest to be known", func() bool { return c.Call("0", "tools/list", "{}").Status == 200 })
	listen := c.Open("POST", listenTo(c, "1", `{"toolsListChanged":true}`))
	if _, err := listen.Next(); err != nil {
		b.Fatalf("listen: %d %v", listen.Status, err)
	}
	before := len(e.up.Calls("tools/call"))
	ends := [2]chan time.Time{make(chan time.Time, 1), make(chan time.Time, 1)}
	go func() { // both end with what they wait for
		for {
			if _, err := listen.Next(); err != nil {
				ends[0] <- time.Now()
				return
			}
		}
	}()
	go func() {
		_, _ = c.Attempt(c.Request("2", "tools/call", `{"name":"echo","arguments":{}}`)) // the end is all that matters
		ends[1] <- time.Now()
	}()
	e.up.AwaitCalls("tools/call", before+1)
	began := time.Now()
	if err := w.end(e, g); err != nil {
		b.Fatal(err)
	}
	answered := time.Now()
	stream.add(<-ends[0], began, answered)
	call.add(<-ends[1], began, answered)
	if w.undo != nil {
		if err := w.undo(e, g); err != nil {
			b.Fatal(err)
		}
	}
}

// guest registers an agent that may use the server, and for a way that ends
// people a person who lets it in.
func (e *ending) guest(b *testing.B, w way) *guest {
	b.Helper()
	e.made++
	g := &guest{name: fmt.Sprintf("guest-%d-%d", time.Now().UnixMilli(), e.made), ca: e.owner.Agents["robot"].CA}
	reg, err := e.api.RegisterAgent(context.Background(), admin.RegisterAgent{ID: g.name, Credentials: true, Change: why})
	if err != nil {
		b.Fatal(err)
	}
	cred := reg.Item.Credentials
	g.serial, g.token, g.tokenID = cred.Serial, reg.Item.Token.Token, reg.Item.Token.ID
	if g.cert, err = tls.X509KeyPair(cred.CertPEM, cred.KeyPEM); err != nil {
		b.Fatal(err)
	}
	if _, err := e.api.Grant(context.Background(), admin.Grant{Agent: g.name, Server: "main", Access: registry.Modify, Change: why}); err != nil {
		b.Fatal(err)
	}
	if w.person {
		g.person = "person-" + g.name
		p := e.owner.Enrol(e.owner.Browser("127.0.0.1"), g.person, "--agent", g.name)
		p.SignIn("/login/account")
		g.token = loginToken(b, p.Browser, g.name, e.owner.URL("main"))
	}
	return g
}

// times are how long something went on.
type times struct{ whole, after []time.Duration }

// add notes an end; what ended before the command answered took no time after.
func (s *times) add(end, began, answered time.Time) {
	s.whole, s.after = append(s.whole, end.Sub(began)), append(s.after, max(0, end.Sub(answered)))
}

func (s *times) report(b *testing.B, what string) {
	for name, all := range map[string][]time.Duration{"whole": s.whole, "after": s.after} {
		slices.Sort(all)
		for q, at := range map[string]int{"p50": len(all) / 2, "p99": (len(all)*99 - 1) / 100, "max": len(all) - 1} {
			b.ReportMetric(float64(all[at].Microseconds())/1000, fmt.Sprintf("%s-%s-%s-ms", what, name, q))
		}
	}
}

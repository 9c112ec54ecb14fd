package forward

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// authority returns a ring's CA and its root as a file.
func authority(t *testing.T) (*keys.CA, string) {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ring.CA(), write(t, "ca.pem", ring.CA().RootPEM())
}

func pin(cert tls.Certificate) string {
	sum := sha256.Sum256(cert.Leaf.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

// secure serves one JSON answer under cert.
func secure(t *testing.T, cert tls.Certificate, change func(*tls.Config)) *upstream {
	t.Helper()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	change(cfg)
	return newUpstream(t, http1.ServerConfig{TLS: cfg}, func(w http1.Response, r *http1.Request, _ string) {
		kind := "none"
		if len(r.TLS.PeerCertificates) > 0 {
			kind = r.TLS.PeerCertificates[0].URIs[0].String()
		}
		respond(t, w, 200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"client":"`+kind+`"}}`)
	})
}

// TestServerCertificates is T04 and T05: there is no way around a certificate
// that does not fit.
func TestServerCertificates(t *testing.T) {
	ca, root := authority(t)
	_, otherRoot := authority(t)
	issue := func(at time.Time, hosts ...string) tls.Certificate {
		cert, err := ca.IssueServer(hosts, time.Hour, at)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	now := time.Now()
	good, backup := issue(now, "127.0.0.1"), issue(now, "127.0.0.1")
	for name, c := range map[string]struct {
		cert   tls.Certificate
		server func(*tls.Config)
		row    func(*registry.Server)
		kind   fault.Kind
	}{
		"valid":                   {cert: good},
		"pinned":                  {cert: good, row: func(s *registry.Server) { s.Pins = []string{pin(good)} }},
		"backup pin":              {cert: backup, row: func(s *registry.Server) { s.Pins = []string{pin(good), pin(backup)} }},
		"another key":             {cert: backup, row: func(s *registry.Server) { s.Pins = []string{pin(good)} }, kind: fault.UpstreamUnreachable},
		"pin of another form":     {cert: good, row: func(s *registry.Server) { s.Pins = []string{strings.TrimPrefix(pin(good), "sha256/")} }, kind: fault.UpstreamUnreachable},
		"pinned, other authority": {cert: good, row: func(s *registry.Server) { s.Pins, s.CAFile = []string{pin(good)}, otherRoot }, kind: fault.UpstreamUnreachable},
		"system's authorities":    {cert: good, row: func(s *registry.Server) { s.CAFile = "" }, kind: fault.UpstreamUnreachable},
		"another name":            {cert: issue(now, "other.example"), kind: fault.UpstreamUnreachable},
		"another address":         {cert: issue(now, "127.0.0.2"), kind: fault.UpstreamUnreachable},
		"expired":                 {cert: issue(now.Add(-2*time.Hour), "127.0.0.1"), kind: fault.UpstreamUnreachable},
		"not yet valid":           {cert: issue(now.Add(2*time.Hour), "127.0.0.1"), kind: fault.UpstreamUnreachable},
		"TLS 1.2":                 {cert: good, server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, kind: fault.UpstreamUnreachable},
		"TLS 1.2 by name":         {cert: good, server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, row: func(s *registry.Server) { s.TLS12 = true }},
		"TLS 1.1": {cert: good, server: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			row: func(s *registry.Server) { s.TLS12 = true }, kind: fault.UpstreamUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			if c.server == nil {
				c.server = func(*tls.Config) {}
			}
			up, h := secure(t, c.cert, c.server), newHouse(t)
			srv := up.server(func(s *registry.Server) { s.URL, s.CAFile = "https://"+up.addr+"/mcp", root })
			if c.row != nil {
				c.row(srv)
			}
			for range 2 { // the second on a kept or resumed connection
				_, err := sent(t, h, modern(t, srv, `"id":1,"method":"tools/list","params":{`+modernMeta+`}`))
				wantKind(t, name, err, c.kind)
			}
			if n := len(up.requests()); (n == 2) != (c.kind == "") || c.kind != "" && n != 0 {
				t.Errorf("%d requests reached the server", n)
			}
		})
	}
}

// TestClientCertificate: the gateway shows its own certificate where one is
// configured.
func TestClientCertificate(t *testing.T) {
	ca, root := authority(t)
	cert, err := ca.IssueServer([]string{"127.0.0.1"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	up := secure(t, cert, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.ClientPool() })
	certPEM, keyPEM, _, _, err := ca.IssueAgent("gateway", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	srv := up.server(func(s *registry.Server) {
		s.URL, s.CAFile, s.ClientCert, s.ClientKey = "https://"+up.addr+"/mcp", root, write(t, "c.pem", certPEM), write(t, "k.pem", keyPEM)
	})
	got := lastOf(t, h, modern(t, srv, `"id":1,"method":"tools/list","params":{`+modernMeta+`}`))
	if !strings.Contains(got, "/client/gateway") {
		t.Error(got)
	}
	srv.ID, srv.ClientCert = "without", ""
	_, err = sent(t, h, modern(t, srv, `"id":1,"method":"tools/list","params":{`+modernMeta+`}`))
	if err == nil {
		t.Error("a server that demands a certificate was reached without one")
	}
}

// TestTLSFiles: a file that cannot be used is a refusal, never less checking.
func TestTLSFiles(t *testing.T) {
	empty := write(t, "empty.pem")
	junk := write(t, "junk.pem", certificate([]byte("junk")))
	for name, srv := range map[string]registry.Server{
		"no CA file": {CAFile: empty + ".absent"}, "empty CA file": {CAFile: empty}, "broken CA file": {CAFile: junk},
		"no client certificate": {ClientCert: empty + ".absent", ClientKey: empty}, "empty client certificate": {ClientCert: empty, ClientKey: empty},
	} {
		if c, err := tlsConfig(&srv, "mcp.example"); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
		srv.ID, srv.Transport, srv.URL, srv.Private = "up", registry.HTTP, "https://127.0.0.1:1/", true
		err := newHouse(t).Send(t.Context(), modern(t, &srv, `"id":1,"method":"tools/list","params":{`+modernMeta+`}`))
		wantKind(t, name, err, fault.UpstreamUnreachable)
	}
	c, err := tlsConfig(&registry.Server{}, "mcp.example")
	if err != nil || c.InsecureSkipVerify || c.MinVersion != tls.VersionTLS13 || c.ServerName != "mcp.example" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := verifyPin(tls.ConnectionState{}, []string{"sha256/"}); err == nil {
		t.Error("a connection without a certificate has a pinned key")
	}
}

package admin

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// certStory calls what concerns certificates and kill switches.
func certStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	why := Change{Reason: "story"}
	a, err := api.Certificates(ctx, CertQuery{})
	note("Certificates", a, err)
	b, err := api.RevokeCertificate(ctx, RevokeCert{Serial: "none", Change: why})
	note("RevokeCertificate", b, err)
	c, err := api.IssueComponent(ctx, IssueComponent{Server: "wiki", Change: Change{DryRun: true}})
	c.Item.NotAfter = c.Item.NotAfter.UTC()
	note("IssueComponent", c, err)
	d, err := api.CreateJoinToken(ctx, JoinToken{Agent: "nobody"})
	note("CreateJoinToken", d, err)
	e, err := api.RevocationList(ctx, None{})
	note("RevocationList", e.Next.UTC(), err)
	f, err := api.Kill(ctx, Switch{What: "server", Name: "wiki", Change: why})
	note("Kill", f, err)
	g, err := api.Kills(ctx, None{})
	note("Kills", g, err)
}

func TestKillAndBack(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(api.RegisterAgent(ctx, RegisterAgent{ID: "robot"}))
	for _, bad := range []Switch{{What: "client", Name: "robot"}, {What: "client", Name: "ghost", Change: Change{Reason: "r"}},
		{What: "agent", Name: "robot", Change: Change{Reason: "r"}}, {What: "client", Name: "robot", Off: true, Change: Change{Reason: "r"}}} {
		if _, err := api.Kill(ctx, bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	must(api.Kill(ctx, Switch{What: "client", Name: "robot", Change: Change{Reason: "dry", DryRun: true}}))
	if w.live.Load().Killed("robot", "", "") != "" {
		t.Fatal("a dry run stops")
	}
	must(api.Kill(ctx, Switch{What: "client", Name: "robot", Change: Change{Reason: "leaked"}}))
	if w.live.Load().Killed("robot", "", "") == "" {
		t.Fatal("the switch does not stop")
	}
	last := w.records.entries[len(w.records.entries)-1]
	if last.Kind != auditlog.ComponentSuspended || last.Agent != "robot" || last.Subject != "" || last.Reason != "leaked" {
		t.Errorf("recorded as %+v", last)
	}
	if s, err := api.Status(ctx, None{}); err != nil || len(s.Killed) != 1 || s.Killed[0] != "client robot" {
		t.Errorf("status shows %v (%v)", s.Killed, err)
	}
	all, err := api.Kills(ctx, None{})
	if err != nil || len(all) != 1 || all[0].Name != "robot" || all[0].By != "operator" || all[0].Reason != "leaked" {
		t.Errorf("list shows %+v (%v)", all, err)
	}
	must(api.Kill(ctx, Switch{What: "client", Name: "robot", Off: true, Change: Change{Reason: "found"}}))
	if w.live.Load().Killed("robot", "", "") != "" {
		t.Fatal("the switch stays")
	}
}

// TestRevokedCertificates: what was revoked is refused, shown, and stands in
// the list that its issuer signed.
func TestRevokedCertificates(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	reg, err := api.RegisterAgent(ctx, RegisterAgent{ID: "robot", Credentials: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.SubmitServer(ctx, SubmitServer{ID: "wiki", URL: "https://wiki.example.com/mcp"}); err != nil {
		t.Fatal(err)
	}
	made, err := api.IssueComponent(ctx, IssueComponent{Server: "wiki"})
	if err != nil {
		t.Fatal(err)
	}
	chain := certsOf(t, made.Item.CertPEM)
	if leaf := chain[0]; len(leaf.URIs) != 1 || leaf.URIs[0].Path != "/tenant/default/server/wiki" || len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != "wiki.example.com" {
		t.Errorf("a server's certificate names %v %v", leaf.URIs, leaf.DNSNames)
	}
	serials := map[string]bool{reg.Item.Credentials.Serial: true, made.Item.Serial: true}
	for serial := range serials {
		d, err := api.RevokeCertificate(ctx, RevokeCert{Serial: serial, Change: Change{Reason: "lost"}})
		if err != nil || d.Item.State != "revoked" || d.Item.RevokedAt == nil {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	if _, live := w.live.Load().CertificateHolder(reg.Item.Credentials.Serial, w.now); live {
		t.Error("the agent's certificate is in force")
	}
	list, err := api.RevocationList(ctx, None{})
	if err != nil {
		t.Fatal(err)
	}
	agents, rest := pem.Decode(list.PEM)
	listeners, _ := pem.Decode(rest)
	for name, one := range map[string]struct {
		der    []byte
		issuer *x509.Certificate
		serial string
	}{"agents": {agents.Bytes, certsOf(t, reg.Item.Credentials.CertPEM)[1], reg.Item.Credentials.Serial}, "listeners": {listeners.Bytes, chain[1], made.Item.Serial}} {
		crl, err := x509.ParseRevocationList(one.der)
		if err != nil {
			t.Fatal(err)
		}
		if err := crl.CheckSignatureFrom(one.issuer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if all := crl.RevokedCertificateEntries; len(all) != 1 || all[0].SerialNumber.Text(16) != one.serial {
			t.Errorf("the list of %s holds %v, not %s", name, all, one.serial)
		}
	}
	if all, err := api.Certificates(ctx, CertQuery{}); err != nil || len(all) != 0 {
		t.Errorf("in force: %+v, %v", all, err)
	}
}

// TestServerNamesInCertificates: no wildcard, no NUL, no name of another kind.
func TestServerNamesInCertificates(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	if _, err := api.SubmitServer(ctx, SubmitServer{ID: "local", Command: []string{"/bin/true"}}); err != nil {
		t.Fatal(err)
	}
	for _, hosts := range [][]string{nil, {"*.example.com"}, {"a\x00.example.com"}, {"EXAMPLE.com"}, {"a b"}, {"-x"}, {""}, {"https://a"}, make([]string, 17)} {
		if _, err := api.IssueComponent(ctx, IssueComponent{Server: "local", Hosts: hosts}); err == nil {
			t.Errorf("%q is certified", hosts)
		}
	}
	if _, err := api.IssueComponent(ctx, IssueComponent{Server: "local", Hosts: []string{"127.0.0.1", "a.example.com"}}); err != nil {
		t.Error(err)
	}
}

func TestJoinTokensAreBound(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	if _, err := api.RegisterAgent(ctx, RegisterAgent{ID: "robot"}); err != nil {
		t.Fatal(err)
	}
	d, err := api.CreateJoinToken(ctx, JoinToken{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.store.Noun(registry.KindJoin, d.Item.ID)
	if err != nil || n.Owner != "robot" {
		t.Fatalf("%+v, %v", n, err)
	}
	j, err := registry.ValueOf[registry.Join](n)
	if err != nil || !w.ring.MatchToken(d.Item.Token, j.Hash) || !j.Expires.Equal(w.now.Add(joinLife)) {
		t.Errorf("%+v, %v", j, err)
	}
	for _, bad := range []JoinToken{{}, {Agent: "ghost"}, {Agent: "robot", Server: "x"}, {Server: "ghost"}} {
		if _, err := api.CreateJoinToken(ctx, bad); err == nil {
			t.Errorf("%+v gets a token", bad)
		}
	}
}

func certsOf(t *testing.T, text []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

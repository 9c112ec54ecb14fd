package admin

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

func TestSubmitSealsSecretsAndWaits(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		r := url("wiki")
		r.Secrets = []Clear{{"Authorization", []byte("Bearer canary-7")}}
		d := must[Done[ServerView]](t)(api.SubmitServer(ctx, r))
		if !d.Applied || d.Item.State != registry.Submitted || !slices.Equal(d.Item.Secrets, []string{"Authorization"}) {
			t.Fatalf("got %+v", d)
		}
		srv := must[registry.Server](t)(w.store.Server("wiki"))
		if bytes.Contains(srv.Secrets[0].Sealed, []byte("canary")) {
			t.Fatal("the secret is stored in clear text")
		}
		plain, err := w.ring.Open(keys.UpstreamCredentials, SecretIdentity("wiki", "Authorization"), srv.Secrets[0].Sealed)
		if err != nil || string(plain) != "Bearer canary-7" {
			t.Fatalf("opened %q, %v", plain, err)
		}
		if _, err := w.ring.Open(keys.UpstreamCredentials, SecretIdentity("other", "Authorization"), srv.Secrets[0].Sealed); err == nil {
			t.Fatal("another server's identity opens the secret")
		}
	})
}

func TestSubmitRefuses(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	header := func(name, value string) SubmitServer {
		r := url("x")
		r.Secrets = []Clear{{name, []byte(value)}}
		return r
	}
	variable := func(name, value string) SubmitServer {
		return SubmitServer{ID: "x", Command: []string{"p"}, Secrets: []Clear{{name, []byte(value)}}}
	}
	for name, r := range map[string]SubmitServer{
		"an id in capitals":            {ID: "Wiki", URL: "https://a.example.com"},
		"an empty id":                  {URL: "https://a.example.com"},
		"neither URL nor command":      {ID: "x"},
		"both URL and command":         {ID: "x", URL: "https://a.example.com", Command: []string{"p"}},
		"plain http":                   {ID: "x", URL: "http://a.example.com"},
		"a relative URL":               {ID: "x", URL: "/mcp"},
		"an unknown transport":         {ID: "x", URL: "https://a.example.com", Transport: "grpc"},
		"stdio with a URL":             {ID: "x", URL: "https://a.example.com", Transport: registry.Stdio},
		"http with a command":          {ID: "x", Command: []string{"p"}, Transport: registry.HTTP},
		"an empty program":             {ID: "x", Command: []string{""}},
		"a NUL in an argument":         {ID: "x", Command: []string{"p", "a\x00b"}},
		"a command that is too long":   {ID: "x", Command: []string{"p", strings.Repeat("a", maxArgBytes)}},
		"a relative working directory": {ID: "x", Command: []string{"p"}, Dir: "here"},
		"private with a command":       {ID: "x", Command: []string{"p"}, Private: true},
		"pins with a command":          {ID: "x", Command: []string{"p"}, Pins: []string{"sha256/AAAA"}},
		"variables with a URL":         {ID: "x", URL: "https://a.example.com", PassEnv: []string{"HOME"}},
		"a short pin":                  {ID: "x", URL: "https://a.example.com", Pins: []string{"sha256/AAAA"}},
		"a certificate without key":    {ID: "x", URL: "https://a.example.com", ClientCert: "/c.pem"},
		"a CA file that is not there":  {ID: "x", URL: "https://a.example.com", CAFile: "/nonexistent/ca.pem"},
		"a relative CA file":           {ID: "x", URL: "https://a.example.com", CAFile: "ca.pem"},
		"a CA file that is no PEM":     {ID: "x", URL: "https://a.example.com", CAFile: "/etc/hostname"},
		"a header that frames":         header("Transfer-Encoding", "chunked"),
		"a header of the protocol":     header("Mcp-Session-Id", "x"),
		"a forwarding header":          header("X-Forwarded-For", "x"),
		"a header name with a space":   header("A B", "x"),
		"an empty credential":          header("Authorization", ""),
		"a line break in a header":     header("Authorization", "a\r\nb: c"),
		"a credential with a blank":    header("Authorization", "token "),
		"a variable with a dash":       variable("A-B", "x"),
		"an empty variable":            variable("A", ""),
		"a reason that is too long":    {ID: "x", URL: "https://a.example.com", Change: Change{Reason: strings.Repeat("a", maxReason+1)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.SubmitServer(ctx, r)
			refused(t, err, Invalid)
			if strings.Contains(err.Error(), "chunked") {
				t.Fatal("the error repeats a secret's value")
			}
		})
	}
	if all := must[[]ServerView](t)(api.Servers(ctx, None{})); len(all) != 0 || len(w.records.entries) != 0 {
		t.Fatalf("refusals left %d servers and %d records", len(all), len(w.records.entries))
	}
}

func TestSubmitTwiceIsRefusedUnlessRejected(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
		_, err := api.SubmitServer(ctx, url("wiki"))
		refused(t, err, Exists)
		must[Done[ServerView]](t)(api.MoveServer(ctx, Move{ID: "wiki", Action: Reject}))
		again := url("wiki")
		again.URL = "https://other.example.com/mcp"
		d := must[Done[ServerView]](t)(api.SubmitServer(ctx, again))
		if d.Item.State != registry.Submitted || d.Item.URL != again.URL {
			t.Fatalf("got %+v", d.Item)
		}
	})
}

func TestApprovePinsWhatItFinds(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
		d := must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: Change{Reason: "needed"},
			ToolAccess: map[string]registry.Access{"read-file": registry.Read}}))
		if d.Item.State != registry.Active || !d.Item.Examined || len(d.Item.Tools) != 2 || d.Item.Basis != "operator" {
			t.Fatalf("got %+v", d.Item)
		}
		for _, tool := range d.Item.Tools {
			want, classified := registry.Modify, false
			if tool.Name == "read-file" {
				want, classified = registry.Read, true
			}
			if tool.State != registry.ToolApproved || tool.Access != want || tool.Classified != classified || len(tool.Digest) != 64 {
				t.Errorf("got %+v", tool)
			}
		}
		if s := w.live.Load().Server("wiki"); s == nil || s.State != registry.Active {
			t.Fatal("the data path does not see the approval")
		}
	})
}

func TestApproveRefuses(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
	why := Change{Reason: "needed"}
	for name, c := range map[string]struct {
		r    ApproveServer
		code Code
	}{
		"no reason":         {ApproveServer{ID: "wiki"}, Invalid},
		"an unknown server": {ApproveServer{ID: "nope", Change: why}, NotFound},
		"an unknown basis":  {ApproveServer{ID: "wiki", Change: why, Basis: "hearsay"}, Invalid},
		"an unknown access": {ApproveServer{ID: "wiki", Change: why, ToolAccess: map[string]registry.Access{"read-file": "all"}}, Invalid},
		"an unknown tool":   {ApproveServer{ID: "wiki", Change: why, ToolAccess: map[string]registry.Access{"raed-file": "read"}}, NotFound},
		"a control in a tool": {ApproveServer{ID: "wiki", Change: why,
			ToolAccess: map[string]registry.Access{"a\nb": "read"}}, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.ApproveServer(ctx, c.r)
			refused(t, err, c.code)
		})
	}
	if s := must[ServerView](t)(api.Server(ctx, ID{"wiki"})); s.State != registry.Submitted {
		t.Fatalf("a refusal left the server %s", s.State)
	}
	must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: why}))
	_, err := api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: why})
	refused(t, err, Conflict)
}

func TestApproveWithoutExaminationCountsEveryToolAsModify(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		w.prober.err = errors.New("connection refused")
		must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
		d := must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: Change{Reason: "needed"}}))
		if d.Item.State != registry.Active || d.Item.Examined || !strings.Contains(strings.Join(d.Notices, "\n"), "server scan wiki") {
			t.Fatalf("got %+v", d)
		}
		must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "app"}))
		must[Done[GrantView]](t)(api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: registry.Write}))
		e := must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: "anything"}))
		if e.Allow || e.Need != registry.Modify {
			t.Fatalf("got %+v", e)
		}
	})
}

func TestScanKeepsWhatIsTheSameAndStopsWhatChanged(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		w.prober.found = tools("read-file", "delete-file")
		w.prober.found.Tools[0].Definition = `{"name":"read-file","description":"now sends mail"}`
		d := must[Done[ServerView]](t)(api.ScanServer(ctx, Scan{ID: "wiki"}))
		states := map[string]registry.ToolState{}
		for _, tool := range d.Item.Tools {
			states[tool.Name] = tool.State
		}
		if states["read-file"] != registry.ToolChanged || states["delete-file"] != registry.ToolNew || len(states) != 2 {
			t.Fatalf("got %v", states)
		}
		if e := must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: "read-file"})); e.Allow {
			t.Fatal("a changed tool can be called")
		}
		approved := must[Done[ToolView]](t)(api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "read-file", Change: Change{Reason: "looked at it"}}))
		if approved.Item.State != registry.ToolApproved || approved.Item.Access != registry.Read {
			t.Fatalf("got %+v", approved.Item)
		}
		if e := must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: "read-file"})); !e.Allow {
			t.Fatalf("an approved tool cannot be called: %+v", e)
		}
	})
}

func TestScanAndToolRefuse(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	ready(t, api)
	why := Change{Reason: "x"}
	_, err := api.ScanServer(ctx, Scan{ID: "nope"})
	refused(t, err, NotFound)
	w.prober.err = errors.New("down")
	_, err = api.ScanServer(ctx, Scan{ID: "wiki"})
	refused(t, err, Unavailable)
	_, err = api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "read-file"})
	refused(t, err, Invalid)
	_, err = api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "nope", Change: why})
	refused(t, err, NotFound)
	_, err = api.ApproveTool(ctx, ApproveTool{Server: "nope", Tool: "read-file", Change: why})
	refused(t, err, NotFound)
	_, err = api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "read-file", Access: "all", Change: why})
	refused(t, err, Invalid)
	_, err = api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "read-file", Digest: "00", Change: why})
	refused(t, err, Drift)
	_, err = api.Tools(ctx, ToolQuery{Server: "nope"})
	refused(t, err, NotFound)
	_, err = api.Tools(ctx, ToolQuery{Server: "wiki", Tool: "nope"})
	refused(t, err, NotFound)
}

func TestMovesFollowTheLifeCycle(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		move := func(a Action) error { _, err := api.MoveServer(ctx, Move{ID: "wiki", Action: a}); return err }
		refused(t, move(Resume), Conflict)
		refused(t, move(Reject), Conflict)
		refused(t, move("explode"), Invalid)
		if err := move(Suspend); err != nil {
			t.Fatal(err)
		}
		if w.live.Load().Server("wiki").State != registry.Suspended {
			t.Fatal("the data path does not see the suspension")
		}
		if err := errors.Join(move(Resume), move(Retire)); err != nil {
			t.Fatal(err)
		}
		refused(t, move(Resume), Conflict)
		_, err := api.MoveServer(ctx, Move{ID: "nope", Action: Suspend})
		refused(t, err, NotFound)
		agent := func(a Action) error { _, err := api.MoveAgent(ctx, Move{ID: "app", Action: a}); return err }
		refused(t, agent(Reject), Invalid)
		if err := errors.Join(agent(Suspend), agent(Resume), agent(Retire)); err != nil {
			t.Fatal(err)
		}
		refused(t, agent(Resume), Conflict)
		_, err = api.CreateToken(ctx, CreateToken{Agent: "app"})
		refused(t, err, Conflict)
		last := w.records.entries[len(w.records.entries)-1]
		if last.Action != "agent.retire" || last.By != Self() || last.Agent != "app" || last.Before == "" || last.Before == last.After {
			t.Fatalf("recorded %+v", last)
		}
	})
}

func TestCredentialsIdentifyTheirAgent(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		d := must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "app", Credentials: true}))
		cred, token := d.Item.Credentials, d.Item.Token
		if cred.NotAfter.Sub(w.now) != 30*24*time.Hour {
			t.Fatalf("the certificate lives %s", cred.NotAfter.Sub(w.now))
		}
		if !bytes.Contains(cred.KeyPEM, []byte("PRIVATE KEY")) || bytes.Count(cred.CertPEM, []byte("BEGIN CERTIFICATE")) != 2 {
			t.Fatal("the certificate is not leaf and intermediate, or the key is missing")
		}
		v := identity.NewVerifier(w.ring.MatchToken, "ostiary.local")
		p, err := v.Verify(t.Context(), identity.Credential{Token: token.Token}, w.live.Load(), w.now)
		if err != nil || p.ID != "app" {
			t.Fatalf("got %+v, %v", p, err)
		}
		must[Done[TokenView]](t)(api.RevokeToken(ctx, RevokeToken{ID: token.ID}))
		if _, err := v.Verify(t.Context(), identity.Credential{Token: token.Token}, w.live.Load(), w.now); err == nil {
			t.Fatal("a revoked token identifies")
		}
		all := must[[]TokenView](t)(api.Tokens(ctx, TokenQuery{Agent: "app"}))
		if len(all) != 1 || all[0].State != "revoked" {
			t.Fatalf("got %+v", all)
		}
		for _, e := range w.records.entries {
			if s := strings.ToLower(strings.Join([]string{e.Subject, e.Reason}, " ")); strings.Contains(s, token.Token) {
				t.Fatal("the token stands in the record")
			}
		}
	})
}

func TestAgentsRefuse(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	for name, r := range map[string]RegisterAgent{
		"an id with a slash": {ID: "a/b"}, "an unknown era": {ID: "a", Era: "stone"}, "an unknown basis": {ID: "a", Basis: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.RegisterAgent(ctx, r)
			refused(t, err, Invalid)
		})
	}
	must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "a"}))
	_, err := api.RegisterAgent(ctx, RegisterAgent{ID: "a"})
	refused(t, err, Exists)
	_, err = api.IssueCertificate(ctx, IssueCertificate{Agent: "nope"})
	refused(t, err, NotFound)
	_, err = api.IssueCertificate(ctx, IssueCertificate{Agent: "a", Life: Duration(31 * 24 * time.Hour)})
	refused(t, err, Invalid)
	_, err = api.CreateToken(ctx, CreateToken{Agent: "nope"})
	refused(t, err, NotFound)
	_, err = api.CreateToken(ctx, CreateToken{Agent: "a", Life: Duration(time.Second)})
	refused(t, err, Invalid)
	_, err = api.RevokeToken(ctx, RevokeToken{ID: "nope"})
	refused(t, err, NotFound)
	_, err = api.Agent(ctx, ID{"nope"})
	refused(t, err, NotFound)
}

func TestGrantsRefuse(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	ready(t, api)
	for name, c := range map[string]struct {
		r    Grant
		code Code
	}{
		"an unknown agent":  {Grant{Agent: "nope", Server: "wiki", Access: "read"}, NotFound},
		"an unknown server": {Grant{Agent: "app", Server: "nope", Access: "read"}, NotFound},
		"an unknown access": {Grant{Agent: "app", Server: "wiki", Access: "admin"}, Invalid},
		"no access":         {Grant{Agent: "app", Server: "wiki"}, Invalid},
		"an unknown tool":   {Grant{Agent: "app", Server: "wiki", Access: "read", Tools: []string{"nope"}}, NotFound},
		"a tool twice":      {Grant{Agent: "app", Server: "wiki", Access: "read", Tools: []string{"read-file", "read-file"}}, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.Grant(ctx, c.r)
			refused(t, err, c.code)
		})
	}
	_, err := api.Revoke(ctx, Revoke{Agent: "app", Server: "nope"})
	refused(t, err, NotFound)
	must[Done[GrantView]](t)(api.Revoke(ctx, Revoke{Agent: "app", Server: "wiki"}))
	if w.live.Load().Grant("app", "wiki") != nil {
		t.Fatal("the data path still sees the grant")
	}
	must[Done[ServerView]](t)(api.MoveServer(ctx, Move{ID: "wiki", Action: Retire}))
	_, err = api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: "read"})
	refused(t, err, Conflict)
}

func TestExplainNamesTheFix(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
	must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "app"}))
	fix := func(tool string) string {
		t.Helper()
		e := must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: tool}))
		if e.Allow {
			t.Fatalf("allowed: %+v", e)
		}
		return e.Fix
	}
	check := func(got, want string) {
		t.Helper()
		if !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(fix("read-file"), "ostiary server approve wiki")
	must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: Change{Reason: "x"}}))
	check(fix(""), "ostiary access grant app wiki --access read")
	check(fix("nope"), "the server has no such tool")
	must[Done[GrantView]](t)(api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: "read"}))
	check(fix("read-file"), "ostiary access grant app wiki --access modify")
	must[Done[AgentView]](t)(api.MoveAgent(ctx, Move{ID: "app", Action: Suspend}))
	check(fix("read-file"), "ostiary agent resume app")
	_, err := api.Explain(ctx, Explain{Agent: "nope", Server: "wiki"})
	refused(t, err, NotFound)
	_, err = api.Explain(ctx, Explain{Agent: "app", Server: "nope"})
	refused(t, err, NotFound)
}

func TestExplainDecidesAsThePathDoes(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	ready(t, api)
	for _, tool := range []string{"read-file", "write-file", "nope"} {
		e := must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: tool}))
		d := policy.Decide(w.live.Load(), policy.Query{Principal: identity.Principal{Tenant: "default", Kind: "client", ID: "app"},
			Server: "wiki", Method: "tools/call", Tool: tool, IsTool: true})
		if e.Allow != d.Allow || e.Reason != d.Reason || e.Version != d.Version {
			t.Errorf("%s: explained %+v, decided %+v", tool, e, d)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		dry := Change{DryRun: true, Reason: "trying"}
		version, records, asked := w.live.Load().Version(), len(w.records.entries), w.prober.asked
		r := url("other")
		r.Change = dry
		if d := must[Done[ServerView]](t)(api.SubmitServer(ctx, r)); d.Applied || d.Item.ID != "other" {
			t.Fatalf("got %+v", d)
		}
		must[Done[ServerView]](t)(api.MoveServer(ctx, Move{ID: "wiki", Action: Suspend, Change: dry}))
		must[Done[GrantView]](t)(api.Revoke(ctx, Revoke{Agent: "app", Server: "wiki", Change: dry}))
		reg := must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "new", Credentials: true, Change: dry}))
		if reg.Item.Token != nil || reg.Item.Credentials != nil {
			t.Fatal("a dry run shows credentials that do not exist")
		}
		if tok := must[Done[NewToken]](t)(api.CreateToken(ctx, CreateToken{Agent: "app", Change: dry})); tok.Item.Token != "" {
			t.Fatal("a dry run shows a token that does not exist")
		}
		_, err := api.Grant(ctx, Grant{Agent: "nope", Server: "wiki", Access: "read", Change: dry})
		refused(t, err, NotFound)
		if w.live.Load().Version() != version || len(w.records.entries) != records || w.prober.asked != asked {
			t.Fatal("a dry run left a trace")
		}
	})
}

func TestChangeThatCannotBeRecordedIsNotMade(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("test")
	ready(t, api)
	before := w.live.Load()
	w.records.err = errors.New("no space left on device")
	_, err := api.MoveServer(ctx, Move{ID: "wiki", Action: Suspend})
	refused(t, err, Failed)
	if w.live.Load() != before {
		t.Fatal("the data path sees a change that was not recorded")
	}
	if s := must[ServerView](t)(api.Server(ctx, ID{"wiki"})); s.State != registry.Active {
		t.Fatalf("the store holds the change: %s", s.State)
	}
}

func TestVersionSurvivesReopening(t *testing.T) {
	w := newWorld(t)
	ready(t, w.admin.As("test"))
	live := &registry.Live{}
	if _, err := New(Config{Store: w.store, Ring: w.ring, Live: live, Recorder: w.records, Gateway: func() Gateway { return w.gateway }}); err != nil {
		t.Fatal(err)
	}
	if got, want := live.Load().Version(), w.live.Load().Version(); got != want || want == 0 {
		t.Fatalf("version %d after reopening, %d before", got, want)
	}
	if live.Load().Grant("app", "wiki") == nil {
		t.Fatal("the grant is gone after reopening")
	}
}

func TestStatusNamesWhatIsHidden(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		w.prober.found.Eras = []string{"legacy"}
		ready(t, api)
		must[Done[ServerView]](t)(api.SubmitServer(ctx, url("later")))
		w.gateway.Checks = func() []Check { return []Check{{"a", "ok", ""}, {"b", "degraded", "late"}} }
		s := must[Status](t)(api.Status(ctx, None{}))
		if !slices.Equal(s.Hidden, []Hidden{{"wiki", "modern"}}) || !slices.Equal(s.Pending, []string{"later"}) ||
			s.Servers != 2 || s.Active != 1 || s.Agents != 1 || s.Ready != "degraded" {
			t.Fatalf("got %+v", s)
		}
	})
}

func TestAttachRefusesAnotherCommand(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		command := []string{"npx", "-y", "files"}
		must[Done[ServerView]](t)(api.SubmitServer(ctx, SubmitServer{ID: "files", Command: command}))
		_, err := api.Attach(ctx, Attach{Command: command})
		refused(t, err, Drift) // not approved yet
		must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "files", Change: Change{Reason: "x"}}))
		a := must[Attachment](t)(api.Attach(ctx, Attach{Command: command}))
		if a.Agent != "app" || a.Server != "files" || a.URL != "https://127.0.0.1:8443/s/files/mcp" || len(a.CAPEM) == 0 {
			t.Fatalf("got %+v", a)
		}
		_, err = api.Attach(ctx, Attach{Server: "files", Command: []string{"npx", "-y", "files", "--evil"}})
		refused(t, err, Drift)
		_, err = api.Attach(ctx, Attach{Command: []string{"sh"}})
		refused(t, err, Drift)
		_, err = api.Attach(ctx, Attach{Server: "nope"})
		refused(t, err, NotFound)
		_, err = api.Attach(ctx, Attach{Agent: "nope"})
		refused(t, err, NotFound)
		if a := must[Attachment](t)(api.Attach(ctx, Attach{})); a.URL != "https://127.0.0.1:8443/mcp" {
			t.Fatalf("got %+v", a)
		}
		must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "second"}))
		_, err = api.Attach(ctx, Attach{})
		refused(t, err, Invalid) // which agent?
		w.gateway.Running = false
		_, err = api.Attach(ctx, Attach{Agent: "app"})
		refused(t, err, Unavailable)
	})
}

package admin

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

// changing is one change over a gateway with the server wiki, the agent app and
// its grant. ask prepares what it needs as the operator at the socket, and
// returns the request.
type changing struct {
	ask     func(t *testing.T, w *world, api API) any
	entries int    // 0 = one
	still   string // why the object is the same before and after, or has no digest
	plain   bool   // the request has no reason and no dry run
}

func asked(r any) func(*testing.T, *world, API) any {
	return func(*testing.T, *world, API) any { return r }
}

var someLabels = []string{"internal"}

// changes has a row for every method that changes something.
var changes = map[string]changing{
	"server.submit": {ask: asked(url("files"))},
	"server.approve": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[ServerView]](t)(api.SubmitServer(ctx, url("files")))
		return ApproveServer{ID: "files"}
	}},
	"server.move":  {ask: asked(Move{ID: "wiki", Action: Suspend})},
	"server.scan":  {ask: asked(Scan{ID: "wiki"})},
	"server.set":   {ask: asked(SetServer{ID: "wiki", Labels: &someLabels})},
	"tool.approve": {ask: asked(ApproveTool{Server: "wiki", Tool: "write-file", Access: registry.Write})},
	"tool.set":     {ask: asked(SetTool{Server: "wiki", Tool: "write-file", Labels: &someLabels})},

	"credential.set": {ask: asked(someCredential)},
	"credential.remove": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[CredentialView]](t)(api.SetCredential(ctx, someCredential))
		return RemoveCredential{CredentialRef: someCredential.CredentialRef}
	}},

	"credential.finish": {ask: func(t *testing.T, w *world, api API) any {
		w.admin.SetProber(loginServer{w.prober})
		ref := CredentialRef{Server: "wiki"}
		begun := must[LoginBegun](t)(api.BeginLogin(ctx, BeginLogin{CredentialRef: ref, Redirect: "http://127.0.0.1:1/"}))
		return FinishLogin{CredentialRef: ref, Handle: begun.Handle, Query: "code=x"}
	}},

	"agent.register":    {ask: asked(RegisterAgent{ID: "desk", Credentials: true}), entries: 2},
	"agent.set":         {ask: asked(SetAgent{ID: "app", Roles: &someLabels})},
	"agent.move":        {ask: asked(Move{ID: "app", Action: Suspend})},
	"agent.certificate": {ask: asked(IssueCertificate{Agent: "app"})},
	"token.create":      {ask: asked(CreateToken{Agent: "app"})},
	"token.revoke": {ask: func(t *testing.T, _ *world, api API) any {
		return RevokeToken{ID: must[Done[NewToken]](t)(api.CreateToken(ctx, CreateToken{Agent: "app"})).Item.ID}
	}},
	"access.grant":   {ask: asked(Grant{Agent: "app", Server: "wiki", Access: registry.Modify})},
	"access.revoke":  {ask: asked(Revoke{Agent: "app", Server: "wiki"})},
	"access.request": {ask: asked(Grant{Agent: "app", Server: "wiki", Access: registry.Modify})},
	"access.decide": {ask: func(t *testing.T, _ *world, api API) any {
		return Choice{ID: must[Done[RequestView]](t)(api.RequestAccess(ctx, Grant{Agent: "app", Server: "wiki", Access: registry.Modify})).Item.ID, Accept: true}
	}},

	"key.rotate": {ask: asked(RotateKey{Name: "audit"}), still: "keys are no rows"},
	"key.destroy": {ask: func(t *testing.T, _ *world, api API) any {
		old := must[[]KeyView](t)(api.Keys(ctx, KeyQuery{Purpose: "audit"}))[0].ID
		must[Done[KeyView]](t)(api.RotateKey(ctx, RotateKey{Name: "audit", Change: why}))
		return DestroyKey{ID: old}
	}, still: "keys are no rows"},
	"key.reseal":    {ask: asked(ResealKey{Name: string(keys.Rows)}), still: "values stay what they are", plain: true},
	"subject.erase": {ask: asked(EraseSubject{ID: "app"}), entries: 2, still: "what is gone has no digest"},

	"vault.reveal": {ask: func(t *testing.T, w *world, _ API) any {
		return RevealToken{Token: w.hide(t, "s", mail("canary@example.com"))[0], Purpose: "support"}
	}, still: "a value is read"},
	"data.erase": {ask: func(t *testing.T, w *world, _ API) any {
		return EraseData{DataSubject: DataSubject{Token: w.hide(t, "s", mail("canary@example.com"))[0]}}
	}, still: "what is gone has no digest"},

	"policy.propose": {ask: asked(PolicyApply{Sources: texts(forbidWrite)})},
	"policy.apply":   {ask: asked(PolicyApply{Sources: texts(forbidWrite)})},
	"policy.rollback": {ask: func(t *testing.T, _ *world, api API) any {
		apply(t, api, forbidWrite)
		apply(t, api, forbidAll)
		return PolicyRollback{Version: 1}
	}},
	"policy.decide": {ask: func(t *testing.T, _ *world, api API) any {
		return Choice{ID: must[Done[PolicyView]](t)(api.PolicyPropose(ctx, PolicyApply{Change: because, Sources: texts(forbidWrite)})).Item.ID, Accept: true}
	}},
	"policy.unshadow": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[PolicyView]](t)(api.PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(forbidWrite), Shadow: true}))
		return Change{}
	}},

	"oauth.register": {ask: asked(someClient)},
	"oauth.unregister": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[OAuthClientView]](t)(api.RegisterOAuthClient(ctx, someClient))
		return RemoveOAuthClient{Name: someClient.Name}
	}},
	"oauth.end": {ask: func(t *testing.T, w *world, _ API) any {
		login := registry.Login{Client: "c", Agent: w.pseudonym(t, "app"), Person: w.pseudonym(t, "alice"), Created: w.now, Expires: w.now.Add(time.Hour)}
		err := w.admin.Own().Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
			n, err := registry.NewNoun(registry.KindLogin, "l-1", "alice", login)
			if err != nil {
				return nil, err
			}
			return nil, s.InsertNoun(n)
		})
		if err != nil {
			t.Fatal(err)
		}
		return EndLogin{ID: "l-1"}
	}},

	"approval.decide": {ask: func(t *testing.T, w *world, _ API) any { return DecideApproval{ID: w.asks(t, nil), Approve: true} }},
	"bypass.open":     {ask: asked(OpenBypass{Agent: "app", For: Duration(time.Hour)})},
	"bypass.close":    {ask: func(t *testing.T, _ *world, api API) any { return BypassChoice{ID: opened(t, api)} }},
	"bypass.review": {ask: func(t *testing.T, _ *world, api API) any {
		id := opened(t, api)
		must[Done[BypassView]](t)(api.CloseBypass(ctx, BypassChoice{why, id}))
		return BypassChoice{ID: id}
	}},
	"limit.set": {ask: asked(SetLimit{ID: "apps", Agent: "app", Calls: Amount{Limit: 3, Window: Duration(time.Minute)}})},
	"limit.remove": {ask: func(t *testing.T, _ *world, api API) any {
		return RemoveLimit{ID: must[Done[LimitView]](t)(api.SetLimit(ctx, SetLimit{ID: "apps", Agent: "app", Calls: Amount{Limit: 3, Window: Duration(time.Minute)}})).Item.ID}
	}},

	"filter.apply": {ask: asked(ApplyFilter{Server: "wiki", Text: someFilter})},
	"filter.rollback": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Text: someFilter}))
		return RollbackFilter{Change: why, Server: "wiki", Version: 1}
	}},
	"filter.remove": {ask: func(t *testing.T, _ *world, api API) any {
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Text: someFilter}))
		return RemoveFilter{}
	}},

	"cert.issue":      {ask: asked(IssueComponent{Server: "wiki"})},
	"cert.join-token": {ask: asked(JoinToken{Agent: "app"})},
	"cert.revoke": {ask: func(t *testing.T, _ *world, api API) any {
		return RevokeCert{Serial: must[Done[Credentials]](t)(api.IssueCertificate(ctx, IssueCertificate{Agent: "app"})).Item.Serial}
	}},
	"ca.export-root": {ask: asked(ExportRoot{Passphrase: []byte("correct horse battery")}), still: "keys are no rows"},
	"ca.drop-root": {ask: func(t *testing.T, _ *world, api API) any {
		return DropRoot{Root: must[AuthorityView](t)(api.Authority(ctx, None{})).Root}
	}, still: "keys are no rows"},
	"ca.request": {ask: asked(RequestIssuers{}), still: "keys are no rows"},
	"ca.import-issuer": {ask: func(t *testing.T, w *world, api API) any {
		phrase := []byte("correct horse battery")
		kept := must[Done[ExportedRoot]](t)(api.ExportRoot(ctx, ExportRoot{Change: why, Passphrase: phrase})).Item
		root := must[*keys.OfflineRoot](t)(keys.OpenOfflineRoot(kept.Sealed, keys.Unsealing{Passphrase: phrase}))
		chain, _, err := root.Issue(must[Done[IssuerRequests]](t)(api.RequestIssuers(ctx, RequestIssuers{})).Item.PEM, keys.IssuerTerms{}, w.now)
		if err != nil {
			t.Fatal(err)
		}
		return ImportIssuers{PEM: chain}
	}, still: "keys are no rows"},
	"kill.switch": {ask: asked(Switch{What: "server", Name: "wiki"})},

	"user.invite": {ask: asked(InviteUser{ID: "pat"})},
	"user.set":    {ask: asked(SetUser{ID: "auditor-person", Agents: &[]string{"app"}})},
	"user.move":   {ask: asked(MoveUser{ID: "auditor-person", Action: DisableUser})},

	"witness.change": {ask: func(t *testing.T, w *world, _ API) any {
		w.admin.cfg.Witnesses = witnessFile(filepath.Join(t.TempDir(), "policy"))
		return WitnessChange{Name: "w", Key: must[*keys.Cosigner](t)(keys.NewCosigner("w")).VKey(), URL: "https://w.example.com"}
	}},
}

// changeElsewhere are changes that are several requests or need two people; the test
// named looks at it.
var changeElsewhere = map[string]string{"backup.begin": "TestBackup", "backup.finish": "TestBackup", "vault.decide": "TestRevealByTwo"}

// loginServer is a prober that also asks an authorization server.
type loginServer struct{ *prober }

func (loginServer) Begin(context.Context, registry.Server, oauth.Settings, oauth.State) (*oauth.Pending, error) {
	return &oauth.Pending{URL: "https://as.example.com/authorize"}, nil
}

func (loginServer) Finish(context.Context, registry.Server, oauth.Settings, *oauth.Pending, string) (oauth.State, error) {
	return oauth.State{Issuer: "https://as.example.com", Token: "t"}, nil
}

// readMethods are the methods that change nothing.
var readMethods = strings.Fields(`status attach server.list server.get tool.list credential.list credential.begin agent.list agent.get token.list token.explain
	access.list access.explain access.who access.what access.unused access.requests backup.list backup.read key.list key.get
	audit.query audit.follow audit.logs audit.show audit.verify audit.checkpoint audit.prove audit.export audit.entries audit.hashes witness.list
	policy.check policy.test policy.diff policy.replay policy.schema policy.history policy.show policy.proposals policy.shadow
	oauth.logins oauth.clients approval.list approval.get bypass.list limit.list filter.list filter.get filter.history filter.suggest cert.list cert.crl ca.show kill.list user.list user.get
	vault.lookup vault.stats vault.requests data.export`)

var someCredential = SetCredential{CredentialRef: CredentialRef{Server: "wiki"},
	Settings: oauth.Settings{Grant: oauth.Credentials, Issuer: "https://as.example.com", ClientID: "c", ClientSecret: "s"}}

var someClient = RegisterOAuthClient{Name: "robot", Agent: "app", JWKS: []byte(oneKey)}

// witnessFile is a witness policy that nobody follows.
type witnessFile string

func (f witnessFile) Policy() string        { return "" }
func (f witnessFile) File() string          { return string(f) }
func (f witnessFile) Status() []WitnessView { return nil }
func (f witnessFile) Met([]byte) bool       { return false }

func opened(t *testing.T, api API) string {
	t.Helper()
	return must[Done[BypassView]](t)(api.OpenBypass(ctx, OpenBypass{Change: why, Agent: "app", For: Duration(time.Hour)})).Item.ID
}

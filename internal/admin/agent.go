package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// certificateLife is how long an agent's certificate lives, and the most that
// can be asked for.
const certificateLife = 30 * 24 * time.Hour

// maxTokenLife bounds an expiry that somebody asks for, so that it stays a date.
const maxTokenLife = 10 * 365 * 24 * time.Hour

func compare(a, b string) int { return strings.Compare(a, b) }

// RegisterAgent registers a client and, when asked, makes its credentials.
func (o *operator) RegisterAgent(_ context.Context, r RegisterAgent) (Done[Registration], error) {
	var out Done[Registration]
	if err := o.checkAgent(r); err != nil {
		return out, err
	}
	now := o.cfg.Clock.Now().UTC()
	agent := registry.Agent{ID: r.ID, State: registry.Active, Era: r.Era, Basis: string(r.Basis), Receipts: r.Receipts,
		Reason: r.Reason, By: o.by, CreatedAt: now, UpdatedAt: now}
	if agent.Basis == "" {
		agent.Basis = string(ByOperator)
	}
	var reg Registration
	t := &act{kind: "agent.register", agent: r.ID, what: "agent " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		// The two would share a pseudonym: an approver could not be told
		// from the agent that asks.
		if _, err := s.Noun(registry.KindPerson, r.ID); err == nil {
			return nil, &Error{Code: Exists, Message: "a person has this name", Fix: "choose another one"}
		} else if !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		if err := s.InsertAgent(agent); err != nil {
			return nil, err
		}
		if err := bind(s, o.cfg.Ring, r, now); err != nil {
			return nil, err
		}
		if r.Credentials {
			if err := o.credentials(s, r.ID, now, &reg); err != nil {
				return nil, err
			}
		}
		var err error
		if agent, err = s.Agent(r.ID); err != nil {
			return nil, err
		}
		if r.JWTIssuer != "" || r.SPIFFE != "" {
			reg.CAPEM = o.cfg.Ring.CA().RootPEM()
		}
		reg.Agent = viewOf(agent) // a new one has nothing but what it gets here
		if r.Credentials {
			reg.Agent.Tokens, reg.Agent.Certs = 1, 1
		}
		t.also = made(reg)
		return recorded(reg), nil
	})
	if err != nil {
		return out, err
	}
	if r.DryRun {
		reg.Credentials, reg.Token = nil, nil // they were taken back
	}
	return Done[Registration]{!r.DryRun, reg, append(o.untrusted(r.SPIFFE),
		"it may use nothing yet: ostiary access grant "+r.ID+" SERVER --access read|write|modify")}, nil
}

func (o *operator) checkAgent(r RegisterAgent) error {
	if err := registry.ValidID(r.ID); err != nil {
		return invalid("choose another name, such as my-app", "%q cannot be the name of an agent: %v", r.ID, err)
	}
	if r.Era != "" && r.Era != "legacy" && r.Era != "modern" {
		return invalid("use legacy or modern, or leave it out", "%q is not an era", r.Era)
	}
	if err := o.checkForeign(r); err != nil {
		return err
	}
	if r.Basis != "" && r.Basis != ByOperator && r.Basis != ByImport {
		return invalid("use operator or import", "%q is not a basis", r.Basis)
	}
	return nil
}

// registered is the recorded detail of a registration: no secret.
type registered struct {
	State  registry.State `json:"state"`
	Era    string         `json:"era,omitempty"`
	Basis  string         `json:"basis"`
	Serial string         `json:"serial,omitempty"`
	Token  string         `json:"token,omitempty"` // its id
}

func recorded(r Registration) registered {
	d := registered{State: r.Agent.State, Era: r.Agent.Era, Basis: r.Agent.Basis}
	if r.Credentials != nil {
		d.Serial = r.Credentials.Serial
	}
	if r.Token != nil {
		d.Token = r.Token.ID
	}
	return d
}

// made says which credentials a registration made: that is what cert.issued
// means, and an agent without credentials gets none.
func made(r Registration) []auditlog.Act {
	if r.Credentials == nil {
		return nil
	}
	return []auditlog.Act{{Kind: auditlog.CertIssued, Action: "agent.certificate", Agent: r.Agent.ID, Subject: r.Credentials.Serial,
		Change: map[string]string{"serial": r.Credentials.Serial, "until": r.Credentials.NotAfter.UTC().Format(time.RFC3339)}}}
}

// credentials makes a certificate and a token for agent and stores their
// public parts.
func (o *operator) credentials(s store.Store, agent string, now time.Time, reg *Registration) error {
	cred, err := o.certificate(s, agent, certificateLife, now)
	if err != nil {
		return err
	}
	token, err := o.token(s, registry.Token{Agent: agent, CreatedAt: now}, 0)
	if err != nil {
		return err
	}
	reg.Credentials, reg.Token = &cred, &token
	return nil
}

func (o *operator) certificate(s store.Store, agent string, life time.Duration, now time.Time) (Credentials, error) {
	cert, key, serial, until, err := o.cfg.Ring.CA().IssueAgent(agent, life, now)
	if err != nil {
		return Credentials{}, fmt.Errorf("issue certificate: %w", err)
	}
	err = s.InsertCertificate(registry.Certificate{Serial: serial, Agent: agent, NotAfter: until, CreatedAt: now})
	return Credentials{Agent: agent, Serial: serial, NotAfter: until,
		CertPEM: cert, KeyPEM: key, CAPEM: o.cfg.Ring.CA().RootPEM()}, err
}

// token stores row with a new secret, and a life when it is not 0.
func (o *operator) token(s store.Store, row registry.Token, life time.Duration) (NewToken, error) {
	value, id, hash := o.cfg.Ring.NewToken()
	row.ID, row.Hash = id, hash
	t := NewToken{ID: id, Agent: row.Agent, Token: value}
	if life > 0 {
		row.ExpiresAt = row.CreatedAt.Add(life)
		t.ExpiresAt = &row.ExpiresAt
	}
	return t, s.InsertToken(row)
}

// viewOf shows an agent that holds nothing.
func viewOf(a registry.Agent) AgentView {
	return AgentView{ID: a.ID, State: a.State, Era: a.Era, Grants: []GrantView{}, Receipts: a.Receipts, Roles: a.Roles, Clearance: a.Clearance, Zone: a.Zone, Basis: a.Basis, Reason: a.Reason, By: a.By,
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, Revision: a.Revision}
}

// viewHeld shows an agent with what it holds by the view before a change, which
// does not concern that. It runs under the lock of changes.
func (o *operator) viewHeld(a registry.Agent, now time.Time) AgentView {
	return count(a, now, o.base)
}

// count counts what agent can use now.
func count(a registry.Agent, now time.Time, view *registry.Snapshot) AgentView {
	v := viewOf(a)
	tokens, certs, grants := view.Held(a.ID)
	for _, t := range tokens {
		if viewToken(t, now).State == "valid" {
			v.Tokens++
		}
	}
	for _, c := range certs {
		if !c.Revoked && now.Before(c.NotAfter) {
			v.Certs++
		}
	}
	for _, g := range grants {
		v.Grants = append(v.Grants, viewGrant(g))
	}
	slices.SortFunc(v.Grants, func(a, b GrantView) int { return compare(a.Server, b.Server) })
	return v
}

// holdings returns a view of what is stored that agents hold.
func holdings(s store.Store) (*registry.Snapshot, error) {
	tokens, err := s.Tokens()
	if err != nil {
		return nil, err
	}
	certs, err := s.Certificates()
	if err != nil {
		return nil, err
	}
	grants, err := s.Grants()
	return registry.NewSnapshot(0, nil, nil, tokens, certs, grants), err
}

// Agents lists every registered agent by id.
func (o *operator) Agents(context.Context, None) ([]AgentView, error) {
	all, err := o.cfg.Store.Agents()
	if err != nil {
		return nil, asError("agents", err)
	}
	slices.SortFunc(all, func(a, b registry.Agent) int { return compare(a.ID, b.ID) })
	held, err := holdings(o.cfg.Store)
	if err != nil {
		return nil, asError("agents", err)
	}
	views := make([]AgentView, 0, len(all))
	for _, a := range all {
		views = append(views, count(a, o.cfg.Clock.Now(), held))
	}
	return views, nil
}

// Agent returns one registered agent.
func (o *operator) Agent(_ context.Context, r ID) (AgentView, error) {
	a, err := o.cfg.Store.Agent(r.ID)
	if err != nil {
		return AgentView{}, asError("agent "+r.ID, err)
	}
	held, err := holdings(o.cfg.Store)
	if err != nil {
		return AgentView{}, asError("agent "+r.ID, err)
	}
	return count(a, o.cfg.Clock.Now(), held), nil
}

// MoveAgent suspends, resumes or retires an agent. Its streams and calls under
// way end with it.
func (o *operator) MoveAgent(_ context.Context, r Move) (Done[AgentView], error) {
	var out Done[AgentView]
	to, ok := map[Action]registry.State{
		Suspend: registry.Suspended, Resume: registry.Active, Retire: registry.Retired,
	}[r.Action]
	if !ok {
		return out, invalid("use suspend, resume or retire", "%q is not an action", r.Action)
	}
	var view AgentView
	t := &act{kind: "agent." + string(r.Action), agent: r.ID, what: "agent " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		agent, err := s.Agent(r.ID)
		if err != nil {
			return nil, err
		}
		moved, err := registry.MoveAgent(agent, to)
		if err != nil {
			return nil, wrongState("agent "+r.ID, agent.State, err.Error())
		}
		now := o.cfg.Clock.Now().UTC()
		moved.By, moved.Reason, moved.UpdatedAt = o.by, r.Reason, now
		if err := s.UpdateAgent(moved); err != nil {
			return nil, err
		}
		if to == registry.Retired {
			if err := unbind(s, r.ID); err != nil {
				return nil, err
			}
		}
		if moved, err = s.Agent(r.ID); err != nil {
			return nil, err
		}
		view = o.viewHeld(moved, now)
		return stateChange{From: agent.State, To: to}, nil
	})
	if err != nil {
		return out, err
	}
	return Done[AgentView]{!r.DryRun, view, []string{}}, nil
}

// SetAgent changes how an agent is served and what policies see of it.
func (o *operator) SetAgent(_ context.Context, r SetAgent) (Done[AgentView], error) {
	var out Done[AgentView]
	var view AgentView
	t := &act{kind: "agent.set", agent: r.ID, what: "agent " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		agent, err := s.Agent(r.ID)
		if err != nil {
			return nil, err
		}
		now := o.cfg.Clock.Now().UTC()
		detail, err := r.apply(&agent)
		if err != nil {
			return nil, err
		}
		agent.By, agent.Reason, agent.UpdatedAt = o.by, r.Reason, now
		if err := s.UpdateAgent(agent); err != nil {
			return nil, err
		}
		if agent, err = s.Agent(r.ID); err != nil {
			return nil, err
		}
		view = o.viewHeld(agent, now)
		return detail, nil
	})
	if err != nil {
		return out, err
	}
	return Done[AgentView]{!r.DryRun, view, []string{}}, nil
}

// active returns an agent that may get credentials.
func active(s store.Store, id string) error {
	a, err := s.Agent(id)
	if err != nil {
		return err
	}
	if a.State != registry.Active {
		return wrongState("agent "+id, a.State, "only an active agent gets credentials")
	}
	return nil
}

// IssueCertificate makes a further certificate for an agent.
func (o *operator) IssueCertificate(_ context.Context, r IssueCertificate) (Done[Credentials], error) {
	var out Done[Credentials]
	life := time.Duration(r.Life)
	if life == 0 {
		life = certificateLife
	}
	if life < time.Minute || life > certificateLife {
		return out, invalid("use 1m to 720h", "a certificate lives between one minute and 30 days")
	}
	var cred Credentials
	t := &act{kind: "agent.certificate", agent: r.Agent, what: "agent " + r.Agent, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		if err := active(s, r.Agent); err != nil {
			return nil, err
		}
		var err error
		cred, err = o.certificate(s, r.Agent, life, o.cfg.Clock.Now().UTC())
		t.subject = cred.Serial
		return map[string]string{"serial": cred.Serial, "until": cred.NotAfter.UTC().Format(time.RFC3339)}, err
	})
	if err != nil {
		return out, err
	}
	if r.DryRun {
		cred = Credentials{Agent: r.Agent, NotAfter: cred.NotAfter}
	}
	return Done[Credentials]{!r.DryRun, cred, []string{}}, nil
}

// CreateToken makes a token for an agent.
func (o *operator) CreateToken(_ context.Context, r CreateToken) (Done[NewToken], error) {
	var out Done[NewToken]
	life := time.Duration(r.Life)
	if life != 0 && life < time.Minute || life > maxTokenLife {
		return out, invalid("use 1m or more, or leave it out", "a token lives between one minute and ten years")
	}
	var token NewToken
	scope, err := limitsOf(r)
	if err != nil {
		return out, err
	}
	t := &act{kind: "token.create", agent: r.Agent, what: "agent " + r.Agent, Change: r.Change}
	err = o.change(t, func(s store.Store) (any, error) {
		if err := active(s, r.Agent); err != nil {
			return nil, err
		}
		var err error
		token, err = o.token(s, registry.Token{Agent: r.Agent, CreatedAt: o.cfg.Clock.Now().UTC(), Scope: scope, Server: r.Server}, life)
		t.subject = token.ID
		return map[string]string{"token": token.ID, "scope": scope, "server": r.Server}, err
	})
	if err != nil {
		return out, err
	}
	if r.DryRun {
		token = NewToken{Agent: r.Agent, ExpiresAt: token.ExpiresAt}
	}
	return Done[NewToken]{!r.DryRun, token, []string{}}, nil
}

// Tokens lists tokens by agent.
func (o *operator) Tokens(_ context.Context, q TokenQuery) ([]TokenView, error) {
	all, err := o.cfg.Store.Tokens()
	if err != nil {
		return nil, asError("tokens", err)
	}
	views := []TokenView{}
	for _, t := range all {
		if q.Agent == "" || t.Agent == q.Agent {
			views = append(views, viewToken(t, o.cfg.Clock.Now()))
		}
	}
	slices.SortStableFunc(views, func(a, b TokenView) int { return compare(a.Agent+" "+a.ID, b.Agent+" "+b.ID) })
	return views, nil
}

// RevokeToken ends a token for good.
func (o *operator) RevokeToken(_ context.Context, r RevokeToken) (Done[TokenView], error) {
	var out Done[TokenView]
	if err := checkRevoked(r); err != nil {
		return out, err
	}
	if r.JWT || r.Issuer != "" {
		return o.revokeJWT(r)
	}
	var view TokenView
	t := &act{kind: "token.revoke", subject: r.ID, what: "token " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		err := s.RevokeToken(r.ID)
		if errors.Is(err, registry.ErrNotFound) {
			return nil, &Error{Code: NotFound, Message: "there is no API token " + r.ID,
				Fix: "see ostiary token list; when it is the jti of an issuer's token: ostiary token revoke " + r.ID + " --jwt"}
		}
		if err != nil {
			return nil, err
		}
		token, err := s.Token(r.ID)
		view = viewToken(token, o.cfg.Clock.Now())
		t.agent = view.Agent
		return nil, err
	})
	if err != nil {
		return out, err
	}
	return Done[TokenView]{!r.DryRun, view, []string{}}, nil
}

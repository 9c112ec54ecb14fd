package admin

import (
	"context"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// Caller is who asks for a method. Whoever makes one has checked the session
// or, at the socket, the user that the kernel names.
type Caller struct {
	Name     string          // as it stands in the record
	Roles    []registry.Role // as they are now
	Socket   bool            // the gateway's own user: role admin, and no second factor
	Strength identity.Strength
	AuthTime time.Time
	HasKey   bool // could have shown a passkey
}

// stepUpAge is how old a sign-in may be for what needs a fresh one.
const stepUpAge = 5 * time.Minute

// rule says who may call a method. An admin may call all.
type rule struct {
	roles []registry.Role
	fresh bool // needs the strongest factor that the person has, at most stepUpAge old
}

var (
	anyRole    = registry.Roles()
	operators  = []registry.Role{registry.RoleOperator}
	approvers  = []registry.Role{registry.RoleApprover}
	auditors   = []registry.Role{registry.RoleAuditor}
	developers = []registry.Role{registry.RoleOperator, registry.RoleDeveloper}
	admins     []registry.Role
)

// rules has a row for every method; TestEveryMethodHasARule fails for a new one
// without. What is missing is refused.
var rules = map[string]rule{
	"status": {anyRole, false}, "attach": {admins, false},

	"server.submit": {operators, false}, "server.approve": {operators, true}, "server.move": {operators, false}, "server.scan": {operators, false}, "server.set": {operators, true},
	"server.list": {anyRole, false}, "server.get": {anyRole, false}, "tool.list": {anyRole, false}, "tool.approve": {operators, true}, "tool.set": {operators, true},
	"credential.set": {operators, true}, "credential.list": {operators, false}, "credential.remove": {operators, false},
	"credential.begin": {operators, false}, "credential.finish": {operators, false},
	"agent.register": {operators, false}, "agent.set": {operators, false}, "agent.move": {operators, false}, "agent.list": {anyRole, false},
	"agent.get": {anyRole, false}, "agent.certificate": {operators, true},
	"token.create": {operators, true}, "token.list": {operators, false}, "token.revoke": {operators, false},

	"access.grant": {operators, true}, "access.revoke": {operators, false}, "access.list": {anyRole, false}, "access.explain": {anyRole, false},
	"access.who": {anyRole, false}, "access.what": {anyRole, false}, "access.unused": {anyRole, false},
	"access.request": {developers, false}, "access.requests": {anyRole, false}, "access.decide": {approvers, true},

	"backup.begin": {operators, true}, "backup.read": {operators, true}, "backup.finish": {operators, true}, "backup.list": {operators, false},
	"key.list": {auditors, false}, "key.get": {auditors, false}, "key.rotate": {admins, true}, "key.destroy": {admins, true}, "key.reseal": {admins, true},
	"subject.erase": {admins, true},
	"vault.lookup":  {auditors, false}, "vault.reveal": {admins, true}, "vault.stats": {auditors, false}, "vault.requests": {approvers, false}, "vault.decide": {approvers, true}, "data.export": {admins, true}, "data.erase": {admins, true},

	"audit.query": {auditors, false}, "audit.follow": {auditors, false}, "audit.logs": {auditors, false}, "audit.show": {auditors, false},
	"audit.verify": {auditors, false}, "audit.checkpoint": {auditors, false}, "audit.prove": {auditors, false}, "audit.export": {auditors, true},
	"audit.entries": {auditors, false}, "audit.hashes": {auditors, false},
	"witness.list": {auditors, false}, "witness.change": {admins, true},

	"policy.check": {developers, false}, "policy.test": {developers, false}, "policy.diff": {developers, false}, "policy.replay": {developers, false},
	"policy.schema": {developers, false}, "policy.history": {anyRole, false}, "policy.show": {anyRole, false}, "policy.proposals": {anyRole, false},
	"policy.propose": {developers, false}, "policy.apply": {admins, true}, "policy.rollback": {admins, true}, "policy.decide": {approvers, true},
	"policy.shadow": {operators, true}, "policy.unshadow": {operators, true},

	"oauth.logins": {operators, false}, "oauth.end": {operators, false}, "oauth.clients": {operators, false},
	"oauth.register": {operators, true}, "oauth.unregister": {operators, false},
	"approval.list": {anyRole, false}, "approval.get": {anyRole, false}, "approval.decide": {approvers, true},
	"bypass.open": {admins, true}, "bypass.close": {operators, false}, "bypass.review": {approvers, true}, "bypass.list": {anyRole, false},
	"filter.apply": {operators, true}, "filter.remove": {operators, true}, "filter.list": {anyRole, false}, "filter.get": {anyRole, false},
	"filter.suggest": {operators, false}, "filter.history": {anyRole, false}, "filter.rollback": {operators, true},
	"limit.set": {operators, false}, "limit.remove": {operators, false}, "limit.list": {anyRole, false},
	"cert.list": {operators, false}, "cert.revoke": {operators, false}, "cert.issue": {operators, true},
	"cert.join-token": {operators, true}, "cert.crl": {anyRole, false},
	"ca.show": {anyRole, false}, "ca.export-root": {admins, true}, "ca.drop-root": {admins, true},
	"ca.request": {admins, true}, "ca.import-issuer": {admins, true},
	"kill.switch": {operators, false}, "kill.list": {anyRole, false}, "token.explain": {operators, false},

	"user.invite": {admins, true}, "user.set": {admins, true}, "user.move": {admins, true}, "user.list": {auditors, false}, "user.get": {auditors, false},
}

// may returns why a caller may not call a method; nil: they may.
func (a *Admin) may(c Caller, name string) error {
	r, known := rules[name]
	if !known {
		return &Error{Code: Forbidden, Message: "nobody may do this over the network"}
	}
	has := (&registry.Person{Roles: c.Roles}).Has(r.roles...)
	if !has {
		return &Error{Code: Forbidden, Message: "your roles do not allow this", Fix: "ask an admin: ostiary user set NAME --role ROLE"}
	}
	if r.fresh {
		return proved(Proof{c.Strength, c.AuthTime}, c.HasKey, a.cfg.Clock.Now())
	}
	return nil
}

// Call runs a method for a caller: the one way in for what comes over the
// socket and over the network. Roles and step-up are checked here.
func (a *Admin) Call(ctx context.Context, c Caller, name string, body []byte) (any, error) {
	m := methods[name]
	if m == nil {
		return nil, &Error{Code: NotFound, Message: "there is no such function", Fix: "use a command line of the gateway's own version"}
	}
	if c.Socket {
		return m(ctx, a.As(c.Name), body)
	}
	if err := a.may(c, name); err != nil {
		return nil, err
	}
	return m(ctx, a.AsPerson(c.Name, Proof{Strength: c.Strength, At: c.AuthTime}), body)
}

// Methods lists the names of all methods, sorted.
func Methods() []string {
	all := make([]string, 0, len(methods))
	for name := range methods {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

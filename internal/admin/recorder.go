package admin

import (
	"errors"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Recorder keeps what operators did in the control log. The acts of one call
// stand or fall together; none may hold a secret.
type Recorder interface {
	// Admin adds acts through rows, inside the transaction of the change that
	// they describe: they are in the log when, and only when, it commits.
	Admin(rows auditlog.Rows, acts ...auditlog.Act) error
	// Act adds acts that change nothing, such as a read of the log, in a
	// transaction of their own. They are on stable storage when it returns.
	Act(acts ...auditlog.Act) error
}

// rowsOf returns the rows of the log in the transaction of s.
func rowsOf(s store.Store) auditlog.Rows {
	rows, _ := s.(auditlog.Rows)
	return rows
}

// kinds is what the acts on components are called in the log. What is missing
// is admin.changed.
var kinds = map[string]auditlog.Kind{
	"server.submit":     auditlog.ComponentSubmitted,
	"server.approve":    auditlog.ComponentApproved,
	"server.reject":     auditlog.ComponentRejected,
	"server.scan":       auditlog.ComponentExamined,
	"server.suspend":    auditlog.ComponentSuspended,
	"server.resume":     auditlog.ComponentResumed,
	"server.retire":     auditlog.ComponentRetired,
	"tool.approve":      auditlog.ComponentUpdated,
	"tool.set":          auditlog.ComponentUpdated,
	"server.set":        auditlog.ComponentUpdated,
	"agent.suspend":     auditlog.ComponentSuspended,
	"agent.resume":      auditlog.ComponentResumed,
	"agent.retire":      auditlog.ComponentRetired,
	"agent.certificate": auditlog.CertIssued,
	"cert.issue":        auditlog.CertIssued,
	"cert.revoke":       auditlog.CertRevoked,
	"ca.import-issuer":  auditlog.CertIssued,
	"kill.on":           auditlog.ComponentSuspended,
	"kill.off":          auditlog.ComponentResumed,
	"backup.make":       auditlog.BackupMade,
	"key.rotate":        auditlog.KeyRotated,
	"key.compromise":    auditlog.KeyCompromised,
	"key.move":          auditlog.KeyRotated,
	"key.recover":       auditlog.KeyRotated,
	"key.destroy":       auditlog.KeyDestroyed,
	"subject.erase":     auditlog.ErasureExecuted,
	"data.erase":        auditlog.ErasureExecuted,
	"approval.approve":  "approval.granted",
	"approval.deny":     "approval.denied",
	"bypass.open":       "breakglass.opened",
	"bypass.close":      breakglassClosed,
	"bypass.review":     "breakglass.reviewed",
	"filter.apply":      auditlog.ComponentUpdated,
	"filter.remove":     auditlog.ComponentUpdated,
	"filter.rollback":   auditlog.ComponentUpdated,
	"policy.apply":      auditlog.PolicyApplied,
	"policy.rollback":   auditlog.PolicyApplied,
	"policy.shadow":     auditlog.PolicyApplied,
}

func kindOf(action string) auditlog.Kind {
	if k, ok := kinds[action]; ok {
		return k
	}
	return auditlog.AdminChanged
}

// recorded says what t did, for the log.
func (o *operator) recorded(t *act, before, after string, detail any) []auditlog.Act {
	main := auditlog.Act{Kind: kindOf(t.kind), Action: t.kind, By: o.by, Agent: t.agent, Subject: t.subject,
		Reason: t.Reason, Before: before, After: after, Change: detail}
	all := append([]auditlog.Act{main}, t.also...)
	for i := range all {
		all[i].By = o.by
	}
	return all
}

// fingerprint returns the digest of the object of t as it is in s; "" when there
// is none.
func fingerprint(s store.Store, t *act) (string, error) {
	row, err := object(s, t)
	if errors.Is(err, registry.ErrNotFound) || row == nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return registry.Fingerprint(row)
}

// object returns the row that t concerns, without the names of people.
func object(s store.Store, t *act) (any, error) {
	if t.noun != (registry.NounRef{}) {
		n, err := s.Noun(t.noun.Kind, t.noun.ID)
		n.ID, n.Owner = "", ""
		return n, err
	}
	what, _, _ := strings.Cut(t.kind, ".")
	switch what {
	case "server", "tool":
		id, _, _ := strings.Cut(t.subject, "/")
		v, err := s.Server(id)
		v.By = ""
		return v, err
	case "access":
		return grantRow(s, t.agent, t.subject)
	case "token":
		return tokenRow(s, t.subject)
	case "agent":
		if t.kind == "agent.certificate" {
			return certificateRow(s, t.subject)
		}
		v, err := s.Agent(t.agent)
		v.ID, v.By = "", ""
		return v, err
	}
	return nil, nil
}

func grantRow(s store.Store, agent, server string) (any, error) {
	g, err := s.Grant(agent, server)
	g.Agent, g.By = "", ""
	return g, err
}

func tokenRow(s store.Store, id string) (any, error) {
	t, err := s.Token(id)
	t.Agent = ""
	return t, err
}

func certificateRow(s store.Store, serial string) (any, error) {
	c, err := s.Certificate(serial)
	c.Agent = ""
	return c, err
}

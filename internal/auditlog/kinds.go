package auditlog

import (
	"slices"
	"strings"
)

// Kind says what an entry tells. Kinds are a closed set (compliance.md 2): an
// entry of another kind is refused, so that a reader knows every kind there is.
type Kind string

// The kinds of the calls log.
const (
	AuthnSucceeded     Kind = "authn.succeeded"
	AuthnFailed        Kind = "authn.failed"
	AuthnLocked        Kind = "authn.locked"
	AuthnSteppedUp     Kind = "authn.stepped_up"
	SessionStarted     Kind = "session.started"
	SessionEnded       Kind = "session.ended"
	SessionRefused     Kind = "session.refused"
	CallDecided        Kind = "call.decided"
	CallFinished       Kind = "call.finished"
	CallOutcomeUnknown Kind = "call.outcome_unknown"
	FloodSummarised    Kind = "flood.summarised"
)

// The kinds of the control log that this program writes itself; the others are
// in the table below.
const (
	ComponentSubmitted   Kind = "component.submitted"
	ComponentExamined    Kind = "component.examined"
	ComponentApproved    Kind = "component.approved"
	ComponentRejected    Kind = "component.rejected"
	ComponentUpdated     Kind = "component.updated"
	ComponentQuarantined Kind = "component.quarantined"
	ComponentSuspended   Kind = "component.suspended"
	ComponentResumed     Kind = "component.resumed"
	ComponentRetired     Kind = "component.retired"

	AdminChanged   Kind = "admin.changed"
	PolicyApplied  Kind = "policy.applied"
	ConfigReloaded Kind = "config.reloaded"

	KeyCreated     Kind = "key.created"
	KeyRotated     Kind = "key.rotated"
	KeyCompromised Kind = "key.compromised"
	KeyDestroyed   Kind = "key.destroyed"
	CertIssued     Kind = "cert.issued"
	CertRenewed    Kind = "cert.renewed"
	CertRevoked    Kind = "cert.revoked"

	AuditRead         Kind = "audit.read"
	AuditExported     Kind = "audit.exported"
	PayloadRevealed   Kind = "payload.revealed"
	PseudonymRevealed Kind = "pseudonym.revealed"

	SystemStarted      Kind = "system.started"
	SystemStopped      Kind = "system.stopped"
	SystemDegraded     Kind = "system.degraded"
	SystemRecovered    Kind = "system.recovered"
	SystemClockStepped Kind = "system.clock_stepped"
	SystemAppendFailed Kind = "system.append_failed"
	SystemGap          Kind = "system.gap"
	IntegrityFailed    Kind = "integrity.failed"

	BackupMade     Kind = "backup.made"
	BackupRestored Kind = "backup.restored"

	CheckpointUnwitnessed Kind = "checkpoint.unwitnessed"

	RetentionPurged Kind = "retention.purged"
	HoldPlaced      Kind = "hold.placed"
	HoldReleased    Kind = "hold.released"
	ErasureExecuted Kind = "erasure.executed"
)

// family is one row of the table of kinds in compliance.md 2.
type family struct {
	name           string
	calls, control bool
	kinds          []string
}

// families returns the catalogue. Kinds of authn stand in both logs: those of
// operators in the control log.
func families() []family {
	return []family{
		{"authn", true, true, []string{"authn.succeeded", "authn.failed", "authn.locked", "authn.stepped_up"}},
		{"session", true, false, []string{"session.started", "session.ended", "session.refused"}},
		{"decision", true, false, []string{"call.decided"}},
		{"call", true, false, []string{"call.finished", "call.outcome_unknown", "flood.summarised"}},
		{"server.lifecycle", false, true, []string{
			"component.submitted", "component.examined", "component.approved", "component.rejected", "component.canaried",
			"component.activated", "component.updated", "component.rolled_back", "component.quarantined",
			"component.suspended", "component.resumed", "component.retired"}},
		{"approval", false, true, []string{
			"approval.requested", "approval.granted", "approval.denied", "approval.expired", "approval.bypassed",
			"breakglass.opened", "breakglass.closed", "breakglass.reviewed"}},
		{"admin.change", false, true, []string{"admin.changed", "policy.applied", "config.reloaded"}},
		{"key, cert", false, true, []string{
			"key.created", "key.rotated", "key.compromised", "key.destroyed", "cert.issued", "cert.renewed", "cert.revoked"}},
		{"review", false, true, []string{"review.opened", "review.snapshotted", "review.decided", "review.closed"}},
		{"assessment", false, true, []string{"assessment.finished", "finding.opened", "finding.closed"}},
		{"audit.read", false, true, []string{"audit.read", "audit.exported", "payload.revealed", "pseudonym.revealed"}},
		{"system", false, true, []string{
			"system.started", "system.stopped", "system.degraded", "system.recovered", "system.clock_stepped",
			"system.append_failed", "system.gap", "integrity.failed"}},
		{"backup", false, true, []string{"backup.made", "backup.restored"}},
		{"checkpoint", false, true, []string{"checkpoint.unwitnessed"}},
		{"retention", false, true, []string{"retention.purged", "hold.placed", "hold.released"}},
		{"incident", false, true, []string{"incident.opened", "incident.noted", "incident.closed"}},
		{"dsr", false, true, []string{"dsr.received", "dsr.verified", "dsr.fulfilled", "dsr.refused", "erasure.executed"}},
	}
}

// KindInfo is a row of the catalogue of kinds, the evidence for AU-2.
type KindInfo struct {
	Kind           Kind
	Family         string
	Calls, Control bool // the logs it may stand in
}

// Kinds returns the catalogue, in the order of its families.
func Kinds() []KindInfo {
	var all []KindInfo
	for _, f := range families() {
		for _, k := range f.kinds {
			all = append(all, KindInfo{Kind(k), f.name, f.calls, f.control})
		}
	}
	return all
}

// IsCalls reports whether n names a calls log.
func (n Name) IsCalls() bool { return strings.HasPrefix(string(n), "calls/") }

// kindsOf returns the kinds that may stand in a log.
func kindsOf(n Name) map[Kind]bool {
	known := map[Kind]bool{}
	for _, k := range Kinds() {
		if n.IsCalls() && k.Calls || n.IsControl() && k.Control {
			known[k.Kind] = true
		}
	}
	return known
}

// Known reports whether k is a kind at all.
func (k Kind) Known() bool {
	return slices.ContainsFunc(Kinds(), func(i KindInfo) bool { return i.Kind == k })
}

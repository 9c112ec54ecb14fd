package app

import (
	"context"
	"errors"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// checkLogs refuses logs that are not those which the control log counted at
// the last start or stop. The attack: somebody deletes the end of a log with the
// checkpoints that count it, all of its checkpoints, or the whole log; what is
// left verifies (TestDeletedLogs).
func (a *App) checkLogs() error {
	broken := a.book.Lost()
	if len(broken) == 0 {
		return nil
	}
	act := auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "log.open", Reason: clip(broken[0].Error())}
	recorded := a.store.Raw().InTx(func(raw store.Raw) error { return a.record.Admin(raw, act) })
	return errors.Join(explainLog(broken[0]), recorded)
}

// begins records that the gateway starts to serve, and with what.
func (a *App) begins() error {
	heads, err := a.book.Counted()
	if err != nil {
		return err
	}
	return a.record.Act(auditlog.Act{Kind: auditlog.SystemStarted, Action: "up", Subject: "gateway", After: string(*a.digest.Load()),
		Change: map[string]any{"version": a.options.Version, "outcome_unknown": a.opened.orphans, "store": a.config.Load().Store.Driver, "heads": heads}})
}

// ends records that it stops, and whether by its own fault. The logs are signed
// before they are counted, so that the checkpoints are counted too; what cannot
// be signed is still counted.
func (a *App) ends(why error) error {
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	for _, l := range []*auditlog.Log{a.book.Calls(), a.book.Control()} {
		if _, _, err := l.Sign(ctx); err != nil && l.Size() > 0 {
			a.logError("sign "+string(l.Name())+" at the end", err)
		}
	}
	act := auditlog.Act{Kind: auditlog.SystemStopped, Action: "up", Subject: "gateway"}
	if why != nil {
		act.Reason = clip(why.Error())
	}
	heads, err := a.book.Counted()
	if err == nil {
		act.Change = map[string]any{"heads": heads}
	}
	return errors.Join(err, a.record.Act(act))
}

// addRecount puts what the control log counts beside what a log says of itself.
func addRecount(cfg auditlog.Config, log string, all []admin.AuditState) ([]admin.AuditState, error) {
	broken, err := auditlog.RecountRows(cfg)
	var unread *auditlog.Broken
	if errors.As(err, &unread) {
		return all, nil // the control log's own state says so
	}
	if err != nil {
		return nil, explain(err)
	}
	for _, b := range broken {
		if log != "" && string(b.Log) != log {
			continue
		}
		state, err := admin.StateOf(string(b.Log), b.Index, b)
		if err != nil {
			return nil, err
		}
		known := false
		for i := range all {
			if all[i].Log == state.Log {
				known = true
				if all[i].State == "ok" {
					all[i] = state
				}
			}
		}
		if !known {
			all = append(all, state)
		}
	}
	return all, nil
}

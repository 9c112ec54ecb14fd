package app

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/egress"
)

// VerifyLogs recomputes the logs of the gateway in dir from the database alone,
// also when the gateway refuses to open them. log is the name of one, or "" for
// all. It changes nothing.
func VerifyLogs(ctx context.Context, dir string, o Options, log string, progress func(done, total uint64)) (all []admin.AuditState, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	c, sum, err := load(filepath.Join(dir, ConfigName), o.Environ)
	if err != nil {
		return nil, err
	}
	a := &App{dir: c.DataDir, file: filepath.Join(dir, ConfigName), options: o, clock: o.Clock, health: newHealth()}
	a.config.Store(c)
	a.digest.Store(&sum)
	if a.lock, err = takeLock(ctx, filepath.Join(a.dir, lockName), o.Wait); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	a.guard = egress.New(egress.Config{})
	if err := a.openKeys(ctx); err != nil {
		return nil, err
	}
	raw, err := a.storeAt().raw()
	if err != nil {
		return nil, explain(err)
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	cfg := auditlog.Config{Rows: raw, Sealer: a.ring, Clock: a.clock, VKeys: a.logVKeys}
	heads, err := auditlog.Heads(cfg)
	if err != nil {
		return nil, explain(err)
	}
	for _, h := range heads {
		if log != "" && string(h.Log) != log {
			continue
		}
		newest, err := raw.LatestCheckpoint(h.Log)
		if err != nil && !errors.Is(err, auditlog.ErrNotFound) {
			return nil, explain(err)
		}
		// The key knows the name: a checkpoint in another name does not verify.
		origin, _, _ := strings.Cut(string(newest.Note), "\n")
		cfg.Origin = strings.TrimSuffix(origin, "/"+string(h.Log))
		state, err := admin.StateOf(string(h.Log), h.Size, auditlog.VerifyRows(ctx, cfg, h.Log, progress))
		if err != nil {
			return nil, explain(err)
		}
		all = append(all, state)
	}
	if all, err = addRecount(cfg, log, all); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &admin.Error{Code: admin.NotFound, Message: "there is no log " + log}
	}
	return all, nil
}

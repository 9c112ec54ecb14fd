package admin

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

// LeaseQuota takes n more of the window of key that began at start, and returns
// how much there was; a negative n gives back. Whoever leases first gets it: the
// row is what all gateways of a store agree on.
func (o Own) LeaseQuota(ctx context.Context, key string, start time.Time, n, limit int64) (got int64, err error) {
	if err := o.admin.cfg.Follows; err != nil {
		return 0, fault.Wrap(fault.Busy, err)
	}
	err = o.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		old, err := s.Noun(registry.KindQuota, key)
		fresh := errors.Is(err, registry.ErrNotFound)
		if err != nil && !fresh {
			return nil, err
		}
		q := registry.Quota{Start: start.UTC()}
		if !fresh {
			if q, err = registry.ValueOf[registry.Quota](old); err != nil {
				return nil, err
			}
		}
		if start.After(q.Start) {
			q = registry.Quota{Start: start.UTC()}
		}
		if got = n; n > 0 {
			got = min(n, limit-q.Taken)
		}
		if n > 0 && got <= 0 || n < 0 && !start.Equal(q.Start) {
			got = 0
			return nil, errNothing
		}
		q.Taken = max(0, q.Taken+got)
		next, err := registry.NewNoun(registry.KindQuota, key, "", q)
		if err != nil {
			return nil, err
		}
		acts := []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "quota.lease", Subject: limitName(key)}}
		if fresh {
			return acts, s.InsertNoun(next)
		}
		next.Revision = old.Revision
		return acts, s.UpdateNoun(next)
	})
	if errors.Is(err, errNothing) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return got, nil
}

// limitName is the id of the limit in a counter's key, which ends with
// pseudonyms.
func limitName(key string) string {
	for i := range len(key) {
		if key[i] == '|' {
			return key[:i]
		}
	}
	return key
}

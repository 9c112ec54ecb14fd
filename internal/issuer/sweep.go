package issuer

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// spentLife is how long a code is kept after it ended, to notice a second use.
const spentLife = 10 * time.Minute

// Sweep deletes what has ended; app calls it every few minutes.
func (i *Issuer) Sweep(ctx context.Context) error {
	var gone []registry.NounRef
	now := i.now()
	for _, kind := range []registry.NounKind{registry.KindCode, registry.KindDevice, registry.KindRefresh, registry.KindLogin} {
		all, err := i.cfg.Store.Nouns(kind)
		if err != nil {
			return err
		}
		for _, n := range all {
			if until, err := ends(n); err == nil && now.After(until) {
				gone = append(gone, registry.NounRef{Kind: kind, ID: n.ID})
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		for _, ref := range gone {
			if err := s.DeleteNoun(ref.Kind, ref.ID); err != nil && !errors.Is(err, registry.ErrNotFound) {
				return nil, err
			}
			if ref.Kind == registry.KindRefresh { // unused for too long: the login ends with it
				if err := remove(s, registry.KindLogin, ref.ID); err != nil {
					return nil, err
				}
			}
		}
		return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "oauth.sweep", Change: map[string]int{"ended": len(gone)}}}, nil
	})
}

// ends returns when a noun is of no use any more.
func ends(n registry.Noun) (time.Time, error) {
	switch n.Kind {
	case registry.KindCode:
		v, err := registry.ValueOf[registry.Code](n)
		return v.Expires.Add(spentLife), err
	case registry.KindDevice:
		v, err := registry.ValueOf[registry.Device](n)
		return v.Expires, err
	case registry.KindRefresh:
		v, err := registry.ValueOf[registry.Refresh](n)
		return v.Expires, err
	}
	v, err := registry.ValueOf[registry.Login](n)
	return v.Expires, err
}

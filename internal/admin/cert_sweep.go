package admin

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// endedKept is how long an ended certificate stays in the list, so that an
// operator who wonders why a client is refused sees that it ended.
const endedKept = 24 * time.Hour

// sweepMost bounds one sweep, which holds up every other change.
const sweepMost = 500

// Swept is what a sweep took away.
type Swept struct {
	Certificates int `json:"certificates"` // of agents, servers and the gateway
	Revocations  int `json:"revocations"`
	Joins        int `json:"join_tokens"`
}

// Total is how many rows that were.
func (s Swept) Total() int { return s.Certificates + s.Revocations + s.Joins }

// SweepCertificates deletes certificates and revocations whose end is a day
// past, and join tokens that nobody used in time. A revocation stays at least
// until its certificate has ended by itself, so that nothing that was revoked is
// ever good again (TestSweepCertificates). more says that something is left.
func (o Own) SweepCertificates(ctx context.Context) (done Swept, more bool, err error) {
	a := o.admin
	now := a.cfg.Clock.Now()
	gone, joins, err := o.endedNouns(now)
	if err != nil {
		return done, false, err
	}
	serials := a.cfg.Live.Load().CertificatesBefore(now.Add(-endedKept), sweepMost)
	if len(gone)+len(serials) == 0 {
		return done, false, nil
	}
	err = o.ChangeRows(ctx, func(s registry.Store) ([]auditlog.Act, error) {
		done = Swept{}
		for _, serial := range serials {
			if err := s.DeleteCertificate(serial); err != nil && !errors.Is(err, registry.ErrNotFound) {
				return nil, err
			} else if err == nil {
				done.Certificates++
			}
		}
		for _, ref := range gone {
			err := s.DeleteNoun(ref.Kind, ref.ID)
			switch {
			case errors.Is(err, registry.ErrNotFound): // spent meanwhile
			case err != nil:
				return nil, err
			case ref.Kind == registry.KindRevocation:
				done.Revocations++
			case ref.Kind == registry.KindJoin:
				done.Joins++
			default:
				done.Certificates++
			}
		}
		return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "cert.sweep", Change: done}}, nil
	})
	return done, len(serials) == sweepMost || joins, err
}

// endedNouns returns what has ended of components' certificates, revocations
// and join tokens; whole says that there may be more.
func (o Own) endedNouns(now time.Time) (gone []registry.NounRef, more bool, err error) {
	for _, kind := range []registry.NounKind{registry.KindComponentCert, registry.KindRevocation, registry.KindJoin} {
		all, err := o.Nouns(kind)
		if err != nil {
			return nil, false, err
		}
		for _, n := range all {
			end, err := endOf(n)
			if err != nil {
				return nil, false, err
			}
			if !now.After(end) {
				continue
			}
			if len(gone) == sweepMost {
				return gone, true, nil
			}
			gone = append(gone, registry.NounRef{Kind: kind, ID: n.ID})
		}
	}
	return gone, false, nil
}

// endOf returns when a noun is of no use any more.
func endOf(n registry.Noun) (time.Time, error) {
	switch n.Kind {
	case registry.KindComponentCert:
		c, err := registry.ValueOf[registry.ComponentCert](n)
		return c.NotAfter.Add(endedKept), err
	case registry.KindRevocation:
		r, err := registry.ValueOf[registry.Revocation](n)
		return r.NotAfter.Add(endedKept), err
	}
	j, err := registry.ValueOf[registry.Join](n)
	return j.Expires, err
}

package admin

import (
	"fmt"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// TestSweepCertificates: what has ended goes, in bounded steps and as one entry
// each; what is in force, and what was revoked and could still be shown, stays.
func TestSweepCertificates(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	issue := func(life time.Duration) string {
		t.Helper()
		d, err := api.IssueCertificate(ctx, IssueCertificate{Agent: "robot", Life: Duration(life)})
		if err != nil {
			t.Fatal(err)
		}
		return d.Item.Serial
	}
	must(api.RegisterAgent(ctx, RegisterAgent{ID: "robot"}))
	short, revoked, long := issue(time.Hour), issue(3*24*time.Hour), issue(20*24*time.Hour)
	must(api.RevokeCertificate(ctx, RevokeCert{Serial: revoked, Change: Change{Reason: "lost"}}))
	must(api.IssueComponent(ctx, IssueComponent{Gateway: true}))
	must(api.CreateJoinToken(ctx, JoinToken{Agent: "robot"}))
	sweep := func(want Swept) {
		t.Helper()
		got, more, err := w.admin.Own().SweepCertificates(ctx)
		if err != nil || got != want || more {
			t.Errorf("%+v %v %v, want %+v", got, more, err, want)
		}
	}
	sweep(Swept{})
	w.now = w.now.Add(16 * time.Minute)
	sweep(Swept{Joins: 1})
	w.now = w.now.Add(24 * time.Hour)
	sweep(Swept{}) // ended 23 hours ago: still shown
	w.now = w.now.Add(time.Hour)
	sweep(Swept{Certificates: 1})
	if w.live.Load().Certificate(short) != nil {
		t.Error("it is in the view still")
	}
	w.now = w.now.Add(24 * time.Hour)
	sweep(Swept{Certificates: 1}) // the gateway's
	if c := w.live.Load().Certificate(revoked); c == nil || !c.Revoked || registry.Get[registry.Revocation](w.live.Load(), registry.KindRevocation, revoked) == nil {
		t.Error("a revocation went before its certificate had ended")
	}
	w.now = w.now.Add(2*24*time.Hour + time.Minute)
	sweep(Swept{Certificates: 1, Revocations: 1})
	all, err := api.Certificates(ctx, CertQuery{All: true})
	if err != nil || len(all) != 1 || all[0].Serial != long || all[0].State != "valid" {
		t.Errorf("left: %+v %v", all, err)
	}
	if _, live := w.live.Load().CertificateHolder(revoked, w.now); live {
		t.Error("what was revoked is good again")
	}
}

// TestSweepIsBounded: a sweep deletes so many rows at most, and says that there
// is more.
func TestSweepIsBounded(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	if _, err := api.RegisterAgent(ctx, RegisterAgent{ID: "robot"}); err != nil {
		t.Fatal(err)
	}
	err := w.admin.Own().ChangeRows(ctx, func(s registry.Store) ([]auditlog.Act, error) {
		for i := range sweepMost + 3 {
			c := registry.Certificate{Serial: fmt.Sprintf("%032x", i), Agent: "robot", NotAfter: w.now, CreatedAt: w.now}
			if err := s.InsertCertificate(c); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(25 * time.Hour)
	for _, want := range []struct {
		n    int
		more bool
	}{{sweepMost, true}, {3, false}, {0, false}} {
		if got, more, err := w.admin.Own().SweepCertificates(ctx); err != nil || got.Certificates != want.n || more != want.more || got.Total() != want.n {
			t.Errorf("%+v %v %v, want %+v", got, more, err, want)
		}
	}
}

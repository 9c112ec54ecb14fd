package auditlog_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
)

func TestSweep(t *testing.T) {
	w := batches(t, 3, 8)
	synctest.Test(t, func(t *testing.T) {
		b := w.open(t)
		var found []*auditlog.Broken
		var failed []error
		rounds := 0
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			b.Sweep(ctx, auditlog.Sweep{
				Found:  func(b *auditlog.Broken) { found = append(found, b) },
				Failed: func(err error) { failed = append(failed, err) },
				Round:  func() { rounds++ },
			})
		}()
		<-time.After(time.Minute)
		synctest.Wait()
		if len(found) != 0 || rounds != 1 {
			t.Errorf("%d rounds found %v", rounds, found)
		}
		w.rows.Edit(calls, func(all []auditlog.Batch) []auditlog.Batch {
			all[3].Leaves = bytes.Clone(all[3].Leaves)
			recommit(leafAt(all[3].Leaves, 2))
			return all
		})
		<-time.After(time.Hour)
		synctest.Wait()
		if len(found) != 1 || found[0].Index != 11 || found[0].Log != calls {
			t.Errorf("found %v", found)
		}
		gone := errors.New("the database cannot be reached")
		w.rows.Hook(func(r *logtest.Rows) { r.BeforeRead = func() error { return gone } })
		<-time.After(time.Hour)
		synctest.Wait()
		if len(found) != 1 || len(failed) == 0 || !errors.Is(failed[0], gone) {
			t.Errorf("found %v, failed %v", found, failed)
		}
		w.rows.Hook(func(r *logtest.Rows) { r.BeforeRead = nil })
		cancel()
		<-ended
		w.close(t)
	})
}

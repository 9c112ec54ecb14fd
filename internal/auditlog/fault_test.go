package auditlog_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
)

var errDisk = errors.New("no space left on device")

// TestLostCommit loses the answer to commits that happened: the entries are in
// the log once, and those who wait hear of it.
func TestLostCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		lost := 0
		w.rows.After = func(auditlog.Batch) error {
			if lost++; lost%3 == 0 {
				return errors.New("connection reset")
			}
			return nil
		}
		var told []error
		c := w.config()
		c.Changed = func(_ auditlog.Name, err error) { told = append(told, err) }
		b := must(auditlog.Open(c))
		w.book = b
		l := b.Calls()
		for i := range 30 {
			p, err := l.Submit(entry(i)).Wait(t.Context())
			if err != nil || p.Index != uint64(i) {
				t.Fatalf("entry %d: %+v, %v", i, p, err)
			}
			synctest.Wait() // until the log takes entries again
		}
		if len(told) != 20 || told[0] == nil || told[1] != nil {
			t.Errorf("told: %v", told)
		}
		w.close(t)
		if err := l.Verify(t.Context(), nil); err != nil || l.Size() != 30 {
			t.Errorf("%d entries, %v", l.Size(), err)
		}
	})
}

// TestDiskFull lets commits fail for a while: calls are refused, nothing is in
// the log that was refused, and it goes on by itself.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		var full atomic.Bool
		w.rows.Before = func(auditlog.Batch) error {
			if full.Load() {
				return errDisk
			}
			return nil
		}
		w.rows.BeforeCheckpoint = func() error {
			if full.Load() {
				return errDisk
			}
			return nil
		}
		l := w.open(t).Calls()
		put(t, l, 0, 5)
		full.Store(true)
		if _, err := l.Submit(entry(5)).Wait(t.Context()); !errors.Is(err, errDisk) || !errors.Is(err, auditlog.ErrStopped) {
			t.Errorf("on a full disk: %v", err)
		}
		if _, err := l.Submit(entry(6)).Wait(t.Context()); !errors.Is(err, auditlog.ErrStopped) {
			t.Errorf("while it is stopped: %v", err)
		}
		<-time.After(time.Minute)
		if l.Err() == nil || l.Size() != 5 {
			t.Errorf("a minute later: %d entries, %v", l.Size(), l.Err())
		}
		full.Store(false)
		<-time.After(2 * time.Second)
		synctest.Wait()
		if err := l.Err(); err != nil {
			t.Errorf("with room again: %v", err)
		}
		put(t, l, 7, 5)
		w.close(t)
		if err := l.Verify(t.Context(), nil); err != nil || l.Size() != 10 {
			t.Errorf("%d entries, %v", l.Size(), err)
		}
	})
}

// TestUncertain loses the answer and the store: nobody is told anything that is
// not known, and the log finds out later.
func TestUncertain(t *testing.T) {
	for _, happened := range []bool{false, true} {
		t.Run(fmt.Sprint(happened), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{}
				var down atomic.Bool
				gone := errors.New("the database cannot be reached")
				fail := func() error {
					if down.Load() {
						return gone
					}
					return nil
				}
				w.rows.Hook(func(r *logtest.Rows) { r.BeforeRead = fail })
				w.rows.Hook(func(r *logtest.Rows) { r.BeforeCheckpoint = fail })
				l := w.open(t).Calls()
				put(t, l, 0, 3)
				if happened {
					w.rows.Hook(func(r *logtest.Rows) { r.After = func(auditlog.Batch) error { down.Store(true); return gone } })
				} else {
					w.rows.Hook(func(r *logtest.Rows) { r.Before = func(auditlog.Batch) error { down.Store(true); return gone } })
				}
				if _, err := l.Submit(entry(3)).Wait(t.Context()); !errors.Is(err, auditlog.ErrUncertain) {
					t.Errorf("error is %v", err)
				}
				w.rows.Hook(func(r *logtest.Rows) { r.Before, r.After = nil, nil })
				down.Store(false)
				<-time.After(2 * time.Second)
				synctest.Wait()
				want := uint64(3)
				if happened {
					want = 4
				}
				if l.Err() != nil || l.Size() != want {
					t.Errorf("later: %d entries, want %d, %v", l.Size(), want, l.Err())
				}
				put(t, l, 4, 1)
				w.close(t)
				if err := l.Verify(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRolledBackUnderneath puts an older state back while the log runs: it
// stops, says so, and appends nothing to it.
func TestRolledBackUnderneath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		var told error
		c := w.config()
		c.Changed = func(_ auditlog.Name, err error) { told = err }
		b := must(auditlog.Open(c))
		w.book = b
		l := b.Calls()
		for i := range 5 {
			put(t, l, i, 1)
		}
		if _, _, err := l.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.rows.Edit(l.Name(), func(all []auditlog.Batch) []auditlog.Batch { return all[:1] })
		if _, err := l.Submit(entry(5)).Wait(t.Context()); !errors.Is(err, auditlog.ErrStopped) {
			t.Errorf("error is %v", err)
		}
		<-time.After(10 * time.Second)
		var broken *auditlog.Broken
		if !errors.As(l.Err(), &broken) || told == nil {
			t.Errorf("the log says %v", l.Err())
		}
		if err := b.Close(t.Context()); err == nil {
			t.Error("Close does not tell")
		}
		if size := must(w.rows.AuditSize(l.Name())); size >= 5 {
			t.Errorf("%d entries", size)
		}
	})
}

// TestNothingTwice runs many writers over rows that fail at random places, in
// both ways: who was told that an entry stands finds it once, and who was
// refused finds it nowhere.
func TestNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		var mu sync.Mutex
		n := uint32(1)
		roll := func(sides uint32) bool {
			mu.Lock()
			defer mu.Unlock()
			n = n*1664525 + 1013904223
			return n>>16%sides == 0
		}
		w.rows.Before = func(auditlog.Batch) error {
			if roll(5) {
				return errDisk
			}
			return nil
		}
		w.rows.After = func(auditlog.Batch) error {
			if roll(5) {
				return errDisk
			}
			return nil
		}
		l := w.open(t).Calls()
		stands, refused := map[string]uint64{}, map[string]bool{}
		var writers sync.WaitGroup
		for who := range 16 {
			writers.Go(func() {
				for i := range 100 {
					e := entry(i)
					e.Exchange = fmt.Sprintf("%d-%d", who, i)
					p, err := l.Submit(e).Wait(t.Context())
					mu.Lock()
					if err == nil {
						stands[e.Exchange] = p.Index
					} else {
						refused[e.Exchange] = true
					}
					mu.Unlock()
					if err != nil {
						<-time.After(time.Second)
					}
				}
			})
		}
		writers.Wait()
		w.rows.Hook(func(r *logtest.Rows) { r.Before, r.After = nil, nil })
		<-time.After(5 * time.Second)
		w.close(t)
		if err := l.Verify(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		err := l.Leaves(0, l.Size(), func(index uint64, raw []byte) error {
			leaf := must(auditlog.ParseLeaf(raw))
			if at, ok := stands[leaf.Exchange]; !ok || at != index || seen[leaf.Exchange] || refused[leaf.Exchange] {
				return fmt.Errorf("entry %d is %s, promised at %d", index, leaf.Exchange, at)
			}
			seen[leaf.Exchange] = true
			return nil
		})
		if err != nil || len(seen) != len(stands) || len(seen) == 0 || len(refused) == 0 {
			t.Errorf("%d stand, %d promised, %d refused: %v", len(seen), len(stands), len(refused), err)
		}
	})
}

// TestCheckpointRidesAlong counts commits: under load a checkpoint has none of
// its own, and it never counts an entry of the batch that carries it.
func TestCheckpointRidesAlong(t *testing.T) {
	w := &world{}
	carried, own := 0, 0
	w.rows.Before = func(b auditlog.Batch) error {
		if b.Checkpoint != nil {
			carried++
			if b.Checkpoint.Size > b.First {
				t.Errorf("the checkpoint counts %d, the batch begins at %d", b.Checkpoint.Size, b.First)
			}
		}
		return nil
	}
	w.rows.Hook(func(r *logtest.Rows) { r.BeforeCheckpoint = func() error { own++; return nil } })
	l := w.open(t).Calls()
	for i := range 100 {
		put(t, l, i*64, 64)
	}
	if carried < 10 || own > 1 {
		t.Errorf("%d carried, %d with a commit of their own", carried, own)
	}
	w.close(t)
}

// TestControlHasManyWriters lets transactions append between the reading and
// the writing of the log's own writer.
func TestControlHasManyWriters(t *testing.T) {
	w := &world{}
	b := w.open(t)
	e := entry(1)
	e.Kind, e.Decision = auditlog.SystemDegraded, ""
	rivals, inside := 3, false
	w.rows.Before = func(auditlog.Batch) error {
		if rivals > 0 && !inside {
			rivals--
			inside = true
			defer func() { inside = false }()
			if _, err := b.AppendIn(&w.rows, e); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	if p, err := b.Control().Submit(e).Wait(t.Context()); err != nil || p.Index == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	w.rows.Hook(func(r *logtest.Rows) { r.Before = nil })
	w.close(t)
	if err := b.Control().Verify(t.Context(), nil); err != nil || b.Control().Size() != 4 {
		t.Errorf("%d entries, %v", b.Control().Size(), err)
	}
}

// racing is rows to which somebody appends while they are read.
type racing struct {
	auditlog.Rows
	meanwhile func()
}

func (r *racing) AuditBatches(log auditlog.Name, from uint64, limit int) ([]auditlog.Batch, error) {
	if r.meanwhile != nil {
		r.meanwhile()
	}
	return r.Rows.AuditBatches(log, from, limit)
}

// TestAppendWhileTheTailIsChecked: a change that is recorded while the log looks
// at what is stored is not taken for damage.
func TestAppendWhileTheTailIsChecked(t *testing.T) {
	w := &world{}
	b := w.open(t)
	e := entry(1)
	e.Kind, e.Decision = auditlog.SystemDegraded, ""
	add := func() {
		if _, err := b.AppendIn(&w.rows, e); err != nil {
			t.Error(err)
		}
	}
	add()
	c := w.config()
	c.Rows = &racing{&w.rows, add}
	again, err := auditlog.Open(c)
	if err != nil {
		t.Fatalf("a start beside a change: %v", err)
	}
	if got := again.Control().Size(); got == 0 {
		t.Error("the log is empty")
	}
	c.Rows.(*racing).meanwhile = nil
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

package auditlog_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
)

const calls = auditlog.Name("calls/2026")

// batches makes rows that hold count batches of size entries each.
func batches(t *testing.T, count, size int) *world {
	t.Helper()
	w := &world{}
	synctest.Test(t, func(t *testing.T) {
		l := w.open(t).Calls()
		for i := range count {
			wait := make(chan struct{})
			w.rows.Hook(func(r *logtest.Rows) { r.Before = func(auditlog.Batch) error { <-wait; return nil } })
			blocker := l.Submit(entry(i * size))
			synctest.Wait() // the writer holds the first
			var rest []*auditlog.Ticket
			for j := 1; j < size; j++ {
				rest = append(rest, l.Submit(entry(i*size+j)))
			}
			close(wait)
			for _, ticket := range append(rest, blocker) {
				if _, err := ticket.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.rows.Hook(func(r *logtest.Rows) { r.Before = nil })
			if _, _, err := l.Sign(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.close(t)
	})
	return w
}

// broken verifies a log and returns the index that is named.
func (w *world) broken(t *testing.T) *auditlog.Broken {
	t.Helper()
	err := auditlog.VerifyRows(t.Context(), w.config(), calls, nil)
	var b *auditlog.Broken
	if err != nil && !errors.As(err, &b) {
		t.Fatal(err)
	}
	return b
}

// remake computes hashes of batches anew, as somebody would who has the
// database and no key.
func remake(all []auditlog.Batch) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	at := int64(0)
	for i := range all {
		all[i].First, all[i].HashStart, all[i].Hashes = uint64(at), uint64(len(stored)), nil
		rest := all[i].Leaves
		for range all[i].Count {
			leaf := leafAt(rest, 0)
			more, err := tlog.StoredHashes(at, leaf, reader)
			if err != nil {
				panic(err)
			}
			stored = append(stored, more...)
			for _, h := range more {
				all[i].Hashes = append(all[i].Hashes, h[:]...)
			}
			rest, at = rest[len(leaf)+2:], at+1
		}
	}
}

// TestTampering changes what is stored in every way that somebody with the
// database can, and looks for the index that is named.
func TestTampering(t *testing.T) {
	// Batches are [0], [1..7], [8], [9..15], ... with checkpoints at 8, 16, 24.
	edit := func(index int, change func([]byte)) func([]auditlog.Batch) []auditlog.Batch {
		return func(all []auditlog.Batch) []auditlog.Batch {
			for i := range all {
				if b := &all[i]; uint64(index) >= b.First && uint64(index) < b.First+b.Count {
					b.Leaves = bytes.Clone(b.Leaves)
					change(leafAt(b.Leaves, index-int(b.First)))
				}
			}
			return all
		}
	}
	flip := func(leaf []byte) { i := bytes.Index(leaf, []byte(`"t":`)); leaf[i+10] ^= 1 }
	for name, c := range map[string]struct {
		change func([]auditlog.Batch) []auditlog.Batch
		index  uint64
		opens  bool // whether a start overlooks it: it reads a little only
	}{
		"edit a time":          {edit(11, flip), 11, true},
		"edit the first":       {edit(0, flip), 0, true},
		"edit the last":        {edit(23, flip), 23, true},
		"break a leaf":         {edit(12, func(l []byte) { l[0] = '[' }), 12, false},
		"rewrite consistently": {func(all []auditlog.Batch) []auditlog.Batch { all = edit(11, flip)(all); remake(all); return all }, 11, false},
		"rewrite a commitment": {func(all []auditlog.Batch) []auditlog.Batch { all = edit(11, recommit)(all); remake(all); return all }, 11, false},
		"edit a hash":          {func(all []auditlog.Batch) []auditlog.Batch { all[3].Hashes = flipped(all[3].Hashes, 33); return all }, 9, true},
		"edit a root": {func(all []auditlog.Batch) []auditlog.Batch {
			h := all[3].Hashes
			all[3].Hashes = flipped(h, len(h)-1)
			return all
		}, 15, false},
		"delete a row":        {func(all []auditlog.Batch) []auditlog.Batch { return slices.Delete(all, 2, 3) }, 8, false},
		"delete and renumber": {func(all []auditlog.Batch) []auditlog.Batch { all = slices.Delete(all, 2, 3); remake(all); return all }, 8, false},
		"swap two rows":       {func(all []auditlog.Batch) []auditlog.Batch { all[1], all[3] = all[3], all[1]; remake(all); return all }, 1, false},
		"duplicate a row": {func(all []auditlog.Batch) []auditlog.Batch {
			all = slices.Insert(all, 3, all[2])
			remake(all)
			return all
		}, 9, false},
		"insert a forged entry": {func(all []auditlog.Batch) []auditlog.Batch {
			all = slices.Insert(all, 2, all[0])
			remake(all)
			return all
		}, 8, false},
		"truncate":          {func(all []auditlog.Batch) []auditlog.Batch { return all[:5] }, 17, false},
		"truncate all":      {func([]auditlog.Batch) []auditlog.Batch { return nil }, 0, false},
		"edit sealed parts": {func(all []auditlog.Batch) []auditlog.Batch { all[3].Parts = flipped(all[3].Parts, 40); return all }, 9, true},
		"swap sealed parts": {func(all []auditlog.Batch) []auditlog.Batch {
			all[1].Parts, all[3].Parts = all[3].Parts, all[1].Parts
			return all
		}, 1, true},
		"take parts away": {func(all []auditlog.Batch) []auditlog.Batch { all[3].Parts = nil; return all }, 9, true},
		"empty counts":    {func(all []auditlog.Batch) []auditlog.Batch { all[3].Count = 6; return all }, 9, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := batches(t, 3, 8)
			if b := w.broken(t); b != nil {
				t.Fatalf("before: %v", b)
			}
			w.rows.Edit(calls, c.change)
			b := w.broken(t)
			if b == nil || b.Index != c.index || b.Log != calls {
				t.Errorf("found %v, want index %d", b, c.index)
			}
			book, err := auditlog.Open(w.config())
			if err == nil {
				w.book = book
				w.close(t)
			}
			if opens := err == nil; opens != c.opens {
				t.Errorf("a start says %v", err)
			}
		})
	}
}

func leafAt(blob []byte, i int) []byte {
	for {
		n, head := int(blob[0]), 1
		if blob[0] >= 0x80 {
			n, head = int(blob[0]&0x7f)|int(blob[1])<<7, 2
		}
		if i == 0 {
			return blob[head : head+n]
		}
		blob, i = blob[head+n:], i-1
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// recommit puts another commitment into a leaf.
func recommit(leaf []byte) {
	i := bytes.Index(leaf, []byte(`"h":"`)) + 5
	if leaf[i] == 'A' {
		leaf[i] = 'B'
	} else {
		leaf[i] = 'A'
	}
}

// TestForgedLeaf: somebody who has the database and no key changes what a leaf
// says in clear, computes the tree anew and deletes every checkpoint that could
// tell. The seal of the parts knows the leaf all the same (hostile case G16).
func TestForgedLeaf(t *testing.T) {
	for name, c := range map[string][2]string{
		"decision": {`"dec":"allow"`, `"dec":"deny!"`},
		"server":   {`"srv":"wiki"`, `"srv":"wikj"`},
		"policy":   {`"pol":7`, `"pol":8`},
		"exchange": {`"x":"x`, `"x":"y`},
		"kind":     {`"kind":"call.decided"`, `"kind":"call.refused"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := batches(t, 3, 8)
			w.rows.EditCheckpoints(calls, func([]auditlog.Checkpoint) []auditlog.Checkpoint { return nil })
			if b := w.broken(t); b != nil {
				t.Fatalf("before: %v", b)
			}
			changed := false
			w.rows.Edit(calls, func(all []auditlog.Batch) []auditlog.Batch {
				leaves := bytes.Clone(all[3].Leaves) // entries 9 to 15
				leaf := leafAt(leaves, 2)
				forged := bytes.Replace(leaf, []byte(c[0]), []byte(c[1]), 1)
				changed = !bytes.Equal(leaf, forged)
				copy(leaf, forged)
				all[3].Leaves = leaves
				remake(all)
				return all
			})
			if !changed {
				t.Fatalf("no leaf says %s", c[0])
			}
			if b := w.broken(t); b == nil || b.Index != 11 {
				t.Errorf("found %v, want index 11", b)
			}
			book, err := auditlog.Open(w.config())
			if err == nil {
				w.book = book
				defer w.close(t)
				l, _ := book.Log(calls)
				err = l.Read(11, 12, func(auditlog.Record) error { return nil })
			}
			var broken *auditlog.Broken
			if !errors.As(err, &broken) || broken.Index > 11 {
				t.Errorf("reading it: %v", err)
			}
		})
	}
}

func TestTamperedCheckpoints(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world, []auditlog.Checkpoint) []auditlog.Checkpoint
		index  uint64
		opens  bool
	}{
		"edit an old one": {func(_ *world, all []auditlog.Checkpoint) []auditlog.Checkpoint {
			all[1].Note = flipped(all[1].Note, 60)
			return all
		}, 8, true},
		"edit the newest": {func(_ *world, all []auditlog.Checkpoint) []auditlog.Checkpoint {
			all[2].Note = flipped(all[2].Note, 60)
			return all
		}, 16, false},
		"move one": {func(_ *world, all []auditlog.Checkpoint) []auditlog.Checkpoint { all[1].Size = 15; return all }, 8, true},
		"one of another key": {func(w *world, all []auditlog.Checkpoint) []auditlog.Checkpoint {
			w.keys = logtest.Keys{}
			return all
		}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := batches(t, 3, 8)
			w.rows.EditCheckpoints(calls, func(all []auditlog.Checkpoint) []auditlog.Checkpoint { return c.change(w, all) })
			if b := w.broken(t); b == nil || b.Index != c.index {
				t.Errorf("found %v, want index %d", b, c.index)
			}
			book, err := auditlog.Open(w.config())
			if err == nil {
				w.book = book
				w.close(t)
			}
			if opens := err == nil; opens != c.opens {
				t.Errorf("a start says %v", err)
			}
		})
	}
}

// TestTailIsChecked edits an entry that no checkpoint counts: a start finds it.
func TestTailIsChecked(t *testing.T) {
	w := batches(t, 3, 8)
	w.rows.EditCheckpoints(calls, func(all []auditlog.Checkpoint) []auditlog.Checkpoint { return all[:2] })
	w.rows.Edit(calls, func(all []auditlog.Batch) []auditlog.Batch {
		last := &all[len(all)-1]
		last.Leaves = bytes.Clone(last.Leaves)
		recommit(leafAt(last.Leaves, 2))
		return all
	})
	_, err := auditlog.Open(w.config())
	var b *auditlog.Broken
	if !errors.As(err, &b) || b.Index != 19 {
		t.Errorf("a start says %v", err)
	}
}

// TestPartsGone opens a log whose parts' key was destroyed, and one whose parts
// retention removed: both verify, and read without parts.
func TestPartsGone(t *testing.T) {
	w := batches(t, 3, 8)
	w.rows.Edit(calls, func(all []auditlog.Batch) []auditlog.Batch { all[0].Parts, all[1].Parts = nil, nil; return all })
	w.keys.Gone = true
	c := w.config()
	c.Purged = func(auditlog.Name) uint64 { return 8 }
	if err := auditlog.VerifyRows(t.Context(), c, calls, nil); err != nil {
		t.Error(err)
	}
	b := must(auditlog.Open(c))
	w.book = b
	n := 0
	err := b.Calls().Read(0, 24, func(r auditlog.Record) error {
		if r.Part != nil || r.Key != [32]byte{} {
			t.Errorf("entry %d has a part", r.Index)
		}
		n++
		return nil
	})
	if err != nil || n != 24 {
		t.Errorf("%d, %v", n, err)
	}
	w.close(t)
}

func TestVerifyEndsAndTells(t *testing.T) {
	w := batches(t, 3, 8)
	last := uint64(0)
	err := auditlog.VerifyRows(t.Context(), w.config(), calls, func(done, total uint64) {
		if done < last || total != 24 {
			t.Errorf("%d of %d", done, total)
		}
		last = done
	})
	if err != nil || last != 24 {
		t.Errorf("%d, %v", last, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := auditlog.VerifyRows(ctx, w.config(), calls, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := auditlog.VerifyRows(t.Context(), w.config(), "calls/x", nil); err == nil {
		t.Error("a log of that name verifies")
	}
}

// TestUnsignedLogOfLastYear: a crash at the turn of the year leaves a log
// without its last checkpoint; the next start signs it.
func TestUnsignedLogOfLastYear(t *testing.T) {
	w := batches(t, 2, 8)
	w.rows.EditCheckpoints(calls, func(all []auditlog.Checkpoint) []auditlog.Checkpoint { return all[:1] })
	w.set(time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	b := must(auditlog.Open(w.keys.Config(&w.rows, clock.Fixed(w.clock))))
	w.book = b
	if _, size, err := must(b.Log(calls)).Checkpoint(); err != nil || size != 16 {
		t.Errorf("checkpoint of %d, %v", size, err)
	}
	w.close(t)
}

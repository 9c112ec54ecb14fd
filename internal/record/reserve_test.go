package record

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

func newReserve(t *testing.T) *Reserve {
	t.Helper()
	r, err := OpenReserve(filepath.Join(t.TempDir(), "reserve"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReserveRefusesWhenTheDiskIsFullAndRecovers(t *testing.T) {
	r := newReserve(t)
	free := int64(0)
	r.free = func(string) (int64, bool) { return free, true }
	if err := r.Admit(); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("Admit on a full disk: %v", err)
	}
	if err := r.Healthy(); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("Healthy on a full disk: %v", err)
	}
	free = 1 << 30
	if err := r.Admit(); err != nil {
		t.Fatalf("Admit after space came back: %v", err)
	}
	r.Release()
}

func TestReserveCountsWhatIsUnderWay(t *testing.T) {
	r := newReserve(t)
	r.free = func(string) (int64, bool) { return headroom + 2*perEntry, true }
	for range 2 {
		if err := r.Admit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Admit(); err == nil {
		t.Fatal("a third call was admitted without room for its entries")
	}
	r.Release()
	if err := r.Admit(); err != nil {
		t.Fatalf("room was not given back: %v", err)
	}
}

func TestReserveIsRealBlocks(t *testing.T) {
	r := newReserve(t)
	size := func() int64 {
		st, err := os.Stat(r.path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	if size() != 1<<20 {
		t.Fatalf("%d bytes are reserved", size())
	}
	r.give()
	if size() != 0 {
		t.Fatalf("%d bytes are left after they were given up", size())
	}
	if err := r.Admit(); err != nil || size() != 1<<20 {
		t.Fatalf("they were not taken again: %v, %d", err, size())
	}
}

func TestNoReserveAdmitsEverything(t *testing.T) {
	var r *Reserve
	if err := r.Admit(); err != nil || r.Healthy() != nil {
		t.Fatal(err)
	}
	r.Release()
	rows := &logtest.Rows{}
	if r.Guard(rows) != auditlog.Rows(rows) {
		t.Fatal("the rows are not the same")
	}
}

// G06: an append that finds the disk full succeeds with the room of the
// reserve, so that a call under way has its outcome; no further call begins
// until the reserve is laid again.
func TestG06OutcomesFitWhenTheDiskFills(t *testing.T) {
	w := newWorld(t)
	r := w.reserve()
	full := false
	w.rows.Before = func(auditlog.Batch) error {
		if st, err := os.Stat(r.path); full && (err != nil || st.Size() > 0) {
			return errDisk
		}
		return nil
	}
	w.open(r)
	x := call("x1", registry.Modify)
	must(t, w.Open(ctx, x))
	full = true
	r.free = func(string) (int64, bool) { return 0, true }
	must(t, w.Close(ctx, x))
	if err := w.Open(ctx, call("x2", registry.Read)); !fault.Is(err, fault.LogUnavailable) {
		t.Fatalf("a call began on a full disk: %v", err)
	}
	full = false
	r.free = func(string) (int64, bool) { return 1 << 40, true }
	must(t, w.Open(ctx, call("x3", registry.Read)))
}

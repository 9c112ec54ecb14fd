package record

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAppendKeepsOrderAcrossReopen(t *testing.T) {
	f, path := open(t)
	for _, line := range []string{"one\n", "two\n"} {
		if err := f.Append([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Append([]byte("three\n")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "one\ntwo\nthree\n" {
		t.Fatalf("file holds %q", got)
	}
}

func TestTornLastLineIsCut(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"torn":       {"one\ntw", "one\n"},
		"only torn":  {"on", ""},
		"whole":      {"one\n", "one\n"},
		"empty":      {"", ""},
		"large torn": {"one\n" + string(bytes.Repeat([]byte("x"), 200<<10)), "one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r")
			if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := read(t, path); got != c.after {
				t.Fatalf("file holds %q, want %q", got, c.after)
			}
		})
	}
}

func TestReserveRefusesWhenTheDiskIsFullAndRecovers(t *testing.T) {
	f, _ := open(t)
	free := int64(0)
	f.free = func(string) (int64, bool) { return free, true }
	if err := f.Reserve(); !errors.Is(err, errFull) {
		t.Fatalf("Reserve on a full disk: %v", err)
	}
	free = 1 << 30
	if err := f.Reserve(); err != nil {
		t.Fatalf("Reserve after space came back: %v", err)
	}
	f.Release()
}

func TestReserveCountsWhatIsUnderWay(t *testing.T) {
	f, _ := open(t)
	f.free = func(string) (int64, bool) { return headroom + 2*perEntry, true }
	for range 2 {
		if err := f.Reserve(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Reserve(); err == nil {
		t.Fatal("a third call was admitted without room for its entry")
	}
	f.Release()
	if err := f.Reserve(); err != nil {
		t.Fatalf("room was not given back: %v", err)
	}
}

// A failed write must close the record for new calls, lose nothing, and reopen
// by itself.
func TestFailedWriteIsKeptAndWrittenLater(t *testing.T) {
	f, path := open(t)
	good := f.f
	broken, err := os.Open(path) // read-only: every write fails
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	f.f = broken
	if err := f.Append([]byte("owed\n")); err == nil {
		t.Fatal("a write to a read-only file succeeded")
	}
	if err := f.Reserve(); err == nil {
		t.Fatal("a call was admitted while an entry is owed")
	}
	f.f = good
	if err := f.Reserve(); err != nil {
		t.Fatalf("the record did not recover: %v", err)
	}
	f.Release()
	if err := f.Append([]byte("next\n")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "owed\nnext\n" {
		t.Fatalf("file holds %q", got)
	}
}

func TestReserveIsRealBlocks(t *testing.T) {
	_, path := open(t)
	st, err := os.Stat(path + ".reserve")
	if err != nil || st.Size() != reserve {
		t.Fatalf("reserve: %v, %v", st, err)
	}
}

package outside

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// tool is the program of other people's libraries, built once.
var tool string

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ostiary-outside-*")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "thirdparty")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = "thirdparty"
	if out, err := build.CombinedOutput(); err == nil {
		tool = path
	} else if os.Getenv("CI") == "true" {
		println("the other people's tools cannot be built:", string(out))
		return 1
	} else {
		println("SKIPPED: the other people's tools cannot be built (go mod download in test/outside/thirdparty):", string(out))
	}
	return m.Run()
}

// says runs the tool.
func says(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	if tool == "" {
		t.Skip("the tool is not built")
	}
	b, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(b), err == nil
}

// write puts files into a folder.
func write(t *testing.T, files fstest.MapFS) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// put writes one file.
func put(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ours lets our verifier judge a folder, its tiles alone or all of it.
func ours(t *testing.T, dir string, o verify.LogOptions) error {
	t.Helper()
	k, err := verify.ParseKey(samplelog.New("calls/2026", 0).VKey())
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = []verify.Key{k}
	_, err = verify.Log(os.DirFS(dir), o)
	return err
}

// TestOthersReadOurLogs: what we write, others verify, at sizes around the
// edges of tiles.
func TestOthersReadOurLogs(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256, 257, 600} {
		l := samplelog.New("calls/2026", n)
		dir := write(t, l.FS())
		if err := ours(t, dir, verify.LogOptions{}); err != nil {
			t.Errorf("%d entries, ours: %v", n, err)
		}
		for _, who := range []string{"torchwood", "tessera"} {
			if out, ok := says(t, who, dir, dir+"/log.vkey"); !ok {
				t.Errorf("%d entries, %s: %s", n, who, out)
			}
		}
	}
}

// change is one way to tamper with a log, and who must find it. Index is the
// first bad entry, which ours names.
type change struct {
	name  string
	index int64
	do    func(t *testing.T, l *samplelog.Log) fstest.MapFS
}

// rewritten makes the files of a log whose entries were changed by edit, under
// the checkpoint and the tiles of the log as it was: what someone who edits the
// entries alone leaves behind.
func rewritten(edit func(e []samplelog.Entry) []samplelog.Entry) func(*testing.T, *samplelog.Log) fstest.MapFS {
	return func(t *testing.T, l *samplelog.Log) fstest.MapFS {
		files := l.FS()
		bad := l.Clone()
		bad.Entries = edit(slices.Clone(l.Entries))
		for path, f := range bad.FS() {
			if len(path) > 13 && path[:13] == "tile/entries/" && files[path] != nil {
				files[path] = f
			}
		}
		return files
	}
}

func TestG01OthersFindTampering(t *testing.T) {
	other := samplelog.NewEntry("calls/2026", "call.finished", 9000)
	for _, c := range []change{
		{"edit an entry", 300, rewritten(func(e []samplelog.Entry) []samplelog.Entry { e[300] = other; return e })},
		{"delete an entry", 300, rewritten(func(e []samplelog.Entry) []samplelog.Entry { return append(slices.Delete(e, 300, 301), other) })},
		{"swap two entries", 300, rewritten(func(e []samplelog.Entry) []samplelog.Entry { e[300], e[310] = e[310], e[300]; return e })},
		{"duplicate an entry", 300, rewritten(func(e []samplelog.Entry) []samplelog.Entry { return slices.Insert(e, 300, e[299])[:600] })},
		{"insert an entry", 300, rewritten(func(e []samplelog.Entry) []samplelog.Entry { return slices.Insert(e, 300, other)[:600] })},
		{"edit a hash", 300, func(t *testing.T, l *samplelog.Log) fstest.MapFS { return flip(l.FS(), "tile/0/001", 44*32) }},
		{"edit a hash of hashes", 256, func(t *testing.T, l *samplelog.Log) fstest.MapFS { return flip(l.FS(), "tile/1/000.p/2", 32) }},
		{"edit the checkpoint", verify.NoIndex, func(t *testing.T, l *samplelog.Log) fstest.MapFS {
			return flip(l.FS(), "checkpoint", len(l.Origin())+6)
		}},
		{"rewrite all but the signature", verify.NoIndex, func(t *testing.T, l *samplelog.Log) fstest.MapFS {
			bad := l.Clone()
			bad.Entries[300] = other
			files := bad.FS()
			files["checkpoint"] = l.FS()["checkpoint"]
			return files
		}},
		{"remove a tile", 256, func(t *testing.T, l *samplelog.Log) fstest.MapFS {
			files := l.FS()
			delete(files, "tile/entries/001")
			return files
		}},
	} {
		l := samplelog.New("calls/2026", 600)
		dir := write(t, c.do(t, l))
		err := ours(t, dir, verify.LogOptions{TilesOnly: true})
		var b *verify.Broken
		if !errors.As(err, &b) || b.Index != c.index {
			t.Errorf("%s: ours says %v, want entry %d", c.name, err, c.index)
		}
		key := put(t, "log.vkey", []byte(l.VKey()))
		for _, who := range []string{"torchwood", "tessera"} {
			out, ok := says(t, who, dir, key)
			if ok && !(who == "torchwood" && c.name == "edit a hash of hashes") {
				t.Errorf("%s: %s finds nothing: %s", c.name, who, out)
			}
		}
	}
}

// flip changes a byte of a file.
func flip(files fstest.MapFS, path string, at int) fstest.MapFS {
	data := slices.Clone(files[path].Data)
	data[at] ^= 1
	files[path] = &fstest.MapFile{Data: data, Mode: fs.FileMode(0o600)}
	return files
}

// TestG04OthersFindARewrittenPast: a log that is sound by itself is held to an
// earlier checkpoint, by ours and by x/mod's consistency proof.
func TestG04OthersFindARewrittenPast(t *testing.T) {
	l := samplelog.New("calls/2026", 600)
	old := put(t, "old", l.Checkpoint(400))
	key := put(t, "log.vkey", []byte(l.VKey()))
	for name, c := range map[string]struct {
		n     int // entries that are those of the log
		more  int // entries that are others
		index int64
	}{
		"grown": {600, 0, 0}, "truncated": {399, 0, 399}, "rolled back": {10, 0, 10}, "forked": {350, 250, verify.NoIndex},
	} {
		bad := l.Clone()
		bad.Entries = bad.Entries[:c.n]
		for i := range c.more {
			bad.Entries = append(bad.Entries, samplelog.NewEntry("calls/2026", "call.decided", 10_000+i))
		}
		dir := write(t, bad.FS())
		if out, ok := says(t, "tessera", dir, key); !ok {
			t.Errorf("%s is sound by itself, but: %s", name, out)
		}
		out, ok := says(t, "extends", old, dir, key)
		err := ours(t, dir, verify.LogOptions{Old: l.Checkpoint(400)})
		if name == "grown" {
			if !ok || err != nil {
				t.Errorf("grown: %s, %v", out, err)
			}
			continue
		}
		var b *verify.Broken
		if ok || !errors.As(err, &b) || b.Index != c.index {
			t.Errorf("%s: others %s, ours %v", name, out, err)
		}
	}
}

func TestOthersReadOurProofs(t *testing.T) {
	l := samplelog.New("calls/2026", 600)
	key := put(t, "log.vkey", []byte(l.VKey()))
	for _, i := range []int{0, 255, 256, 599} {
		p := put(t, "p", l.Proof(i))
		if out, ok := says(t, "proof", p, key, put(t, "leaf", l.Entries[i].Leaf)); !ok {
			t.Errorf("entry %d: %s", i, out)
		}
		if _, ok := says(t, "proof", p, key, put(t, "leaf", l.Entries[(i+1)%600].Leaf)); ok {
			t.Errorf("entry %d: a proof of another entry passes", i)
		}
	}
}

// TestOthersReadOurCosignatures compares verdicts on witnesses with torchwood's.
func TestOthersReadOurCosignatures(t *testing.T) {
	l := samplelog.New("calls/2026", 5)
	a, b := samplelog.NewWitness("w.example/a", 1795910300), samplelog.NewWitness("w.example/b", 1795910301)
	text := "log " + l.VKey() + "\nwitness a " + a.VKey() + "\nwitness b " + b.VKey() + "\n"
	for policy, want := range map[string]bool{
		text + "quorum a\n": true, text + "quorum b\n": false, text + "group g any a b\nquorum g\n": true,
		text + "group g all a b\nquorum g\n": false, text + "quorum none\n": true,
	} {
		signed := l.Checkpoint(5, a)
		_, theirs := says(t, "witnessed", put(t, "checkpoint", signed), put(t, "policy", []byte(policy)))
		p, err := verify.ParsePolicy([]byte(policy))
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.ParseKey(l.VKey())
		if err != nil {
			t.Fatal(err)
		}
		_, err = verify.ParseCheckpoint(signed, []verify.Key{k}, p)
		if theirs != want || (err == nil) != want {
			t.Errorf("%q: theirs %v, ours %v, want %v", policy, theirs, err, want)
		}
	}
}

package verify_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// keys reads public keys.
func keys(t testing.TB, lines ...string) []verify.Key {
	t.Helper()
	k, err := verify.ParseKeys([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// wantBroken demands that err names an entry; verify.NoIndex demands that it
// names none.
func wantBroken(t *testing.T, err error, index int64) {
	t.Helper()
	var b *verify.Broken
	if !errors.As(err, &b) {
		t.Fatalf("got %v, want a *Broken", err)
	}
	if b.Index != index {
		t.Errorf("names the entry %d, want %d: %s", b.Index, index, b)
	}
}

func TestLog(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 255, 256, 257, 511, 512, 700} {
		l := samplelog.New("calls/2026", n)
		r, err := verify.Log(l.FS(), verify.LogOptions{Keys: keys(t, l.VKey())})
		if err != nil {
			t.Errorf("%d entries: %v", n, err)
			continue
		}
		if r.Size != uint64(n) || r.Readable != uint64(n) || r.Gone != 0 || r.Origin != l.Origin() || len(r.Keys) != 1 {
			t.Errorf("%d entries: reports %+v", n, r)
		}
	}
}

// TestLogOfManyTiles goes through a second level of tiles: 65,536 entries fill
// the first tile of level 1.
func TestLogOfManyTiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 66,000 entries")
	}
	l := samplelog.New("control", 66_000)
	files := l.FS()
	var last uint64
	o := verify.LogOptions{Keys: keys(t, l.VKey()), Progress: func(done, total uint64) { last = done }}
	if _, err := verify.Log(files, o); err != nil {
		t.Fatal(err)
	}
	if last != 66_000 {
		t.Errorf("progress ended at %d", last)
	}
	for path, index := range map[string]int64{
		"tile/1/000": 5 * 256, "tile/1/001.p/1": 65_536, "tile/2/000.p/1": 0, "tile/0/200": 200*256 + 5,
	} {
		bad := with(files, path, func(b []byte) []byte { b[5*32%len(b)]++; return b })
		_, err := verify.Log(bad, o)
		t.Log(path, err)
		wantBroken(t, err, index)
	}
}

// with returns the files with one of them changed.
func with(files fstest.MapFS, path string, change func([]byte) []byte) fstest.MapFS {
	out := fstest.MapFS{}
	for p, f := range files {
		out[p] = f
	}
	if files[path] == nil {
		panic("no file " + path)
	}
	if b := change(bytes.Clone(files[path].Data)); b == nil {
		delete(out, path)
	} else {
		out[path] = &fstest.MapFile{Data: b, Mode: 0o600}
	}
	return out
}

// TestG01EveryByteOfALog changes each byte of each file of a small log: each
// change is found, and one of entry i, of its hash or of its line names i.
func TestG01EveryByteOfALog(t *testing.T) {
	l := samplelog.New("calls/2026", 5)
	l.Entries[3].Part = nil
	files := l.FS()
	o := verify.LogOptions{Keys: keys(t, l.VKey())}
	for path, f := range files {
		if path == "log.vkey" {
			continue // for people; the caller brings the key
		}
		for i := range f.Data {
			bad := with(files, path, func(b []byte) []byte { b[i] ^= 0x01; return b })
			_, err := verify.Log(bad, o)
			want := int64(verify.NoIndex)
			switch path {
			case "entries.jsonl":
				want = int64(bytes.Count(f.Data[:i], []byte("\n")))
			case "tile/0/000.p/5":
				want = int64(i / 32)
			case "tile/entries/000.p/5":
				want = int64(entryAt(f.Data, i))
			}
			var b *verify.Broken
			if !errors.As(err, &b) || b.Index != want {
				t.Errorf("%s, byte %d: got %v, want entry %d", path, i, err, want)
			}
		}
	}
}

// entryAt returns which entry of a bundle the byte at i is of.
func entryAt(bundle []byte, i int) int {
	for n, at := 0, 0; ; n++ {
		at += 2 + int(bundle[at])<<8 + int(bundle[at+1])
		if i < at {
			return n
		}
	}
}

// TestTamper does to each artefact of a log what cases G01 and G16 do.
func TestTamper(t *testing.T) {
	l := samplelog.New("calls/2026", 600)
	files := l.FS()
	o := verify.LogOptions{Keys: keys(t, l.VKey())}
	lines := func(change func([][]byte) [][]byte) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Join(change(bytes.SplitAfter(b, []byte("\n"))), nil) }
	}
	bundle := func(change func([][]byte) [][]byte) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Join(change(split(b)), nil) }
	}
	type changes = map[string]func([][]byte) [][]byte
	kinds := changes{
		"delete":    func(a [][]byte) [][]byte { return slices.Delete(a, 40, 41) },
		"swap":      func(a [][]byte) [][]byte { a[40], a[50] = a[50], a[40]; return a },
		"duplicate": func(a [][]byte) [][]byte { return slices.Insert(a, 40, a[39]) },
		"insert":    func(a [][]byte) [][]byte { return slices.Insert(a, 40, a[200]) },
		"truncate":  func(a [][]byte) [][]byte { return a[:40] },
	}
	for name, change := range kinds {
		_, err := verify.Log(with(files, "entries.jsonl", lines(change)), o)
		t.Log(name, "line:", err)
		wantBroken(t, err, 40)
		_, err = verify.Log(with(files, "tile/entries/001", bundle(change)), o)
		t.Log(name, "entry:", err)
		wantBroken(t, err, 256+40)
		_, err = verify.Log(with(files, "tile/0/001", func(b []byte) []byte {
			var all [][]byte
			for h := range slices.Chunk(b, 32) {
				all = append(all, h)
			}
			b = append(bytes.Join(change(all), nil), make([]byte, 32)...)
			return b[:len(b)-len(b)%(256*32)]
		}), o)
		t.Log(name, "hash:", err)
		var b *verify.Broken
		if !errors.As(err, &b) || b.Index != 256 && b.Index != 256+40 {
			t.Errorf("%s of hashes: %v", name, err)
		}
	}
	for path, index := range map[string]int64{
		"checkpoint": verify.NoIndex, "entries.jsonl": verify.NoIndex, "tile/0/001": 256, "tile/entries/001": 256,
		"tile/0/002.p/88": 512, "tile/entries/002.p/88": 512, "tile/1/000.p/2": 0,
	} {
		_, err := verify.Log(with(files, path, func([]byte) []byte { return nil }), o)
		t.Log("missing", path, err)
		wantBroken(t, err, index)
		longer := func(b []byte) []byte { return append(b, 'x') }
		if _, err := verify.Log(with(files, path, longer), o); err == nil {
			t.Errorf("a byte after %s is not found", path)
		}
	}
}

// split cuts a bundle into its entries, with their lengths.
func split(b []byte) [][]byte {
	var all [][]byte
	for len(b) > 0 {
		n := 2 + int(b[0])<<8 + int(b[1])
		all, b = append(all, b[:n]), b[n:]
	}
	return all
}

// TestG16RewriteWithoutTheKey rewrites one entry everywhere but under the
// signature. What still stands of the original names it: the readable lines, or
// the tiles of an earlier export.
func TestG16RewriteWithoutTheKey(t *testing.T) {
	l := samplelog.New("calls/2026", 600)
	files := l.FS()
	forged := l.Clone()
	forged.Entries[77] = samplelog.NewEntry("calls/2026", "call.finished", 9000)
	bad := forged.FS()
	bad["checkpoint"] = files["checkpoint"]
	o := verify.LogOptions{Keys: keys(t, l.VKey())}
	_, err := verify.Log(bad, o)
	wantBroken(t, err, verify.NoIndex)
	mixed := fstest.MapFS{}
	for p, f := range bad {
		mixed[p] = f
	}
	mixed["entries.jsonl"] = files["entries.jsonl"]
	_, err = verify.Log(mixed, o)
	wantBroken(t, err, 77)
	o.Old, o.OldTree = l.Checkpoint(300), prefix(l, 300).FS()
	_, err = verify.Log(bad, o)
	wantBroken(t, err, 77)
}

// prefix is the log when it had n entries.
func prefix(l *samplelog.Log, n int) *samplelog.Log {
	p := l.Clone()
	p.Entries = p.Entries[:n]
	return p
}

// TestG04AgainstAnEarlierCheckpoint shows what the signature alone cannot: the
// log's own key signed both.
func TestG04AgainstAnEarlierCheckpoint(t *testing.T) {
	l := samplelog.New("calls/2026", 600)
	o := verify.LogOptions{Keys: keys(t, l.VKey()), Old: l.Checkpoint(400)}
	r, err := verify.Log(l.FS(), o)
	if err != nil || r.Extends == nil || *r.Extends != 400 {
		t.Errorf("a log that grew: %+v, %v", r, err)
	}
	for _, n := range []int{0, 1, 600} {
		o.Old = l.Checkpoint(n)
		if _, err := verify.Log(l.FS(), o); err != nil {
			t.Errorf("extends %d entries: %v", n, err)
		}
	}

	o.Old = l.Checkpoint(400)
	for _, n := range []int{0, 399} { // cut, or rolled back to an earlier state
		_, err = verify.Log(prefix(l, n).FS(), o)
		wantBroken(t, err, int64(n))
	}

	fork := prefix(l, 350)
	for i := range 250 {
		fork.Entries = append(fork.Entries, samplelog.NewEntry("calls/2026", "call.decided", 10_000+i))
	}
	if _, err = verify.Log(fork.FS(), verify.LogOptions{Keys: o.Keys}); err != nil {
		t.Fatalf("a fork is a sound log by itself, got %v", err)
	}
	_, err = verify.Log(fork.FS(), o)
	wantBroken(t, err, verify.NoIndex)
	o.OldTree = prefix(l, 400).FS()
	_, err = verify.Log(fork.FS(), o)
	wantBroken(t, err, 350)

	o.OldTree = nil
	o.Old = samplelog.New("control", 5).Checkpoint(5)
	o.Keys = keys(t, l.VKey(), samplelog.New("control", 5).VKey())
	_, err = verify.Log(l.FS(), o)
	wantBroken(t, err, verify.NoIndex)
}

func TestLogRefusesKeys(t *testing.T) {
	l := samplelog.New("calls/2026", 3)
	other := samplelog.NewSigner(l.Origin(), "another key")
	renamed := samplelog.NewSigner(samplelog.Gateway+"/default/control", "log")
	for name, k := range map[string][]verify.Key{
		"another key of that name": keys(t, other.VKey()), "the same key of another log": keys(t, renamed.VKey()), "no key": nil,
	} {
		_, err := verify.Log(l.FS(), verify.LogOptions{Keys: k})
		var b *verify.Broken
		if !errors.As(err, &b) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Key = renamed // signs with its own name, under the origin of the other log
	_, err := verify.Log(l.FS(), verify.LogOptions{Keys: keys(t, renamed.VKey())})
	wantBroken(t, err, verify.NoIndex)
}

// TestLeafOfAnotherLog moves an entry between logs that one key signs.
func TestLeafOfAnotherLog(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	l.Entries[4] = samplelog.NewEntry("calls/2025", "call.decided", 4)
	_, err := verify.Log(l.FS(), verify.LogOptions{Keys: keys(t, l.VKey())})
	wantBroken(t, err, 4)
}

// TestLeavesAreCanonical has leaves that a lax reader would take.
func TestLeavesAreCanonical(t *testing.T) {
	good := string(samplelog.NewEntry("calls/2026", "call.decided", 0).Leaf)
	for name, change := range map[string][2]string{
		"white space":        {`,"v":1`, `, "v":1`},
		"order":              {`"t":1795910259123,"v":1`, `"v":1,"t":1795910259123`},
		"an unknown member":  {`"v":1`, `"u":1,"v":1`},
		"a member twice":     {`"v":1`, `"v":1,"v":1`},
		"another version":    {`"v":1`, `"v":2`},
		"a number as text":   {`"v":1`, `"v":"1"`},
		"an exponent":        {`"pol":7`, `"pol":7e0`},
		"a leading zero":     {`"pol":7`, `"pol":07`},
		"an empty value":     {`"pol":7`, `"pol":0`},
		"beyond 2^53":        {`"pol":7`, `"pol":9007199254740993`},
		"an escaped letter":  {`"kind":"c`, `"kind":"\u0063`},
		"an escaped slash":   {`calls/2026`, `calls\/2026`},
		"an empty string":    {`"srv":"wiki"`, `"srv":""`},
		"invalid UTF-8":      {`"srv":"wiki"`, "\"srv\":\"\xff\""},
		"a control":          {`"srv":"wiki"`, "\"srv\":\"\x01\""},
		"a capital escape":   {`"srv":"wiki"`, `"srv":"\u001F"`},
		"no commitment":      {`"h":"`, `"g":"`},
		"padding":            {`","kind"`, `=","kind"`},
		"a missing kind":     {`"kind":"call.decided",`, ``},
		"something after it": {`0000"}`, `0000"} `},
		"too long":           {`"srv":"wiki"`, `"srv":"` + strings.Repeat("x", 300) + `"`},
	} {
		l := samplelog.New("calls/2026", 1)
		l.Entries[0].Leaf = []byte(strings.Replace(good, change[0], change[1], 1))
		if string(l.Entries[0].Leaf) == good {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := verify.Log(l.FS(), verify.LogOptions{Keys: keys(t, l.VKey()), TilesOnly: true})
		var b *verify.Broken
		if !errors.As(err, &b) || b.Index != 0 || !strings.Contains(b.Why, "leaf") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTilesOnly(t *testing.T) {
	l := samplelog.New("calls/2026", 300)
	files := with(l.FS(), "entries.jsonl", func([]byte) []byte { return nil })
	r, err := verify.Log(files, verify.LogOptions{Keys: keys(t, l.VKey()), TilesOnly: true})
	if err != nil || r.Readable != 0 || r.Size != 300 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestGoneParts(t *testing.T) {
	l := samplelog.New("calls/2026", 10)
	l.Entries[4].Part, l.Entries[7].Part = nil, nil
	r, err := verify.Log(l.FS(), verify.LogOptions{Keys: keys(t, l.VKey())})
	if err != nil || r.Gone != 2 || r.FirstGone != 4 || r.Readable != 8 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestPartsAreCommitted puts other parts and keys on lines: a line cannot say
// what the log did not commit to.
func TestPartsAreCommitted(t *testing.T) {
	o := verify.LogOptions{Keys: keys(t, samplelog.New("calls/2026", 1).VKey())}
	for name, change := range map[string]func(e, other *samplelog.Entry){
		"another part":         func(e, other *samplelog.Entry) { e.Part = other.Part },
		"another key":          func(e, other *samplelog.Entry) { e.Key = other.Key },
		"part and key":         func(e, other *samplelog.Entry) { e.Part, e.Key = other.Part, other.Key },
		"a space in the part":  func(e, _ *samplelog.Entry) { e.Part = append([]byte("{ "), e.Part[1:]...) },
		"a member in the part": func(e, _ *samplelog.Entry) { e.Part = append([]byte(`{"a":1,`), e.Part[1:]...) },
	} {
		l := samplelog.New("calls/2026", 6)
		change(&l.Entries[2], &l.Entries[4])
		_, err := verify.Log(l.FS(), o)
		t.Log(name, err)
		wantBroken(t, err, 2)
	}
	l := samplelog.New("calls/2026", 6)
	l.Entries[2].Part = []byte(`["no object"]`)
	l.Entries[2].Leaf = bytes.Replace(l.Entries[2].Leaf, []byte(samplelog.Commit(l.Entries[2].Key, samplelog.New("calls/2026", 6).Entries[2].Part)),
		[]byte(samplelog.Commit(l.Entries[2].Key, l.Entries[2].Part)), 1)
	_, err := verify.Log(l.FS(), o)
	wantBroken(t, err, 2)
}

// TestMessagesArePrintable has a checkpoint whose text would steer a terminal.
func TestMessagesArePrintable(t *testing.T) {
	l := samplelog.New("calls/2026", 1)
	files := with(l.FS(), "checkpoint", func(b []byte) []byte {
		return append([]byte("\x1b[2J\x1b]0;owned\a\u202e"), b...)
	})
	_, err := verify.Log(files, verify.LogOptions{Keys: keys(t, l.VKey())})
	var b *verify.Broken
	if !errors.As(err, &b) {
		t.Fatal(err)
	}
	for _, c := range fmt.Sprint(b) {
		if c < ' ' || c > '~' {
			t.Errorf("the message holds %q: %q", c, b)
		}
	}
}

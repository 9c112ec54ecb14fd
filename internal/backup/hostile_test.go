package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/store"
)

// part is a member of an archive that a stranger makes.
type part struct {
	tar.Header
	data []byte
}

// unpack returns the members of an honest archive.
func (w *world) unpack(t testing.TB, archive []byte) []part {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(archive), w.identity)
	if err != nil {
		t.Fatal(err)
	}
	var all []part
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part{*h, data})
	}
}

// seal encrypts bytes to the world's recipient, as anybody can.
func (w *world) seal(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	sealed, err := age.Encrypt(&out, w.identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealed.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := sealed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pack(t testing.TB, parts []part) []byte {
	t.Helper()
	var plain bytes.Buffer
	out := tar.NewWriter(&plain)
	for _, p := range parts {
		h := p.Header
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(p.data))
		}
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := out.Write(p.data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}

// refused reads an archive that must not be taken, and sees that it was refused
// as such.
func (w *world) refused(t *testing.T, what string, archive []byte) {
	t.Helper()
	_, a, err := load(t, archive, w.ids(), backup.Data)
	if err == nil {
		err = a.CheckSignature([]string{w.vkey})
	}
	if err == nil {
		t.Errorf("%s: it was taken", what)
		return
	}
	for _, known := range []error{backup.ErrDamaged, backup.ErrNotOurs, backup.ErrFormat, backup.ErrForeign, backup.ErrKind} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Errorf("%s: the error has no name: %v", what, err)
}

// TestEditedMembers changes each member of an archive in each way that keeps
// the encryption whole.
func TestEditedMembers(t *testing.T) {
	w := newWorld(t)
	honest := w.unpack(t, w.archive(t))
	if len(honest) < 7 {
		t.Fatalf("only %d members", len(honest))
	}
	if _, _, err := load(t, w.seal(t, pack(t, honest)), w.ids(), backup.Data); err != nil {
		t.Fatalf("what was not changed: %v", err)
	}
	edit := func(what string, change func([]part) []part) {
		parts := slices.Clone(honest)
		for i := range parts {
			parts[i].data = bytes.Clone(parts[i].data)
		}
		w.refused(t, what, w.seal(t, pack(t, change(parts))))
	}
	for i, p := range honest {
		for _, at := range []int{0, len(p.data) / 2, len(p.data) - 1} {
			edit("a byte of "+p.Name, func(ps []part) []part { ps[i].data[at] ^= 1; return ps })
		}
		edit("no "+p.Name, func(ps []part) []part { return slices.Delete(ps, i, i+1) })
		edit("two of "+p.Name, func(ps []part) []part { return slices.Insert(ps, i, ps[i]) })
		edit("the end of "+p.Name, func(ps []part) []part { ps[i].data = ps[i].data[:len(ps[i].data)-1]; return ps })
		edit("more of "+p.Name, func(ps []part) []part { ps[i].data = append(ps[i].data, 0); return ps })
		edit("nothing after "+p.Name, func(ps []part) []part {
			if i == len(ps)-1 {
				return nil
			}
			return ps[:i+1]
		})
		if i > 0 {
			edit("swapped "+p.Name, func(ps []part) []part { ps[i], ps[i-1] = ps[i-1], ps[i]; return ps })
		}
	}
}

func TestHostileArchives(t *testing.T) {
	w := newWorld(t)
	honest := w.unpack(t, w.archive(t))
	with := func(at int, p part) []byte {
		return w.seal(t, pack(t, slices.Insert(slices.Clone(honest), at, p)))
	}
	file := func(name string) part {
		return part{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}, []byte("x")}
	}
	for _, name := range []string{"../../etc/passwd", "/etc/passwd", "config/../../x", "config/x", "keys/root.key", "config//ca.pem",
		"./config/ca.pem", "rows/00000001x", "rows/99999999", "log/-0000001", "config/OSTIARY.YAML", "", "a\x00b", "head.json", "evil"} {
		if strings.ContainsRune(name, 0) || name == "" {
			continue // tar cannot say it
		}
		for _, at := range []int{0, 1, 3, len(honest)} {
			w.refused(t, "a member "+name, with(at, file(name)))
		}
	}
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeSymlink, Name: "config/ca.pem", Linkname: "/etc/passwd"},
		{Typeflag: tar.TypeLink, Name: "config/ca.pem", Linkname: "head.json"},
		{Typeflag: tar.TypeDir, Name: "config/"},
		{Typeflag: tar.TypeFifo, Name: "config/ca.pem"},
		{Typeflag: tar.TypeChar, Name: "config/ca.pem"},
	} {
		w.refused(t, "a member of type "+string(h.Typeflag), with(1, part{Header: h}))
	}
	w.refused(t, "an attribute", with(1, part{tar.Header{Typeflag: tar.TypeReg, Name: "config/ca.pem", Format: tar.FormatPAX,
		PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}, []byte("x")}))
	w.refused(t, "no tar", w.seal(t, []byte("hello")))
	w.refused(t, "nothing", w.seal(t, nil))
	w.refused(t, "an empty tar", w.seal(t, pack(t, nil)))
	w.refused(t, "no age file", []byte("hello"))
	w.refused(t, "something behind", w.seal(t, append(pack(t, honest), make([]byte, 1<<20)...)))
}

// TestHugeSizes reads headers that promise more than there is, or more than is
// taken: nothing is allocated for a promise.
func TestHugeSizes(t *testing.T) {
	w := newWorld(t)
	honest := w.unpack(t, w.archive(t))
	for i, p := range honest {
		for _, size := range []int64{1 << 40, 1 << 30, int64(len(p.data)) + 512} {
			var plain bytes.Buffer
			plain.Write(pack(t, honest[:i])[:tarBytes(honest[:i])])
			h := p.Header
			h.Size, h.Format = size, tar.FormatGNU
			out := tar.NewWriter(&plain)
			if err := out.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			plain.Write(p.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w.refused(t, p.Name+" promises much", w.seal(t, plain.Bytes()))
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<20 {
				t.Errorf("%s: a promise of %d bytes took %d", p.Name, size, spent)
			}
		}
	}
}

// tarBytes is the length of a tar without its end.
func tarBytes(parts []part) (n int) {
	for _, p := range parts {
		n += 512 + (len(p.data)+511)/512*512
	}
	return n
}

func TestNewerAndForeignFormats(t *testing.T) {
	w := newWorld(t)
	honest := w.unpack(t, w.archive(t))
	head := func(text string) []byte {
		ps := slices.Clone(honest)
		ps[0].data = []byte(text)
		return w.seal(t, pack(t, ps))
	}
	for text, want := range map[string]error{
		`{"format":"ostiary-backup/2","kind":"data","news":1}`: backup.ErrFormat,
		`{"format":"other/1"}`:                                 backup.ErrNotOurs,
		`{}`:                                                   backup.ErrNotOurs,
		`[`:                                                    backup.ErrNotOurs,
		`{"format":"ostiary-backup/1","kind":"keys","id":"a","gateway":"b"}`:             backup.ErrKind,
		`{"format":"ostiary-backup/1","kind":"data","id":"a"}`:                           backup.ErrDamaged,
		`{"format":"ostiary-backup/1","kind":"data","id":"a","gateway":"b","x":1}`:       backup.ErrDamaged,
		`{"format":"ostiary-backup/1","kind":"data","id":"a","gateway":"b"} {"again":1}`: backup.ErrNotOurs,
	} {
		if _, _, err := load(t, head(text), w.ids(), backup.Data); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, ids := range map[string]backup.Keyring{"another identity": {Identities: []byte(other.String())}, "a recipient": {Identities: []byte(other.Recipient().String())}, "none": {}} {
		_, _, err := load(t, w.archive(t), ids, backup.Data)
		if err == nil || name == "another identity" && !errors.Is(err, backup.ErrIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedFile changes the encrypted file: bits, its end, and what follows.
func TestDamagedFile(t *testing.T) {
	w := newWorld(t)
	honest := w.archive(t)
	for at := 0; at < len(honest); at += max(1, len(honest)/300) {
		file := bytes.Clone(honest)
		file[at] ^= 0x20
		w.refusedAnyhow(t, file)
		w.refusedAnyhow(t, honest[:at])
	}
	w.refusedAnyhow(t, honest[:len(honest)-1])
	w.refusedAnyhow(t, append(bytes.Clone(honest), 'x'))
	w.refusedAnyhow(t, append(bytes.Clone(honest), honest...))
}

func (w *world) refusedAnyhow(t *testing.T, file []byte) {
	t.Helper()
	if _, _, err := load(t, file, w.ids(), backup.Data); err == nil {
		t.Error("a damaged file was taken")
	}
}

// TestLoaderRefuses covers what only shows while rows are stored.
func TestLoaderRefuses(t *testing.T) {
	full := newMemory()
	if err := full.InsertRow(store.Row{Kind: "a", ID: "b", Revision: 1, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.NewLoader(full); !errors.Is(err, backup.ErrExists) {
		t.Errorf("into a store with rows: %v", err)
	}
	logged := newMemory()
	logged.grow(t, "control", 1, nil)
	if _, err := backup.NewLoader(logged); !errors.Is(err, backup.ErrExists) {
		t.Errorf("into a store with a log: %v", err)
	}
	l, err := backup.NewLoader(newMemory())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Batch(auditlog.Batch{Log: "control", First: 4, Count: 1}); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a log that begins at 4: %v", err)
	}
}

// FuzzRead feeds the reader with what is inside the encryption. Whatever it
// takes must be what the gateway signed.
func FuzzRead(f *testing.F) {
	w := newWorld(f)
	honest := pack(f, w.unpack(f, w.archive(f)))
	f.Add(honest)
	f.Add(honest[:1024])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, plain []byte) {
		_, a, err := load(t, w.seal(t, plain), w.ids(), backup.Data)
		if err == nil && a.CheckSignature([]string{w.vkey}) == nil && !bytes.HasPrefix(plain, honest[:len(honest)-1024]) {
			t.Error("an archive of a stranger was taken")
		}
	})
}

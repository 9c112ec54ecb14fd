package clientfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rotate stands in for sealing: what is stored is not the plain text.
func rotate(b []byte) ([]byte, error) {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c ^ 0x55
	}
	return out, nil
}

func newBackups(t interface{ TempDir() string }) Backups {
	return Backups{Dir: filepath.Join(t.TempDir(), "backups"), Seal: rotate, Open: rotate}
}

// write makes a client file with a mode and an old time of change.
func write(t *testing.T, path, text string) fs.FileInfo {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Date(2024, 2, 3, 4, 5, 6, 789000000, time.UTC)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func edit(t *testing.T, b Backups, path, new string) string {
	t.Helper()
	id, err := b.Save(path)
	if err != nil {
		t.Fatal(err)
	}
	old, err := current(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(path, []byte(new), old); err != nil {
		t.Fatal(err)
	}
	return id
}

func content(t *testing.T, path string) string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestUndoRestoresBytesModeAndTime(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	before := write(t, path, "{ \"a\": \"s3cret\" }\r\n")
	edit(t, b, path, "{}")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != before.Mode() || content(t, path) != "{}" {
		t.Fatalf("after the edit: %v %v %q", err, info.Mode(), content(t, path))
	}
	if err := b.Undo(path); err != nil {
		t.Fatal(err)
	}
	info, err = os.Stat(path)
	if err != nil || info.Mode() != before.Mode() || !info.ModTime().Equal(before.ModTime()) {
		t.Errorf("restored %v %v, want %v %v", info.Mode(), info.ModTime(), before.Mode(), before.ModTime())
	}
	if got := content(t, path); got != "{ \"a\": \"s3cret\" }\r\n" {
		t.Errorf("restored %q", got)
	}
	if err := b.Undo(path); !errors.Is(err, ErrNoBackup) {
		t.Errorf("a second undo: %v", err)
	}
}

func TestBackupsAreSealedAndPrivate(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "canary-value")
	id := edit(t, b, path, "{}")
	name := filepath.Join(b.Dir, id+suffix)
	if strings.Contains(content(t, name), "canary") || strings.Contains(content(t, name), "original") {
		t.Error("the backup is not sealed")
	}
	for p, want := range map[string]fs.FileMode{b.Dir: 0o700 | fs.ModeDir, name: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", p, err, info.Mode(), want)
		}
	}
	all, err := b.List()
	if err != nil || len(all) != 1 || all[0].Path != path || all[0].String() != id+" "+path {
		t.Errorf("list: %v %v", err, all)
	}
	if err := os.WriteFile(name, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Undo(path); err == nil || content(t, path) != "{}" {
		t.Errorf("a damaged backup: %v", err)
	}
	if _, err := (Backups{Dir: b.Dir}).Save(path); !errors.Is(err, ErrSealing) {
		t.Errorf("without sealing: %v", err)
	}
}

func TestUndoRefusesWhenTheFileChangedSince(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, `{"mcpServers": {"a": {"command": "x", "env": {"K": "canary-value"}}}}`)
	edit(t, b, path, `{"mcpServers": {"a": {"command": "wrap"}}}`)
	theirs := `{"mcpServers": {"a": {"command": "mine", "env": {"K": "canary-value"}}}}`
	if err := os.WriteFile(path, []byte(theirs), 0o640); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := b.Undo(path); !errors.As(err, &changed) {
		t.Fatalf("got %v", err)
	}
	for name, d := range map[string]string{"ours": changed.Ours, "since": changed.Since} {
		if !strings.Contains(d, "@@") || strings.Contains(d, "canary") || !strings.Contains(d, `"***"`) {
			t.Errorf("%s: %s", name, d)
		}
	}
	if content(t, path) != theirs {
		t.Error("the file was written")
	}
	if all, err := b.List(); err != nil || len(all) != 1 {
		t.Errorf("the backup is gone: %v %v", all, err)
	}
}

func TestWriteRefusesWhenTheFileChangedMeanwhile(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "{}")
	if _, err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := b.Write(path, []byte("new"), []byte("other")); !errors.As(err, &changed) || content(t, path) != "{}" {
		t.Errorf("got %v, file %q", err, content(t, path))
	}
	if err := b.Write(filepath.Join(filepath.Dir(path), "unsaved"), []byte("x"), nil); !errors.Is(err, ErrNoBackup) {
		t.Errorf("a file that was not saved: %v", err)
	}
}

func TestEditTwiceUndoOnce(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "one")
	first := edit(t, b, path, "two")
	second := edit(t, b, path, "three")
	if again := edit(t, b, path, "three"); first != second || second != again {
		t.Errorf("ids %s %s %s", first, second, again)
	}
	if err := b.Undo(path); err != nil || content(t, path) != "one" {
		t.Errorf("%v %q", err, content(t, path))
	}
}

func TestUndoStepsBackOverAForeignChange(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "one")
	edit(t, b, path, "two")
	if err := os.WriteFile(path, []byte("theirs"), 0o640); err != nil {
		t.Fatal(err)
	}
	edit(t, b, path, "three")
	if err := b.Undo(path); err != nil || content(t, path) != "theirs" {
		t.Errorf("%v %q", err, content(t, path))
	}
	var changed *ChangedError
	if err := b.Undo(path); !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
}

func TestUndoRemovesAFileThatWasNotThere(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	edit(t, b, path, "{}")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v %v", err, info)
	}
	if err := b.Undo(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestUndoAfterCrash(t *testing.T) {
	b := newBackups(t)
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "one")
	edit(t, b, path, "two")
	if err := os.WriteFile(path, []byte("one"), 0o640); err != nil { // as if the rename never came
		t.Fatal(err)
	}
	if err := b.Undo(path); err != nil || content(t, path) != "one" {
		t.Errorf("%v %q", err, content(t, path))
	}
	if all, err := b.List(); err != nil || len(all) != 0 {
		t.Errorf("left: %v %v", all, err)
	}
}

func TestLinksAreKeptAndTheirTargetEdited(t *testing.T) {
	b := newBackups(t)
	dir := t.TempDir()
	real, link := filepath.Join(dir, "dotfiles.json"), filepath.Join(dir, "link.json")
	write(t, real, "one")
	if err := os.Symlink("dotfiles.json", link); err != nil {
		t.Fatal(err)
	}
	edit(t, b, link, "two")
	if to, err := os.Readlink(link); err != nil || to != "dotfiles.json" || content(t, real) != "two" {
		t.Errorf("link to %q %v, target %q", to, err, content(t, real))
	}
	if err := b.Undo(link); err != nil || content(t, real) != "one" {
		t.Errorf("%v %q", err, content(t, real))
	}
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Save(link); err == nil || !strings.Contains(err.Error(), "follow the link") {
		t.Errorf("a link to nothing: %v", err)
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	b := newBackups(t)
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 250)) // no room for a longer name beside it
	write(t, path, "one")
	if _, err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(path, []byte("two"), []byte("one")); err == nil || content(t, path) != "one" {
		t.Errorf("got %v, file %q", err, content(t, path))
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
	if err := b.Undo(path); err != nil || content(t, path) != "one" {
		t.Errorf("undo of an edit that failed: %v", err)
	}
}

func TestReadOnlyFolderIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the administrator may write anywhere; TestFailedWriteLeavesNothing covers the failure")
	}
	b := newBackups(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	write(t, path, "one")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	err := b.Write(path, []byte("two"), []byte("one"))
	if err == nil || !strings.Contains(err.Error(), "is the folder writable?") || content(t, path) != "one" {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestUndoOfEditIsTheOriginal(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		sub, err := os.MkdirTemp(dir, "")
		if err != nil {
			r.Fatal(err)
		}
		b := Backups{Dir: filepath.Join(sub, "b"), Seal: rotate, Open: rotate}
		path := filepath.Join(sub, "f")
		original := rapid.SliceOf(rapid.Byte()).Draw(r, "original")
		if err := os.WriteFile(path, original, 0o600); err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(r, "edits") {
			old, err := current(path)
			if err != nil {
				r.Fatal(err)
			}
			if _, err := b.Save(path); err != nil {
				r.Fatal(err)
			}
			if err := b.Write(path, rapid.SliceOf(rapid.Byte()).Draw(r, "edit"), old); err != nil {
				r.Fatal(err)
			}
		}
		if err := b.Undo(path); err != nil && !errors.Is(err, ErrNoBackup) {
			r.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, original) {
			r.Fatalf("%v: %q, want %q", err, got, original)
		}
	})
}

func TestDiffMasksWhatMayBeSecret(t *testing.T) {
	for name, src := range map[string]string{
		"env":              `{"mcpServers": {"a": {"env": {"X": "canary"}}}}`,
		"header":           `{"mcpServers": {"a": {"headers": {"X": "canary"}}}}`,
		"flag":             `{"mcpServers": {"a": {"args": ["--api-key", "canary"]}}}`,
		"joined flag":      `{"mcpServers": {"a": {"args": ["--api-key=canary"]}}}`,
		"elsewhere":        `{"apiKey": "canary"}`,
		"commented out":    "{\n// \"API_KEY\": \"canary\"\n}",
		"shape in comment": "{ /* ghp_canary0123456789abcdef */ }",
		"broken":           `{"a": "canary"`,
		"broken quote":     "{\"a\": \"canary\n",
		"toml":             "[mcp_servers.a.env]\nX = \"canary\"",
		"toml lines":       "[mcp_servers.a.env]\nX = '''\ncanary\ncanary'''",
		"toml comment":     "# token = canary\n",
	} {
		if d := Diff([]byte(src), nil, "f"); strings.Contains(d, "canary") || d == "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	if d := Diff([]byte("{\"a\": \"\u202e\x1b[31m\"}"), []byte("{}"), "f"); strings.ContainsAny(d, "\u202e\x1b") {
		t.Errorf("control characters are shown: %q", d)
	}
}

func TestDiffIsUnified(t *testing.T) {
	number := func(from, to int, skip string) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			if s := strings.Repeat("i", i); s != skip {
				b.WriteString(s + "\n")
			}
		}
		return b.String()
	}
	old, new := number(1, 20, ""), number(1, 20, "iiiiiiiiii")+"end"
	want := "--- f\n+++ f\n@@ -7,7 +7,6 @@\n " + strings.Repeat("i", 7) + "\n " + strings.Repeat("i", 8) + "\n " + strings.Repeat("i", 9) +
		"\n-" + strings.Repeat("i", 10) + "\n " + strings.Repeat("i", 11) + "\n " + strings.Repeat("i", 12) + "\n " + strings.Repeat("i", 13) +
		"\n@@ -18,3 +17,4 @@\n " + strings.Repeat("i", 18) + "\n " + strings.Repeat("i", 19) + "\n " + strings.Repeat("i", 20) + "\n+end\n\\ No newline at end of file\n"
	if got := Diff([]byte(old), []byte(new), "f"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Diff([]byte("a"), []byte("a"), "f") != "" {
		t.Error("no change gives a difference")
	}
}

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/keys"
)

// moveWait is how long a move waits for another command to end.
const moveWait = 2 * time.Second

// MoveRoot moves the root key of the stopped gateway in dir to the place that
// to.Root and to.RootSet name, and writes that into its configuration. The key
// moves first: a process that dies in between leaves a gateway that says at its
// start where its root key is.
func MoveRoot(ctx context.Context, dir string, o Options, to InitOptions, c admin.Change) (from, now string, err error) {
	if err := to.checkRoot(); err != nil {
		return "", "", InitError(err)
	}
	if err := to.absoluteRoot(); err != nil {
		return "", "", err
	}
	o.Wait = min(o.Wait, moveWait) // another command ends soon, a gateway does not
	a, err := Open(ctx, dir, o)
	if errors.Is(err, ErrLocked) {
		err = &admin.Error{Code: admin.Unavailable, Message: "the gateway in this directory runs", Fix: "stop it; the root key moves while it is stopped"}
	}
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	text, c2, err := a.withRoot(to)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	with, root, err := a.rootAt().open(ctx, c2.Keys.Root)
	if err != nil {
		return "", "", err
	}
	if root != nil {
		defer func() { err = errors.Join(err, root.Close()) }()
		if err := root.Check(ctx); err != nil {
			return "", "", explainRoot(err)
		}
	}
	from, now, err = a.admin.MoveRoot(admin.Self(), c, with)
	if err != nil || c.DryRun {
		return from, now, explainRoot(err)
	}
	if err := replaceConfig(a.file, text); err != nil {
		return from, now, &admin.Error{Code: admin.Failed, Message: "the root key moved, but " + ConfigName + " could not be written", Cause: err.Error(),
			Fix: "set keys.root in it to provider: " + c2.Keys.Root.provider()}
	}
	return from, now, nil
}

// withRoot returns the configuration's text with another section keys, and what
// it says.
func (a *App) withRoot(to InitOptions) ([]byte, *Config, error) {
	old, err := readConfig(a.file)
	if err != nil {
		return nil, nil, err
	}
	var section bytes.Buffer
	to.rootText(&section)
	text := replaceSection(old, "keys", section.Bytes())
	c, err := placed(a.file, text, a.options.Environ)
	return text, c, err
}

// replaceSection replaces a top-level section of a YAML text, or adds it at the
// end. Everything else keeps its bytes.
func replaceSection(text []byte, name string, section []byte) []byte {
	var out bytes.Buffer
	inside := false
	for line := range bytes.Lines(text) {
		if inside && !bytes.ContainsAny(line[:1], " \t\r\n") {
			inside = false // the next section, or a comment before it
		}
		if strings.HasPrefix(string(line), name+":") {
			inside = true
		}
		if !inside {
			out.Write(line)
		}
	}
	if out.Len() > 0 && len(section) > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	out.Write(section)
	return out.Bytes()
}

// replaceConfig writes the configuration anew with the mode that it has.
func replaceConfig(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// RecoverRoot makes the file of the root key of the stopped gateway in dir anew
// with an age identity, and names that file in the configuration.
func RecoverRoot(ctx context.Context, dir string, o Options, identity []byte) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, ConfigName)
	c, sum, err := load(path, o.Environ)
	if err != nil {
		return err
	}
	a := &App{dir: c.DataDir, file: path, options: o}
	a.digest.Store(&sum)
	l, err := takeLock(ctx, filepath.Join(c.DataDir, lockName), o.Wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if err := keys.Recover(c.DataDir, identity); err != nil {
		return explainKeys(err)
	}
	if c.Keys.Root.provider() == providerFile {
		return nil
	}
	text, _, err := a.withRoot(InitOptions{Root: providerFile})
	if err != nil {
		return err
	}
	return replaceConfig(path, text)
}

// explainKeys says what to do about an error of the keys.
func explainKeys(err error) error {
	var known *admin.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, one := range []struct {
		is   error
		code admin.Code
		fix  string
	}{
		{keys.ErrPassphrase, admin.Forbidden, "correct what keys.root.passphrase points to; without it: ostiary key recover --identity FILE"},
		{keys.ErrRecovery, admin.Forbidden, "use the age identity that was shown when the gateway was made"},
		{keys.ErrMode, admin.Invalid, "chmod -R go-rwx the folder keys, and consider its keys known"},
		{keys.ErrProvider, admin.Invalid, "correct keys.root in " + ConfigName + ", or move the key: ostiary key root move --to PROVIDER"},
		{keys.ErrVersion, admin.Invalid, "use the version that wrote it, or a later one"},
		{keys.ErrFIPS, admin.Invalid, "use a key file or a KMS, or the build without strict FIPS mode"},
		{keys.ErrDamaged, admin.Failed, "restore the keys from their backup: ostiary restore"},
		{fs.ErrNotExist, admin.NotFound, "restore the keys from their backup: ostiary restore; they are never made anew"},
	} {
		if errors.Is(err, one.is) {
			return &admin.Error{Code: one.code, Message: err.Error(), Fix: one.fix}
		}
	}
	return fmt.Errorf("keys: %w", err)
}

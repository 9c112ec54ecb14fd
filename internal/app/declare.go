package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/registry"
)

// maxSecretFile bounds a file that holds a secret, in bytes.
const maxSecretFile = 64 << 10

// declare submits the servers of the file that are not registered yet. It goes
// on after a failure and returns all of them.
func (a *App) declare(ctx context.Context, servers []ServerConfig) error {
	api := a.admin.As("config")
	view := a.live.Load()
	var errs []error
	for _, s := range servers {
		if view.Server(s.Name) != nil {
			continue
		}
		r, err := a.submission(s)
		if err == nil {
			_, err = api.SubmitServer(ctx, r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("server %s: %w", s.Name, err))
			continue
		}
		a.log.Info("a declared server waits for approval", logs.Public("server", s.Name))
	}
	return errors.Join(errs...)
}

func (a *App) submission(s ServerConfig) (admin.SubmitServer, error) {
	r := admin.SubmitServer{ID: s.Name, URL: s.URL, Transport: registry.Transport(s.Transport), Private: s.Private,
		Command: s.Command, Dir: s.Dir, PassEnv: s.PassEnv, Pins: s.Pins, CAFile: a.filePath(s.CA),
		Change: admin.Change{Reason: "declared in " + ConfigName}}
	secrets := s.Headers
	if len(s.Command) > 0 {
		secrets = s.Env
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		value, err := Resolve(secrets[name], filepath.Dir(a.file), a.options.Environ, nil)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		r.Secrets = append(r.Secrets, admin.Clear{Name: name, Value: value})
	}
	return r, nil
}

// filePath turns a file: reference into an absolute path; relative ones start
// at the configuration file's directory.
func (a *App) filePath(ref string) string {
	path, ok := strings.CutPrefix(ref, "file:")
	if !ok {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(a.file), path)
	}
	return path
}

// Resolve returns what a reference points to: env:NAME, file:PATH (relative
// ones from base) or, when stdin is not nil, "stdin:". One line end at the end
// is dropped. Nothing there is an error that names the reference, never an
// empty value.
func Resolve(ref, base string, environ func(string) (string, bool), stdin io.Reader) ([]byte, error) {
	kind, rest, ok := strings.Cut(ref, ":")
	var value []byte
	switch {
	case ok && kind == "env" && rest != "":
		text, set := "", false
		if environ != nil {
			text, set = environ(rest)
		}
		if !set {
			return nil, fmt.Errorf("the environment variable %s is not set", rest)
		}
		value = []byte(text)
	case ok && kind == "file" && rest != "":
		path := rest
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		value, err = io.ReadAll(io.LimitReader(f, maxSecretFile+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	case ref == "stdin:" && stdin != nil:
		var err error
		if value, err = io.ReadAll(io.LimitReader(stdin, maxSecretFile+1)); err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
	default:
		// The reference itself may be a secret in the wrong place.
		return nil, errors.New("a reference env:NAME, file:PATH or stdin: is needed")
	}
	if len(value) > maxSecretFile {
		return nil, fmt.Errorf("what %s points to is longer than %d bytes", ref, maxSecretFile)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r")
	if text == "" {
		return nil, fmt.Errorf("what %s points to is empty", ref)
	}
	return []byte(text), nil
}

package child

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
)

// find returns the absolute path of the program. The PATH of the child's own
// environment decides, so that the program is the one that the operator's
// settings name and not one that the gateway's happen to reach; relative
// entries of it are skipped.
func find(s Spec) (string, error) {
	if len(s.Command) == 0 || s.Command[0] == "" {
		return "", errors.New("no command")
	}
	for _, arg := range s.Command {
		if strings.ContainsRune(arg, 0) {
			return "", errors.New("a NUL byte in the command")
		}
	}
	name := s.Command[0]
	path, err := lookup(name, s)
	if err != nil {
		return "", err
	}
	return path, checkScript(path, s.Command[1:])
}

func lookup(name string, s Spec) (string, error) {
	if filepath.IsAbs(name) {
		return exec.LookPath(name)
	}
	if strings.ContainsAny(name, separators) {
		if !filepath.IsAbs(s.Dir) {
			return "", errors.New("a relative program path needs an absolute working directory")
		}
		return exec.LookPath(filepath.Join(s.Dir, name))
	}
	for _, dir := range filepath.SplitList(variable(s.Env, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// variable returns the last value of a name, as exec does.
func variable(env []string, name string) string {
	value := ""
	for _, pair := range env {
		if k, v, ok := strings.Cut(pair, "="); ok && sameName(k, name) {
			value = v
		}
	}
	return value
}

package clientfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// File is a client file as it was read. It is not safe for concurrent use.
type File struct {
	Location
	src     []byte
	root    *node
	entries []Entry
}

// Input is a value that VS Code asks its user for, once per input.
type Input struct {
	ID          string
	Description string
	Password    bool
	Default     string
}

// Read reads and checks a client file of at most MaxBytes. Errors are
// *ParseError, or wrap fs.ErrNotExist and other errors of the system.
func Read(loc Location) (*File, error) {
	src, err := readBounded(loc.Path)
	if err != nil {
		return nil, err
	}
	return Parse(loc, src)
}

// New returns an empty file for a location where none stands yet.
func New(loc Location) *File {
	return &File{Location: loc}
}

// Parse reads src as the content of loc.
func Parse(loc Location, src []byte) (*File, error) {
	f := &File{Location: loc, src: src}
	if err := f.parse(); err != nil {
		return nil, located(loc.Path, src, err)
	}
	return f, nil
}

// Bytes returns the file's content; the caller must not change it.
func (f *File) Bytes() []byte { return f.src }

// Entries returns the servers of the file in its order.
func (f *File) Entries() []Entry { return f.entries }

// readBounded reads a regular file; a pipe or a device would hang.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read client file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read client file %s: not a regular file; name the configuration file itself", path)
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read client file: %w", err)
	}
	src, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("read client file %s: %w", path, err)
	}
	if len(src) > MaxBytes {
		return nil, fmt.Errorf("client file %s is larger than %d MiB; it does not look like a configuration file", path, MaxBytes>>20)
	}
	return src, nil
}

// located turns a *syntaxError into a *ParseError.
func located(path string, src []byte, err error) error {
	var s *syntaxError
	if !errors.As(err, &s) {
		return err
	}
	line, column := position(src, s.offset)
	return &ParseError{File: path, Line: line, Column: column, Reason: s.reason, Fix: s.fix}
}

func (f *File) parse() error {
	var err error
	if f.Format == TOML {
		var doc *tomlDoc
		if doc, err = parseTOML(f.src); err == nil {
			f.root = doc.root
		}
	} else {
		f.root, err = parseJSONC(f.src)
	}
	if err != nil || f.root == nil {
		return err
	}
	if err := f.collect("", f.root, f.Location.Key); err != nil {
		return err
	}
	if f.App != ClaudeCode {
		return nil
	}
	projects := f.root.get("projects")
	if projects == nil || projects.kind != objectKind {
		return nil
	}
	for _, p := range projects.members {
		if err := f.collect(p.key, p.value, f.Location.Key); err != nil {
			return err
		}
	}
	return nil
}

// collect decodes the servers below root.
func (f *File) collect(project string, root *node, key []string) error {
	servers, _ := serverMap(root, key)
	if servers == nil {
		return nil
	}
	if servers.kind != objectKind {
		return syntaxAt(servers.start, "write the servers by name in braces", "%s must be an object", strings.Join(key, "."))
	}
	for _, m := range servers.members {
		if len(f.entries) == maxEntries {
			return syntaxAt(m.keyStart, "split the file", "more than %d servers", maxEntries)
		}
		e, err := f.decode(m)
		if err != nil {
			return err
		}
		e.Project = project
		f.entries = append(f.entries, e)
	}
	return nil
}

// serverMap follows key from root; VS Code's settings may also hold the keys
// joined by dots as one member. Rest is the part of key that is missing.
func serverMap(root *node, key []string) (n *node, rest []string) {
	if joined := root.get(strings.Join(key, ".")); joined != nil {
		return joined, nil
	}
	n = root
	for i, k := range key {
		next := n.get(k)
		if next == nil {
			return nil, key[i:]
		}
		n = next
	}
	return n, nil
}

// Inputs returns the values that a VS Code file asks for; Expand takes them by
// id.
func (f *File) Inputs() []Input {
	list := f.root.get("inputs")
	if list == nil {
		list = f.root.get("mcp").get("inputs")
	}
	if list == nil || list.kind != arrayKind {
		return nil
	}
	var all []Input
	for _, n := range list.items {
		in := Input{ID: n.get("id").string(), Description: n.get("description").string(), Default: n.get("default").string()}
		if p := n.get("password"); p != nil {
			in.Password = p.text == "true"
		}
		if in.ID != "" {
			all = append(all, in)
		}
	}
	return all
}

// string returns a string's text, "" for anything else.
func (n *node) string() string {
	if n == nil || n.kind != stringKind {
		return ""
	}
	return n.text
}

package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stateHead is the first line of the state file.
const stateHead = "ostiary-witness-state/v1"

// maxState bounds the state file.
const maxState = 16 << 20

// Errors of OpenState.
var (
	ErrNoState      = errors.New("the witness has no state file")
	ErrStateDamaged = errors.New("the witness's state file is damaged")
)

// State is what a witness remembers: the largest checkpoint that it cosigned
// of each log. It lives in one small file, which is replaced whole: at any
// moment the disk holds either the state before or the state after
// (TestKillLosesNoState).
//
// A witness that forgot would sign a second history of a log, so a missing or
// damaged file is an error and never an empty state.
type State struct {
	path string
	all  map[string]Checkpoint // by origin
}

// NewState makes an empty state file. It refuses to replace one.
func NewState(path string) (*State, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make witness state %s: %w", path, errors.Join(fs.ErrExist, err))
	}
	s := &State{path: path, all: map[string]Checkpoint{}}
	return s, s.write()
}

// OpenState reads the state file.
func OpenState(path string) (*State, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoState)
	}
	if err != nil {
		return nil, fmt.Errorf("open witness state: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read witness state: %w", err)
	}
	s := &State{path: path}
	if s.all, err = parseState(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// parseState reads the lines of a state file: the head, one line for each log,
// and the number of logs, so that a file that was cut is noticed.
func parseState(text string) (map[string]Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(text) > maxState || len(lines) < 3 || lines[0] != stateHead || lines[len(lines)-1] != "" {
		return nil, ErrStateDamaged
	}
	logs := lines[1 : len(lines)-2]
	if lines[len(lines)-2] != fmt.Sprintf("end %d", len(logs)) {
		return nil, ErrStateDamaged
	}
	all := map[string]Checkpoint{}
	for _, line := range logs {
		words := strings.Split(line, " ")
		if len(words) != 3 {
			return nil, ErrStateDamaged
		}
		// Spaces of an origin are not possible: a key's name has none.
		c, err := ParseCheckpoint(strings.Join(words, "\n"))
		if _, twice := all[c.Origin]; err != nil || twice {
			return nil, ErrStateDamaged
		}
		all[c.Origin] = c
	}
	return all, nil
}

// Last returns the newest checkpoint of a log; its size is 0 when there is none.
func (s *State) Last(origin string) Checkpoint {
	c := s.all[origin]
	c.Origin = origin
	return c
}

// All returns every remembered checkpoint, by origin.
func (s *State) All() []Checkpoint {
	all := make([]Checkpoint, 0, len(s.all))
	for _, c := range s.all {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Checkpoint) int { return strings.Compare(a.Origin, b.Origin) })
	return all
}

// set remembers c. It is on stable storage when set returns nil; else nothing
// has changed.
func (s *State) set(c Checkpoint) error {
	old, had := s.all[c.Origin]
	s.all[c.Origin] = c
	err := s.write()
	if err != nil {
		if had {
			s.all[c.Origin] = old
		} else {
			delete(s.all, c.Origin)
		}
	}
	return err
}

func (s *State) write() error {
	text := stateHead + "\n"
	all := s.All()
	for _, c := range all {
		text += fmt.Sprintf("%s %d %s\n", c.Origin, c.Size, c.Root)
	}
	text += fmt.Sprintf("end %d\n", len(all))
	if len(text) > maxState {
		return errors.New("the witness's state has too many logs")
	}
	if err := replace(s.path, []byte(text)); err != nil {
		return fmt.Errorf("write witness state: %w", err)
	}
	return nil
}

// replace writes a file that appears whole or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrPermission) {
		err = nil // some systems cannot sync a folder
	}
	return errors.Join(err, d.Close())
}

package keys

import (
	"errors"
	"fmt"
	"maps"
)

// Refresh reads the keys anew, into a ring that was opened to read only: another
// process changes them. On an error the ring stays as it was. Sealers, signers
// and handles that were taken from it go on with the new keys.
func (r *Ring) Refresh() error {
	if !r.readOnly {
		return errors.New("refresh keys: this process changes them itself")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.made
	o.Context = nil // that of the opening has ended
	fresh, err := openKeystore(r.folder, o)
	if err != nil {
		return fmt.Errorf("refresh keys: %w", err)
	}
	people, err := openSubjects(r.folder, fresh.state.Load(), true)
	if err != nil {
		return fmt.Errorf("refresh keys: %w", err)
	}
	if err := r.ca.refresh(); err != nil {
		return fmt.Errorf("refresh keys: %w", err)
	}
	r.root = fresh.root
	r.state.Store(fresh.state.Load())
	r.macs.Store(fresh.macs.Load())
	r.subjects.take(people)
	return nil
}

// take makes s what other is; other is used no more.
func (s *subjects) take(other *subjects) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.above, s.doomed = other.file, other.above, maps.Clone(other.doomed)
	s.index, s.ids, s.keys = other.index, other.ids, other.keys
	clear(s.names)
}

// refresh takes the issuers that another process may have made meanwhile.
func (c *CA) refresh() error {
	next, err := c.loadIssuers()
	if err != nil {
		return err
	}
	root, err := c.load(caRootFile)
	if err != nil {
		return err
	}
	if !root.cert.Equal(c.root) {
		return fmt.Errorf("%s %w: it is another root", caRootFile, ErrDamaged)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuers, c.offline = next, root.key == nil
	return nil
}

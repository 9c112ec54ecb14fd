package sealed

import (
	"fmt"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// OpenFollower opens a store whose rows another process changes. What differs
// from what was read is no damage then; only CheckRows, right after a Reload,
// can tell. It takes raw over.
func OpenFollower(raw store.Raw, ring *keys.Ring) (*Store, error) {
	s := &Store{Rows: raw, raw: raw, ring: ring, told: map[string]bool{}, held: map[key]held{}, follow: true}
	if err := s.Reload(); err != nil {
		return nil, fmt.Errorf("open rows: %w", err)
	}
	return s, nil
}

// Reload takes the rows as they are now for those that were written. Whoever
// calls it compares them with the control log next (CheckRows).
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload()
}

func (s *Store) reload() error {
	l, err := readLedger(s.raw)
	if err != nil {
		return fmt.Errorf("read the rows anew: %w", err)
	}
	for k, h := range s.held {
		if m, ok := l.mark(k); !ok || m != h.mark {
			delete(s.held, k)
		}
	}
	s.ledger, s.refuse = l, nil
	return s.readErased()
}

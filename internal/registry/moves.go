package registry

import (
	"errors"
	"fmt"
	"slices"
)

// ErrMove says that the life cycle has no such move.
var ErrMove = errors.New("not an allowed move")

// ErrID says that an id does not have the form of ids.
var ErrID = errors.New("an id is lower-case letters and digits in groups joined by single hyphens, at most 32 characters")

const maxID = 32

// serverMoves and agentMoves are the whole life cycle: from a state to the
// states that may follow. Retired is final.
var serverMoves = map[State][]State{
	Submitted: {Active, Rejected, Retired},
	Active:    {Suspended, Retired},
	Suspended: {Active, Retired},
	Rejected:  {Submitted, Retired},
}

var agentMoves = map[State][]State{
	Active:    {Suspended, Retired},
	Suspended: {Active, Retired},
}

// MoveServer returns s in the state to, or ErrMove. The caller stores it by
// compare-and-set, which makes the move happen once.
func MoveServer(s Server, to State) (Server, error) {
	if !slices.Contains(serverMoves[s.State], to) {
		return s, fmt.Errorf("server %s from %s to %s: %w", s.ID, s.State, to, ErrMove)
	}
	s.State = to
	return s, nil
}

// MoveAgent returns a in the state to, or ErrMove.
func MoveAgent(a Agent, to State) (Agent, error) {
	if !slices.Contains(agentMoves[a.State], to) {
		return a, fmt.Errorf("agent %s from %s to %s: %w", a.ID, a.State, to, ErrMove)
	}
	a.State = to
	return a, nil
}

// ValidID returns ErrID unless id is [a-z0-9]+(-[a-z0-9]+)* of at most 32
// bytes. Such ids need no escaping in a path, a SPIFFE id or a tool prefix.
func ValidID(id string) error {
	if len(id) == 0 || len(id) > maxID {
		return ErrID
	}
	hyphen := true // as before the first character: no hyphen may follow
	for i := range len(id) {
		switch c := id[i]; {
		case c == '-':
			if hyphen {
				return ErrID
			}
			hyphen = true
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			hyphen = false
		default:
			return ErrID
		}
	}
	if hyphen {
		return ErrID
	}
	return nil
}

// Valid reports whether a is one of the three accesses.
func (a Access) Valid() bool { return a == Read || a == Write || a == Modify }

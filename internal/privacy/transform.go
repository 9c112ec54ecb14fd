package privacy

import (
	"errors"
)

// ErrShape says that no transformed value fits the schema: drop the member if it
// is optional, refuse the message otherwise.
var ErrShape = errors.New("privacy: no value of that action fits the schema")

// ErrAction says that Transform does not carry out that action, or that the
// profile does not allow it.
var ErrAction = errors.New("privacy: not an action of a single value here")

// Transform returns what takes the place of a finding's value. Keep, Flag,
// Block, Drop and Token are not its business and are errors. Errors never hold
// the value.
func (p *Profile) Transform(a Action, f Finding, s Secrets) (string, error) {
	if a == Redact && f.Schema.Free() {
		return "[" + string(f.Type) + "]", nil
	}
	return "", ErrAction
}

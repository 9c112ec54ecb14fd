package admin

import (
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/kms"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Code is the stable class of an operator's error; the command line turns it
// into an exit code.
type Code string

// The codes.
const (
	Invalid     Code = "invalid"     // the request cannot be right
	NotFound    Code = "not_found"   // what it names is not there
	Exists      Code = "exists"      // what it would make is there already
	Conflict    Code = "conflict"    // changed meanwhile, or in the wrong state
	Forbidden   Code = "forbidden"   // this caller may not
	Drift       Code = "drift"       // something is not as it was registered
	Unavailable Code = "unavailable" // try again later
	Failed      Code = "internal"    // our own failure
	Integrity   Code = "integrity"   // what is stored is not what was written
)

// ErrNoSocket says that this system cannot tell who opens a socket, so that
// commands cannot reach a running gateway.
var ErrNoSocket = errors.New("commands cannot reach a running gateway on this system; stop it first")

// Error says what is wrong, why, and what to do. It holds no secret.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Cause   string `json:"cause,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// Error is the message with its cause.
func (e *Error) Error() string {
	if e.Cause != "" {
		return e.Message + ": " + e.Cause
	}
	return e.Message
}

func invalid(fix, format string, args ...any) *Error {
	return &Error{Code: Invalid, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// asError turns any error into an *Error about what.
func asError(what string, err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, registry.ErrNotFound):
		return &Error{Code: NotFound, Message: what + " is not registered", Fix: "check the name with the list command"}
	case errors.Is(err, registry.ErrExists):
		return &Error{Code: Exists, Message: what + " is registered already", Fix: "choose another name"}
	case errors.Is(err, registry.ErrConflict):
		return &Error{Code: Conflict, Message: what + " was changed meanwhile", Fix: "look at it and try again"}
	case fault.Is(err, fault.LogUnavailable):
		return &Error{Code: Unavailable, Message: "the change cannot be recorded, so it is refused", Cause: err.Error(),
			Fix: "free space on the data directory's disk"}
	case kms.Fix(err) != "":
		code := Invalid
		if errors.Is(err, kms.ErrUnreachable) {
			code = Unavailable
		}
		return &Error{Code: code, Message: what + " could not be processed", Cause: err.Error(), Fix: kms.Fix(err)}
	}
	if e := storeError(what, err); e != nil {
		return e
	}
	return &Error{Code: Failed, Message: what + " could not be processed", Cause: err.Error()}
}

// storeError turns what the store says of its machine and its rows into an
// *Error, or nil.
func storeError(what string, err error) *Error {
	for _, one := range []struct {
		is   error
		code Code
		fix  string
	}{
		{store.ErrDamage, Integrity, "find out who wrote to the database, then restore it from its backup"},
		{store.ErrFull, Unavailable, "make room on the disk of the store; nothing was changed"},
		{store.ErrReadOnly, Unavailable, "make the store writable again; nothing was changed"},
		{store.ErrIO, Unavailable, "look at the system's log, and replace the disk; nothing was changed"},
	} {
		if errors.Is(err, one.is) {
			return &Error{Code: one.code, Message: what + " could not be processed", Cause: err.Error(), Fix: one.fix}
		}
	}
	return nil
}

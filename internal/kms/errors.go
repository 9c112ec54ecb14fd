package kms

import (
	"errors"
	"fmt"
)

// What can be wrong with a root key. Every error of this package wraps one of
// these; the text beside it holds no secret.
var (
	ErrUnreachable = errors.New("the key service cannot be reached")
	ErrUntrusted   = errors.New("the key service's certificate cannot be verified")
	ErrAccess      = errors.New("the key service refuses our credential")
	ErrCredential  = errors.New("the credential for the key service cannot be read")
	ErrMissing     = errors.New("the key service has no such key")
	ErrUnfit       = errors.New("the root key cannot be used")
	ErrWrapped     = errors.New("the wrapped key does not open under this root key")
	ErrAnswer      = errors.New("the key service's answer cannot be understood")
	ErrKept        = errors.New("the root key may not be destroyed")
	ErrBuild       = errors.New("this build cannot reach such a root key")
	ErrConfig      = errors.New("the root key is not configured rightly")
)

// Fix returns what an operator does next about err, or "".
func Fix(err error) string {
	for _, one := range []struct {
		is  error
		fix string
	}{
		{ErrUnreachable, "check that the key service runs and is unsealed, and the address in keys.root"},
		{ErrUntrusted, "name the authority of its certificate as ca in keys.root, and the host as the certificate has it"},
		{ErrAccess, "give the credential that keys.root points to the rights that docs/keys.md lists"},
		{ErrCredential, "set what keys.root points to"},
		{ErrMissing, "make the key, or correct its name in keys.root"},
		{ErrUnfit, "use a key as docs/keys.md describes it"},
		{ErrWrapped, "name the root key that wrapped this gateway's keys, or restore the keys from their backup"},
		{ErrAnswer, "check that the address in keys.root is a key service's and not another server's"},
		{ErrKept, "allow the deletion in the key service first; docs/keys.md says how"},
		{ErrBuild, "use the build that has it: docs/keys.md, remote root keys"},
		{ErrConfig, "correct keys.root"},
	} {
		if errors.Is(err, one.is) {
			return one.fix
		}
	}
	return ""
}

// why adds to one of the errors above what was found.
func why(is error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", is, fmt.Errorf(format, args...))
}

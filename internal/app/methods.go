package app

import "ostiary.dev/ostiary/internal/wire"

// knownMethod reports whether any protocol version has the method, so that a
// caller cannot make metric series of his own.
func knownMethod(name string) bool {
	for _, v := range wire.Versions {
		for _, side := range []wire.Side{wire.FromClient, wire.FromServer} {
			if _, ok := wire.Lookup(name, v, side); ok {
				return true
			}
		}
	}
	return false
}

//go:build !ostiary_nowait

package record

// awaits says that calls wait for their entries. Only the tag ostiary_nowait
// turns it off, to measure what waiting costs; such a binary says so and is no
// gateway.
const awaits = true

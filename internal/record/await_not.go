//go:build ostiary_nowait

package record

// awaits is off in this build, which exists to measure what waiting costs.
const awaits = false

// Package interop runs servers and clients that we did not write through a
// built gateway and compares what happens with a run without it: both official
// conformance suites, public npm servers, and the TypeScript, Python and Go
// SDKs in both protocol eras. It also holds the byte-fidelity corpus.
//
// It starts programs on loopback that install.sh has installed beside it, and
// deliberately contains no code but tests. See README.md.
package interop

// Package canary looks for planted values in every byte that a gateway leaves
// behind: its data directory, write-ahead log, temporary files, output, metrics,
// traces, backups, exports and the folder of its database server.
//
// It drives the built binary through test/doortest, on loopback only, and
// deliberately imports no package of the gateway. Scanner finds a value as it
// is, in hexadecimal, base64 at any alignment, base64url, UTF-16, JSON escapes
// and percent encoding, and in what gzip, zlib and zip hold.
package canary

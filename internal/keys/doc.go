// Package keys holds every key of the gateway and every use of a cryptographic
// primitive: sealing (seal.go), sealed handles (handle.go), API tokens
// (token.go) and the gateway's own certificate authority (ca.go). Each file
// serves one purpose, and no two purposes share a key.
//
// It may read and write the folder keys of the data directory and the public
// file ca.pem beside it. It deliberately never logs, never prints, offers no
// way to read a key out, and imports none of our rooms but clock: callers get
// operations, not keys.
//
// The seal record is our own format, docs/formats/seal.md, version 1. It uses
// HKDF-SHA256 (RFC 5869) and AES-256-GCM with random nonces (NIST SP 800-38D).
// Certificates follow RFC 5280 and the SPIFFE X.509-SVID standard.
package keys

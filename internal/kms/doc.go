// Package kms reaches root keys that lie outside the data directory: the
// transit engine of Vault and OpenBao always, the key services of two clouds
// and PKCS#11 modules in builds made for them. A root key wraps the tenant's
// key and nothing else; no payload and no other key crosses to it.
//
// It deliberately holds no key and caches none, reads no environment variable,
// opens no connection but through the dialler that it is given, follows no
// redirect and no proxy, and never makes a key that is missing: a mistyped
// name would otherwise give a gateway a root key that nobody backs up.
//
// The transit engine is spoken to as its API documentation has it
// (https://openbao.org/api-docs/secret/transit/, version 2.6).
package kms

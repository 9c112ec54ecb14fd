package logtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// Origin is what the origins of a test's logs begin with.
const Origin = "ostiary.dev/gw/0123456789abcdef/default"

// Keys signs like a gateway and seals like nobody should: what it seals is
// readable, but opens only unchanged and at its place.
type Keys struct {
	Gone bool // the key of the parts was destroyed

	mu      sync.Mutex
	signers map[string]note.Signer
	vkeys   map[string]string
}

// Config returns what opens a book over rows.
func (k *Keys) Config(rows auditlog.Rows, c clock.Clock) auditlog.Config {
	return auditlog.Config{
		Rows: rows, Origin: Origin, Sealer: k, Clock: c, Signer: k.Signer,
		VKeys: func(origin string) []string { k.Signer(origin); return []string{k.VKey(origin)} },
	}
}

// Signer returns the signer of an origin.
func (k *Keys) Signer(origin string) note.Signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.signers[origin]; s != nil {
		return s
	}
	secret, public, err := note.GenerateKey(nil, origin)
	if err != nil {
		panic("logtest: " + err.Error())
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		panic("logtest: " + err.Error())
	}
	if k.signers == nil {
		k.signers, k.vkeys = map[string]note.Signer{}, map[string]string{}
	}
	k.signers[origin], k.vkeys[origin] = s, public
	return s
}

// VKey returns the public key of an origin.
func (k *Keys) VKey(origin string) string {
	k.Signer(origin)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.vkeys[origin]
}

// SealAudit implements auditlog.Sealer.
func (k *Keys) SealAudit(id keys.Identity, plain []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(bytes.Clone(plain), sum(id, plain)), nil
}

// OpenAudit implements auditlog.Sealer.
func (k *Keys) OpenAudit(id keys.Identity, sealed []byte) ([]byte, error) {
	if k.Gone {
		return nil, keys.ErrGone
	}
	end := len(sealed) - 4
	if end < 0 || binary.BigEndian.Uint32(sealed[end:]) != sum(id, sealed[:end]) {
		return nil, keys.ErrSeal
	}
	return bytes.Clone(sealed[:end]), nil
}

func sum(id keys.Identity, plain []byte) uint32 {
	return crc32.ChecksumIEEE(fmt.Appendf(nil, "%q %x", id, plain))
}

package auditlog

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/keys"
)

// saltSize is the length of the random salt at the head of a batch's parts. It
// is stored only inside their ciphertext: when that key dies, a commitment is
// 32 random bytes to everybody.
const saltSize = 32

// maxBatch bounds a batch's entries, maxBlob the bytes of its leaves or parts:
// below what one seal record takes.
const (
	maxBatch = 512
	maxBlob  = 8 << 20
)

// errBlob says that stored leaves or parts do not have their form.
var errBlob = errors.New("stored batch does not have its form")

// committer makes the keys and commitments of a batch's parts. The keyed state
// for the salt is made once and reused.
type committer struct{ mac hash.Hash }

func newCommitter(salt []byte) *committer { return &committer{hmac.New(sha256.New, salt)} }

// key returns the key of one part. It discloses that entry alone: evidence
// carries it, never the salt.
func (c *committer) key(index uint64) (key [HashSize]byte) {
	var label [len(partLabel) + 8]byte
	copy(label[:], partLabel)
	binary.BigEndian.PutUint64(label[len(partLabel):], index)
	c.mac.Reset()
	c.mac.Write(label[:])
	c.mac.Sum(key[:0])
	return key
}

const partLabel = "part/v1"

// Commitment returns what a leaf says of its part: HMAC-SHA256 under the part's
// key.
func Commitment(key [HashSize]byte, part []byte) (out [HashSize]byte) {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(part)
	mac.Sum(out[:0])
	return out
}

// newSalt appends a fresh salt to b. The system's generator does not fail on
// Go 1.24 or later; it ends the process instead.
func newSalt(b []byte) []byte {
	var salt [saltSize]byte
	if _, err := rand.Read(salt[:]); err != nil {
		panic("auditlog: no randomness: " + err.Error())
	}
	return append(b, salt[:]...)
}

// appendBytes appends an element of a blob: its length as uvarint, its bytes.
func appendBytes(b, element []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(element))), element...)
}

// split reads count elements of at most most bytes each from a blob, which must
// hold nothing else. The elements share the blob's memory.
func split(blob []byte, count uint64, most int) ([][]byte, error) {
	if count > 2*maxBatch || len(blob) > maxBlob+saltSize {
		return nil, errBlob
	}
	all := make([][]byte, 0, count)
	for range count {
		n, used := binary.Uvarint(blob)
		if used <= 0 || n > uint64(most) || n > uint64(len(blob)-used) || used > 1 && blob[used-1] == 0 {
			return nil, errBlob
		}
		end := used + int(n)
		all = append(all, blob[used:end:end])
		blob = blob[end:]
	}
	if len(blob) != 0 {
		return nil, errBlob
	}
	return all, nil
}

// identity is where the sealed parts of a batch belong.
func identity(tenant string, log Name, first uint64) keys.Identity {
	return keys.Identity{Tenant: tenant, Kind: "audit", Record: string(log), Column: "parts", Version: strconv.FormatUint(first, 10)}
}

// parts are the opened parts of a batch.
type parts struct {
	*committer
	all    [][]byte
	hashes []byte // leaf hashes, HashSize each
}

// fits says why leaf is not the one that was sealed with part i; "" when it is.
// What a leaf says in clear (kind, decision, server, time) is no part of its
// commitment: somebody who has the database and no key could change it, compute
// the tree anew and delete the checkpoints, and the gateway would sign the
// forged tree next (hostile case G16; TestTampering).
func (p *parts) fits(index, i uint64, raw []byte, leaf *Leaf) string {
	if Commitment(p.key(index), p.all[i]) != leaf.Commit {
		return "the entry does not commit to its part"
	}
	if hash := tlog.RecordHash(raw); !bytes.Equal(hash[:], p.hashes[i*HashSize:(i+1)*HashSize]) {
		return "the entry is not the one that was sealed with its part"
	}
	return ""
}

// openParts opens what sealParts sealed.
func (c *Config) openParts(b *Batch) (*parts, error) {
	plain, err := c.Sealer.OpenAudit(identity(c.Tenant, b.Log, b.First), b.Parts)
	if err != nil {
		return nil, fmt.Errorf("open parts: %w", err)
	}
	if b.Count > maxBatch || uint64(len(plain)) < saltSize+b.Count*HashSize {
		return nil, errBlob
	}
	end := len(plain) - int(b.Count)*HashSize
	all, err := split(plain[saltSize:end], b.Count, MaxPart)
	if err != nil {
		return nil, err
	}
	return &parts{newCommitter(plain[:saltSize]), all, plain[end:]}, nil
}

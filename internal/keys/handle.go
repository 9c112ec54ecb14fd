package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"
)

// ErrHandle says that a handle is not one of ours for this caller, purpose and
// binding, or has expired. It never says which.
var ErrHandle = errors.New("unknown handle")

// MaxHandlePayload is how many bytes one handle carries at most.
const MaxHandlePayload = 128 << 10

const maxHandle = (MaxHandlePayload + 8 + Overhead) * 4 / 3

// handleText is base64url without padding; strict, so that each record has one
// spelling.
var handleText = base64.RawURLEncoding.Strict()

// Handles seals what crosses a request boundary in a client's hands: session
// ids, event ids, cursors, request states. It is safe for concurrent use.
//
// A handle is a seal record whose identity is the tenant, "handle", the
// purpose, the principal and the SHA-256 of the binding, with its expiry
// inside. It names something and never authorises: identity and policy run
// again on each use.
type Handles struct {
	key handleKey

	// A legacy session's handle comes back with every request. Deriving its
	// record key costs most of opening it, so the derivations of handles that
	// opened are kept: two generations of at most cacheSize each. What is kept
	// still has to pass the commitment and the tag on every use.
	mu    sync.RWMutex
	young map[derivation]*derived
	old   map[derivation]*derived
}

// derivation is what a record key depends on besides the key: the salt and
// the digest of the identity tuple.
type derivation struct {
	salt  [saltSize]byte
	tuple [sha256.Size]byte
}

const cacheSize = 4096

// handleKey finds the key that sealed a record: nil for one that is not ours.
type handleKey interface {
	seal(Identity, []byte) ([]byte, error)
	of(record []byte) *dek
}

func newHandles(key handleKey) *Handles {
	return &Handles{key: key, young: make(map[derivation]*derived)}
}

// Seal returns a handle for payload that opens until expires (whole seconds)
// for the same purpose, principal and binding. It returns "" when payload is
// longer than MaxHandlePayload, which opens nowhere.
func (h *Handles) Seal(purpose, principal, binding string, payload []byte, expires time.Time) string {
	if len(payload) > MaxHandlePayload {
		return ""
	}
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(payload)), uint64(expires.Unix()))
	record, err := h.key.seal(handleIdentity(purpose, principal, binding), append(plain, payload...))
	if err != nil {
		return ""
	}
	return handleText.EncodeToString(record)
}

// Open returns the payload of a handle. Any failure is ErrHandle.
func (h *Handles) Open(purpose, principal, binding, handle string, now time.Time) ([]byte, error) {
	// The decoder skips line breaks, which would be a second spelling.
	if len(handle) > maxHandle+4 || strings.ContainsAny(handle, "\r\n") {
		return nil, ErrHandle
	}
	record, err := handleText.DecodeString(handle)
	if err != nil {
		return nil, ErrHandle
	}
	key := h.key.of(record)
	if key == nil {
		return nil, ErrHandle
	}
	tuple, err := handleIdentity(purpose, principal, binding).tuple()
	if err != nil {
		return nil, ErrHandle
	}
	plain, err := h.open(key, record, tuple)
	if err != nil || len(plain) < 8 {
		return nil, ErrHandle
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return nil, ErrHandle
	}
	return plain[8:], nil
}

// open opens record with a kept derivation, or derives and keeps it when the
// record proves genuine, so that forged handles cannot fill the cache.
func (h *Handles) open(key *dek, record, tuple []byte) ([]byte, error) {
	at := derivation{tuple: sha256.Sum256(tuple)}
	copy(at.salt[:], record[saltAt:commitAt])
	if with := h.kept(at); with != nil {
		return with.open(record, tuple)
	}
	with, err := key.derive(at.salt[:], tuple)
	if err != nil {
		return nil, err
	}
	plain, err := with.open(record, tuple)
	if err == nil {
		h.keep(at, with)
	}
	return plain, err
}

func (h *Handles) kept(at derivation) *derived {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if with := h.young[at]; with != nil {
		return with
	}
	return h.old[at]
}

func (h *Handles) keep(at derivation, with *derived) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.young) >= cacheSize {
		h.old, h.young = h.young, make(map[derivation]*derived)
	}
	h.young[at] = with
}

// forget drops every kept derivation, so that none outlives its key.
func (h *Handles) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.young, h.old = make(map[derivation]*derived), nil
}

func handleIdentity(purpose, principal, binding string) Identity {
	digest := sha256.Sum256([]byte(binding))
	return Identity{Tenant: DefaultTenant, Kind: "handle", Record: purpose, Column: principal, Version: string(digest[:])}
}

//go:build ostiary_pkcs11

package kms

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// pkcs11Built says that this build reaches PKCS#11 modules.
const pkcs11Built = true

// hsmHead begins what a token wrapped; after it come 12 bytes of nonce, the
// ciphertext and the tag of AES-256-GCM. The associated data is the SHA-256 of
// the place: some tokens take no longer one.
const (
	hsmHead  = "OSTP\x01"
	hsmNonce = 12
	hsmTag   = 16
)

// hsm is an AES key in a PKCS#11 token. Each use opens a session, logs in and
// out again: uses are rare, and a session that stays open is one that another
// library of this process could use. Calls into the module cannot be
// cancelled.
type hsm struct {
	conf  PKCS11
	means Means

	mu  sync.Mutex  // one call at a time: not every module is safe for more
	ctx *pkcs11.Ctx // nil after Close
}

// openPKCS11 loads the module. It refuses a library that others may change:
// whoever writes it runs code as the gateway (TestPKCS11ModuleIsVetted).
func openPKCS11(c PKCS11, m Means) (Root, error) {
	if found := c.Problems(); len(found) > 0 {
		return nil, problems("keys.root.pkcs11", found)
	}
	info, err := os.Stat(c.Module)
	if err != nil {
		return nil, why(ErrConfig, "the PKCS#11 module: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return nil, why(ErrConfig, "the PKCS#11 module %s is no regular file, or other users may change it", c.Module)
	}
	ctx := pkcs11.New(c.Module)
	if ctx == nil {
		return nil, why(ErrConfig, "%s is not a PKCS#11 module", c.Module)
	}
	if err := ctx.Initialize(); err != nil {
		ctx.Destroy()
		return nil, why(ErrUnreachable, "initialize %s: %w", c.Module, err)
	}
	return &hsm{conf: c, means: m, ctx: ctx}, nil
}

func (h *hsm) ID() string { return ProviderPKCS11 + ":" + h.conf.Token + "/" + h.conf.Label }

func (h *hsm) String() string { return h.ID() }

func (h *hsm) GoString() string { return h.ID() }

// use is a session that is logged in, with the key.
type use struct {
	*pkcs11.Ctx
	session pkcs11.SessionHandle
	key     pkcs11.ObjectHandle
}

// with runs f in a session of its own.
func (h *hsm) with(ctx context.Context, f func(use) error) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return unreachable(ctx.Err())
	}
	if h.ctx == nil {
		return why(ErrUnreachable, "the module was closed")
	}
	slot, err := h.slot()
	if err != nil {
		return err
	}
	session, err := h.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return h.explain("open a session", err)
	}
	defer func() { err = errors.Join(err, h.ctx.CloseSession(session)) }()
	pin, err := h.means.Secret(h.conf.PIN)
	if err != nil {
		return why(ErrCredential, "%w", err)
	}
	err = h.ctx.Login(session, pkcs11.CKU_USER, string(pin))
	clear(pin)
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return h.explain("log in", err)
	}
	defer func() { err = errors.Join(err, h.ctx.Logout(session)) }()
	key, err := h.find(session)
	if err != nil {
		return err
	}
	return f(use{h.ctx, session, key})
}

// slot finds the token by its label; two with the same label are refused.
func (h *hsm) slot() (uint, error) {
	slots, err := h.ctx.GetSlotList(true)
	if err != nil {
		return 0, h.explain("list the tokens", err)
	}
	var found []uint
	for _, s := range slots {
		if info, err := h.ctx.GetTokenInfo(s); err == nil && strings.TrimRight(info.Label, " \x00") == h.conf.Token {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return 0, why(ErrUnreachable, "no token has the label %q", h.conf.Token)
	case 1:
		return found[0], nil
	}
	return 0, why(ErrUnfit, "%d tokens have the label %q", len(found), h.conf.Token)
}

// find looks for the one AES key with the label.
func (h *hsm) find(session pkcs11.SessionHandle) (pkcs11.ObjectHandle, error) {
	err := h.ctx.FindObjectsInit(session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, h.conf.Label),
	})
	if err != nil {
		return 0, h.explain("look for the key", err)
	}
	found, _, err := h.ctx.FindObjects(session, 2)
	if err := errors.Join(err, h.ctx.FindObjectsFinal(session)); err != nil {
		return 0, h.explain("look for the key", err)
	}
	switch len(found) {
	case 0:
		return 0, why(ErrMissing, "the token %q has no AES key %q", h.conf.Token, h.conf.Label)
	case 1:
		return found[0], nil
	}
	return 0, why(ErrUnfit, "the token %q has several AES keys %q", h.conf.Token, h.conf.Label)
}

// Check demands a key that can leave the token for nobody.
func (h *hsm) Check(ctx context.Context) error {
	return h.with(ctx, func(u use) error {
		got, err := u.GetAttributeValue(u.session, u.key, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil),
			pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, nil), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, nil),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, nil),
		})
		if err != nil {
			return h.explain("read the key's attributes", err)
		}
		want := []struct {
			is   byte
			what string
		}{{0, "it is extractable"}, {1, "it is not sensitive"}, {1, "it may not encrypt"}, {1, "it may not decrypt"}, {1, "it lives for one session only"}}
		for i, a := range got {
			if len(a.Value) != 1 || a.Value[0] != want[i].is {
				return why(ErrUnfit, "%s: %s", h.ID(), want[i].what)
			}
		}
		return nil
	})
}

func (h *hsm) mechanism(nonce, aad []byte) ([]*pkcs11.Mechanism, *pkcs11.GCMParams) {
	sum := sha256.Sum256(aad)
	params := pkcs11.NewGCMParams(nonce, sum[:], hsmTag*8)
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, params
}

func (h *hsm) Wrap(ctx context.Context, aad, plain []byte) (wrapped []byte, err error) {
	err = h.with(ctx, func(u use) error {
		nonce, err := u.GenerateRandom(u.session, hsmNonce)
		if err != nil {
			return h.explain("draw a nonce", err)
		}
		if len(nonce) != hsmNonce || bytes.Count(nonce, nonce[:1]) == hsmNonce {
			return why(ErrAnswer, "the token's random numbers are not random")
		}
		mechanism, params := h.mechanism(nonce, aad)
		defer params.Free()
		if err := u.EncryptInit(u.session, mechanism, u.key); err != nil {
			return h.explain("encrypt", err)
		}
		sealed, err := u.Encrypt(u.session, plain)
		if err != nil {
			return h.explain("encrypt", err)
		}
		wrapped = slices.Concat([]byte(hsmHead), nonce, sealed)
		return nil
	})
	return wrapped, err
}

func (h *hsm) Unwrap(ctx context.Context, aad, wrapped []byte) (plain []byte, err error) {
	rest, ok := bytes.CutPrefix(wrapped, []byte(hsmHead))
	if !ok || len(rest) <= hsmNonce+hsmTag {
		return nil, why(ErrWrapped, "it is not what a token wrapped")
	}
	err = h.with(ctx, func(u use) error {
		mechanism, params := h.mechanism(rest[:hsmNonce], aad)
		defer params.Free()
		if err := u.DecryptInit(u.session, mechanism, u.key); err != nil {
			return h.explain("decrypt", err)
		}
		plain, err = u.Decrypt(u.session, rest[hsmNonce:])
		switch err := h.explain("decrypt", err); {
		case err == nil, errors.Is(err, ErrUnreachable):
			return err
		default: // modules use several codes for a tag that does not fit
			return why(ErrWrapped, "%s: the token does not decrypt it", h.ID())
		}
	})
	return plain, err
}

// Rewrap opens and wraps again here: a token's key has no versions.
func (h *hsm) Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	plain, err := h.Unwrap(ctx, aad, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return h.Wrap(ctx, aad, plain)
}

// Destroy removes the key from the token at once, and looks again.
func (h *hsm) Destroy(ctx context.Context) (time.Time, error) {
	err := h.with(ctx, func(u use) error {
		if err := u.DestroyObject(u.session, u.key); err != nil {
			return h.explain("destroy the key", err)
		}
		if _, err := h.find(u.session); !errors.Is(err, ErrMissing) {
			return why(ErrAnswer, "the token said that it destroyed the key, and still has it")
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return h.means.Clock.Now(), nil
}

func (h *hsm) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		return nil
	}
	err := h.ctx.Finalize()
	h.ctx.Destroy()
	h.ctx = nil
	return err
}

// explain sorts a module's error. Nothing is repeated: a PIN that is tried
// again is soon a locked one.
func (h *hsm) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	is := ErrUnreachable
	switch code := pkcs11.Error(0); {
	case !errors.As(err, &code):
	case slices.Contains([]pkcs11.Error{pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LEN_RANGE,
		pkcs11.CKR_PIN_INVALID, pkcs11.CKR_USER_PIN_NOT_INITIALIZED}, code):
		is = ErrAccess
	case slices.Contains([]pkcs11.Error{pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_KEY_TYPE_INCONSISTENT,
		pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_KEY_SIZE_RANGE, pkcs11.CKR_ACTION_PROHIBITED}, code):
		is = ErrUnfit
	case slices.Contains([]pkcs11.Error{pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE, pkcs11.CKR_GENERAL_ERROR,
		pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_ARGUMENTS_BAD, pkcs11.CKR_DATA_INVALID, pkcs11.CKR_DATA_LEN_RANGE}, code):
		is = ErrAnswer
	}
	return why(is, "%s: %s: %w", h.ID(), doing, err)
}

package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// ErrPasskey says that a passkey is not one of the person's, for this site and
// this ceremony. It never says which.
var ErrPasskey = errors.New("the passkey is not accepted")

// maxResponse bounds what an authenticator answers, in bytes.
const maxResponse = 32 << 10

// Who is somebody with passkeys.
type Who struct {
	ID          []byte // user handle: what the authenticator keeps, never a name
	Name        string // shown by the authenticator
	Credentials [][]byte
}

// Passkeys makes the ceremonies of one site.
type Passkeys struct{ rp *webauthn.WebAuthn }

// NewPasskeys returns the ceremonies for the origins of one host, of which the
// first gives its name. Browsers have none for a bare address.
func NewPasskeys(origins []string) (*Passkeys, error) {
	if len(origins) == 0 {
		return nil, errors.New("the gateway has no origin")
	}
	u, err := url.Parse(origins[0])
	if err != nil {
		return nil, fmt.Errorf("read the gateway's origin: %w", err)
	}
	// The device must have checked that it is its owner (user verification):
	// that is what makes one passkey two factors.
	rp, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "Ostiary", RPOrigins: origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return &Passkeys{rp}, nil
}

// Begin returns what the browser asks its authenticators for, and what Finish
// needs, which is good for one try.
func (p *Passkeys) Begin() (options, state []byte, err error) {
	o, s, err := p.rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	return both(o, s, err)
}

// BeginAdd does so for a new passkey.
func (p *Passkeys) BeginAdd(w Who) (options, state []byte, err error) {
	u, err := userOf(w)
	if err != nil {
		return nil, nil, err
	}
	var have []protocol.CredentialDescriptor
	for _, c := range u.credentials {
		have = append(have, c.Descriptor())
	}
	o, s, err := p.rp.BeginRegistration(u, webauthn.WithExclusions(have))
	return both(o, s, err)
}

func both(options, session any, err error) ([]byte, []byte, error) {
	if err != nil {
		return nil, nil, fmt.Errorf("begin a ceremony: %w", err)
	}
	o, err1 := json.Marshal(options)
	s, err2 := json.Marshal(session)
	return o, s, errors.Join(err1, err2)
}

// FinishAdd returns the new credential.
func (p *Passkeys) FinishAdd(w Who, state, response []byte) ([]byte, error) {
	var s webauthn.SessionData
	u, err := userOf(w)
	if err != nil || len(response) > maxResponse || json.Unmarshal(state, &s) != nil {
		return nil, ErrPasskey
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, ErrPasskey
	}
	c, err := p.rp.CreateCredential(u, s, parsed)
	if err != nil || !c.Flags.UserVerified {
		return nil, ErrPasskey
	}
	return json.Marshal(c)
}

// Finish returns whose passkey answered, and the credential as it is to be
// kept: at is its place among theirs. find returns who has a user handle.
func (p *Passkeys) Finish(state, response []byte, find func(handle []byte) (Who, bool)) (who Who, at int, credential []byte, err error) {
	var s webauthn.SessionData
	if len(response) > maxResponse || json.Unmarshal(state, &s) != nil {
		return Who{}, 0, nil, ErrPasskey
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Who{}, 0, nil, ErrPasskey
	}
	c, err := p.rp.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		w, ok := find(handle)
		if !ok {
			return nil, ErrPasskey
		}
		who = w
		return userOf(w)
	}, s, parsed)
	// A counter that went back is a copied authenticator.
	if err != nil || !c.Flags.UserVerified || c.Authenticator.CloneWarning {
		return Who{}, 0, nil, ErrPasskey
	}
	u, err := userOf(who)
	if err != nil {
		return Who{}, 0, nil, ErrPasskey
	}
	for i, have := range u.credentials {
		if string(have.ID) == string(c.ID) {
			credential, err = json.Marshal(c)
			return who, i, credential, err
		}
	}
	return Who{}, 0, nil, ErrPasskey
}

// user is a Who as the library wants it.
type user struct {
	who         Who
	credentials []webauthn.Credential
}

func userOf(w Who) (*user, error) {
	u := &user{who: w}
	for _, text := range w.Credentials {
		var c webauthn.Credential
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, fmt.Errorf("read a passkey: %w", err)
		}
		u.credentials = append(u.credentials, c)
	}
	return u, nil
}

// WebAuthnID implements webauthn.User, as do the three below.
func (u *user) WebAuthnID() []byte { return u.who.ID }

// WebAuthnName is shown by the authenticator.
func (u *user) WebAuthnName() string { return u.who.Name }

// WebAuthnDisplayName is shown by the authenticator.
func (u *user) WebAuthnDisplayName() string { return u.who.Name }

// WebAuthnCredentials returns the passkeys.
func (u *user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

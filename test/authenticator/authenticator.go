// Package authenticator is a WebAuthn authenticator and the browser before it,
// in software, for tests: it makes passkeys (ES256, attestation "none") and
// answers with them, correctly or with one thing wrong.
//
// It follows WebAuthn Level 3 (https://www.w3.org/TR/webauthn-3/) as far as the
// gateway's ceremonies go, and shares no code with what checks it. It
// deliberately keeps keys in memory only and protects nothing.
package authenticator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Flags of authenticator data, section 6.1.
const (
	UserPresent  = 1 << 0
	UserVerified = 1 << 2
	withKey      = 1 << 6 // attested credential data follows
)

// Key is one passkey.
type Key struct {
	ID      []byte
	User    []byte // user handle
	RPID    string
	Count   uint32
	private *ecdsa.PrivateKey
}

// Device is an authenticator with its browser, which shows one page's origin.
type Device struct {
	Origin string
	Keys   []*Key
}

// Answer is what is about to be answered; a test changes one thing in it.
type Answer struct {
	Type, Origin, RPID string
	Challenge          []byte
	CrossOrigin        bool
	TopOrigin          string
	Flags              byte
	Count              uint32
	Algorithm          int64 // of a new key, as COSE says it
	Credential, User   []byte
	Signer             *Key // who signs
	Spoil              bool // the signature
}

// options is what the page asks for.
type options struct {
	PublicKey struct {
		Challenge string
		RPID      string `json:"rpId"`
		RP        struct{ ID string }
		User      struct{ ID string }
	}
}

func read(text []byte) (o options, challenge []byte, err error) {
	if err := json.Unmarshal(text, &o); err != nil {
		return o, nil, fmt.Errorf("read the options: %w", err)
	}
	challenge, err = base64.RawURLEncoding.DecodeString(o.PublicKey.Challenge)
	return o, challenge, err
}

// Create makes a passkey and answers navigator.credentials.create().
func (d *Device) Create(text []byte, change func(*Answer)) ([]byte, error) {
	o, challenge, err := read(text)
	if err != nil {
		return nil, err
	}
	user, err := base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID)
	if err != nil {
		return nil, fmt.Errorf("read the user handle: %w", err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &Key{ID: make([]byte, 32), User: user, RPID: o.PublicKey.RP.ID, private: private}
	if _, err := rand.Read(k.ID); err != nil {
		return nil, err
	}
	a := &Answer{Type: "webauthn.create", Origin: d.Origin, RPID: k.RPID, Challenge: challenge, Flags: UserPresent | UserVerified, Algorithm: -7, Credential: k.ID}
	if change != nil {
		change(a)
	}
	public, err := cose(&private.PublicKey, a.Algorithm)
	if err != nil {
		return nil, err
	}
	data := append(a.data(a.Flags|withKey), make([]byte, 16)...) // an AAGUID of zeros: it does not say what it is
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.Credential)))
	data = append(append(data, a.Credential...), public...)
	attestation := head(5, 3)
	attestation = append(attestation, textItem("fmt")...)
	attestation = append(attestation, textItem("none")...)
	attestation = append(attestation, textItem("attStmt")...)
	attestation = append(attestation, head(5, 0)...)
	attestation = append(attestation, textItem("authData")...)
	attestation = append(append(attestation, head(2, len(data))...), data...)
	d.Keys = append(d.Keys, k)
	return a.reply(map[string]any{"attestationObject": encode(attestation), "transports": []string{"internal"}})
}

// Get answers navigator.credentials.get() with the newest passkey of the site.
func (d *Device) Get(text []byte, change func(*Answer)) ([]byte, error) {
	o, challenge, err := read(text)
	if err != nil {
		return nil, err
	}
	var k *Key
	for _, have := range d.Keys {
		if have.RPID == o.PublicKey.RPID {
			k = have
		}
	}
	if k == nil {
		return nil, errors.New("there is no passkey for " + o.PublicKey.RPID)
	}
	k.Count++
	a := &Answer{Type: "webauthn.get", Origin: d.Origin, RPID: k.RPID, Challenge: challenge, Flags: UserPresent | UserVerified, Count: k.Count,
		Credential: k.ID, User: k.User, Signer: k}
	if change != nil {
		change(a)
	}
	data := a.data(a.Flags)
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.Signer.private, sum[:])
	if err != nil {
		return nil, err
	}
	if a.Spoil {
		signature[len(signature)-1] ^= 1
	}
	members := map[string]any{"authenticatorData": encode(data), "signature": encode(signature)}
	if a.User != nil {
		members["userHandle"] = encode(a.User)
	}
	return a.reply(members)
}

// data is authenticator data without a key.
func (a *Answer) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.RPID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.Count)
}

func (a *Answer) client() ([]byte, error) {
	c := map[string]any{"type": a.Type, "challenge": encode(a.Challenge), "origin": a.Origin, "crossOrigin": a.CrossOrigin}
	if a.TopOrigin != "" {
		c["topOrigin"] = a.TopOrigin
	}
	return json.Marshal(c)
}

func (a *Answer) reply(members map[string]any) ([]byte, error) {
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	members["clientDataJSON"] = encode(client)
	return json.Marshal(map[string]any{"id": encode(a.Credential), "rawId": encode(a.Credential), "type": "public-key",
		"response": members, "clientExtensionResults": map[string]any{}, "authenticatorAttachment": "platform"})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// cose is a public key of P-256 as RFC 9053 section 7.1 writes it.
func cose(k *ecdsa.PublicKey, algorithm int64) ([]byte, error) {
	point, err := k.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	out := head(5, 5)
	out = append(append(out, number(1)...), number(2)...)         // kty: EC2
	out = append(append(out, number(3)...), number(algorithm)...) // alg
	out = append(append(out, number(-1)...), number(1)...)        // crv: P-256
	for i, at := range []int{1, 33} {
		out = append(append(out, number(int64(-2-i))...), head(2, 32)...)
		out = append(out, point[at:at+32]...)
	}
	return out, nil
}

// head is the head of a CBOR item (RFC 8949).
func head(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 256:
		return []byte{major<<5 | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
}

func number(n int64) []byte {
	if n < 0 {
		return head(1, int(-1-n))
	}
	return head(0, int(n))
}

func textItem(s string) []byte { return append(head(3, len(s)), s...) }

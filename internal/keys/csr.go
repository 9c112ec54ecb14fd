package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Request is the public key of a certificate request whose signature was
// checked. Nothing else of it counts: who a certificate names is decided here,
// never by who asks (TestEnrolIgnoresNames).
type Request struct{ public crypto.PublicKey }

// maxRequest bounds a certificate request, bytes: one of the keys below needs
// less than 2 KiB.
const maxRequest = 16 << 10

// Errors of certificate requests. They tell an honest caller what to change.
var (
	ErrRequest     = errors.New("not one certificate request in PEM (PKCS #10)")
	ErrRequestKey  = errors.New("the key must be P-256, P-384 or Ed25519")
	ErrRequestSign = errors.New("the request is not signed by its own key")
)

// ParseRequest reads one certificate request in PEM. Keys of other kinds are
// refused: short ones because they are weak, long ones because verifying them is
// work that a caller could order in bulk.
func ParseRequest(text []byte) (Request, error) {
	if len(text) > maxRequest {
		return Request{}, ErrRequest
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return Request{}, ErrRequest
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Request{}, ErrRequest
	}
	switch key := csr.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return Request{}, ErrRequestKey
		}
	default:
		return Request{}, ErrRequestKey
	}
	if err := csr.CheckSignature(); err != nil {
		return Request{}, ErrRequestSign
	}
	return Request{csr.PublicKey}, nil
}

// Issued is a certificate for a key that we never had.
type Issued struct {
	Chain    []byte // PEM: leaf, then its issuer
	Serial   string
	NotAfter time.Time
}

// Component says what a certificate is issued to: kind is client, server,
// gateway or person.
type Component struct {
	Kind, Name string
	Hosts      []string // DNS names and IP addresses; servers only
	Life       time.Duration
}

// issuer returns who signs it: a server has host names, which the issuer of
// agents must not name.
func (to Component) issuer() IssuerUse {
	if to.Kind == "server" {
		return ForListeners
	}
	return ForAgents
}

// Enrol certifies the key of r for a component.
func (c *CA) Enrol(r Request, to Component, now time.Time) (Issued, error) {
	if r.public == nil {
		return Issued{}, ErrRequest
	}
	t, err := c.template(to, now)
	if err != nil {
		return Issued{}, err
	}
	leaf, issuer, err := c.certify(to.issuer(), t, r.public, now)
	if err != nil {
		return Issued{}, err
	}
	return issuedOf(leaf, issuer), nil
}

// IssueComponent makes a certificate with a new key, PKCS #8 in PEM.
func (c *CA) IssueComponent(to Component, now time.Time) (out Issued, keyPEM []byte, err error) {
	t, err := c.template(to, now)
	if err != nil {
		return out, nil, err
	}
	leaf, issuer, err := c.issue(to.issuer(), t, now)
	if err != nil {
		return out, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		return out, nil, fmt.Errorf("issue certificate: %w", err)
	}
	return issuedOf(leaf.cert, issuer), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func issuedOf(leaf, issuer *x509.Certificate) Issued {
	return Issued{Chain: append(certPEM(leaf.Raw), certPEM(issuer.Raw)...), Serial: Serial(leaf), NotAfter: leaf.NotAfter}
}

// template is the leaf of a component. A server's is for both ends, because it
// renews itself with it; its id of kind server makes it no client of ours.
func (c *CA) template(to Component, now time.Time) (*x509.Certificate, error) {
	t := leafTemplate(to.Life, now)
	t.URIs = []*url.URL{c.ID(to.Kind, to.Name)}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	switch to.Kind {
	case "client", "gateway", "person":
		if len(to.Hosts) > 0 {
			return nil, errors.New("issue certificate: only servers have host names")
		}
	case "server":
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		addHosts(t, to.Hosts)
	default:
		return nil, errors.New("issue certificate: no such kind of component")
	}
	return t, nil
}

func addHosts(t *x509.Certificate, hosts []string) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
}

// Backdate is how long before its issue a certificate begins.
const Backdate = caBackdate

// Ended is a certificate that was revoked before it ended.
type Ended struct {
	Serial string
	At     time.Time
}

// CRL signs an issuer's list of revoked certificates, in DER. Its number grows
// with time; it is to be fetched again after life.
func (c *CA) CRL(use IssuerUse, all []Ended, life time.Duration, now time.Time) ([]byte, error) {
	by, err := c.current(use, now)
	if err != nil {
		return nil, fmt.Errorf("sign revocation list: %w", err)
	}
	list := &x509.RevocationList{Number: big.NewInt(now.UnixNano()), ThisUpdate: now.Add(-caBackdate), NextUpdate: now.Add(life)}
	for _, e := range all {
		raw, err := hex.DecodeString(evened(e.Serial))
		if err != nil {
			return nil, fmt.Errorf("sign revocation list: %w", err)
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(raw), RevocationTime: e.At})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.cert, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign revocation list: %w", err)
	}
	return der, nil
}

func evened(hex string) string {
	if len(hex)%2 == 1 {
		return "0" + hex
	}
	return hex
}

// JoinPrefix begins join tokens, so that one is never taken for an API token.
const JoinPrefix = "ostj_"

// NewJoinToken makes a join token and returns it with its id and keyed hash.
func (r *Ring) NewJoinToken() (token, id string, hash []byte) {
	token = JoinPrefix + r.NewSecret()
	return token, JoinID(token), r.HashToken(token)
}

// JoinID names a join token in the store: it tells nothing of the token.
func JoinID(token string) string {
	sum := sha256.Sum256([]byte("ostiary join token id\x00" + token))
	return hex.EncodeToString(sum[:8])
}

package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"filippo.io/age"
)

// OfflineRoot is a root whose key was taken away from its gateway. It makes
// issuers for it, on a machine that has nothing else of the gateway.
type OfflineRoot struct{ s *signer }

// String keeps the key out of anything that prints it.
func (r *OfflineRoot) String() string { return "[root key]" }

// GoString keeps the key out of %#v.
func (r *OfflineRoot) GoString() string { return r.String() }

// Unsealing opens an exported root: exactly one is set.
type Unsealing struct {
	Identities []byte // an age identity file
	Passphrase []byte
}

// ErrSealedRoot says that a file is no exported root, or is sealed to somebody
// else.
var ErrSealedRoot = errors.New("the file is no exported root, or is not sealed to this identity or passphrase")

// OpenOfflineRoot opens what ExportRoot wrote.
func OpenOfflineRoot(sealed []byte, with Unsealing) (*OfflineRoot, error) {
	if err := strict("an exported root"); err != nil {
		return nil, err
	}
	ids, err := with.identities()
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	if err != nil {
		return nil, ErrSealedRoot
	}
	plain, err := io.ReadAll(io.LimitReader(r, ageLimit))
	defer clear(plain)
	if err != nil {
		return nil, ErrSealedRoot
	}
	return parseOfflineRoot(plain)
}

func (u Unsealing) identities() ([]age.Identity, error) {
	if len(u.Passphrase) > 0 {
		phrase := bytes.TrimRight(u.Passphrase, "\r\n")
		id, err := age.NewScryptIdentity(string(phrase))
		if err != nil {
			return nil, ErrPassphrase
		}
		id.SetMaxWorkFactor(maxScrypt)
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(u.Identities))
	if err != nil {
		return nil, errors.New("it is not an age identity file")
	}
	return ids, nil
}

// parseOfflineRoot reads the root's certificate and its key, in PEM.
func parseOfflineRoot(plain []byte) (*OfflineRoot, error) {
	first, rest := pem.Decode(plain)
	second, rest := pem.Decode(rest)
	if first == nil || second == nil || first.Type != "CERTIFICATE" || second.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, ErrSealedRoot
	}
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return nil, ErrSealedRoot
	}
	key, err := parseKey(second.Bytes)
	if err != nil || !key.PublicKey.Equal(cert.PublicKey) || !cert.IsCA || len(cert.PermittedURIDomains) != 1 || cert.CheckSignatureFrom(cert) != nil {
		return nil, ErrSealedRoot
	}
	return &OfflineRoot{&signer{cert: cert, key: key}}, nil
}

// Domain returns the trust domain that the root is bound to.
func (r *OfflineRoot) Domain() string { return r.s.cert.PermittedURIDomains[0] }

// Cert returns the root's certificate.
func (r *OfflineRoot) Cert() *x509.Certificate { return r.s.cert }

// IssuerTerms bound the issuers that are made.
type IssuerTerms struct {
	Life time.Duration // 0 is a year
	// Names and Networks are what the issuer of listeners may name; none means
	// every one.
	Names    []string
	Networks []*net.IPNet
}

// maxIssuerLife bounds an issuer that is made offline.
const maxIssuerLife = 3 * 365 * 24 * time.Hour

// MadeIssuer is one that Issue made.
type MadeIssuer struct {
	Use  IssuerUse
	Cert *x509.Certificate
}

// Issue answers the requests of RequestIssuers. Of a request, its key and which
// of the two issuers it is for count; the limits come from the root.
func (r *OfflineRoot) Issue(requests []byte, terms IssuerTerms, now time.Time) (chain []byte, made []MadeIssuer, err error) {
	blocks, err := pemBlocks(requests, "CERTIFICATE REQUEST")
	if err != nil {
		return nil, nil, err
	}
	if terms.Life == 0 {
		terms.Life = caIssuerLife
	}
	if terms.Life < time.Hour || terms.Life > maxIssuerLife {
		return nil, nil, errors.New("an issuer lives between an hour and three years")
	}
	for _, der := range blocks {
		one, err := r.issue(der, terms, now)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(made, func(m MadeIssuer) bool { return m.Use == one.Use }) {
			return nil, nil, fmt.Errorf("there are two requests for %s", one.Use)
		}
		made, chain = append(made, one), append(chain, certPEM(one.Cert.Raw)...)
	}
	return chain, made, nil
}

func (r *OfflineRoot) issue(der []byte, terms IssuerTerms, now time.Time) (MadeIssuer, error) {
	csr, key, err := p256(der)
	if err != nil {
		return MadeIssuer{}, err
	}
	at := slices.IndexFunc(issuerUses, func(u IssuerUse) bool { return u.name() == csr.Subject.CommonName })
	if at < 0 || len(csr.Subject.Organization) != 1 || csr.Subject.Organization[0] != r.Domain() {
		return MadeIssuer{}, errors.New("the request is not for an issuer of this root's trust domain")
	}
	use, root := issuerUses[at], r.s.cert
	t := issuerTemplate(use, r.Domain(), earlier(now.Add(terms.Life), root.NotAfter), now)
	if use == ForListeners && len(terms.Names)+len(terms.Networks) > 0 {
		limitHosts(t, terms)
	}
	out, err := x509.CreateCertificate(rand.Reader, t, root, key, r.s.key)
	if err != nil {
		return MadeIssuer{}, fmt.Errorf("sign issuer: %w", err)
	}
	cert, err := x509.ParseCertificate(out)
	if err != nil {
		return MadeIssuer{}, fmt.Errorf("sign issuer: %w", err)
	}
	return MadeIssuer{use, cert}, nil
}

// limitHosts binds an issuer to names and networks. When there is no name, none
// may be signed, and the same for networks: what is not listed is refused.
func limitHosts(t *x509.Certificate, terms IssuerTerms) {
	t.PermittedDNSDomains, t.PermittedIPRanges = terms.Names, terms.Networks
	if len(terms.Names) == 0 {
		t.ExcludedDNSDomains = []string{""}
	}
	if len(terms.Networks) == 0 {
		t.ExcludedIPRanges = everyAddress()
	}
}

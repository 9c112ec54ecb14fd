package identity

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"
)

// SVID is a verified certificate of an outside trust domain. The zero value is
// none.
type SVID struct {
	Domain string    // its trust domain
	Who    string    // its SPIFFE id, by its keyed name: an id can name a person
	Ends   time.Time // when the certificate does

	root *x509.Certificate // that vouched for it
}

// SPIFFESource is what stands for the issuer of ids of an outside trust domain:
// no issuer of tokens has such a name.
func SPIFFESource(domain string) string { return "spiffe://" + domain }

// Errors of certificates of outside trust domains.
var (
	errSPIFFE = errors.New("not a SPIFFE id")
	errLeaf   = errors.New("the certificate is no X.509-SVID of a workload")
)

// ParseSPIFFE splits a SPIFFE id into its trust domain and its path, which
// begins with a slash. What differs in one byte is another id: nothing is
// normalised, and what would need it is refused (SPIFFE-ID, section 2).
func ParseSPIFFE(text string) (domain, path string, err error) {
	rest, ok := strings.CutPrefix(text, "spiffe://")
	if !ok || len(text) > maxSPIFFE {
		return "", "", errSPIFFE
	}
	at := strings.IndexByte(rest, '/')
	if at < 1 || at > 255 {
		return "", "", errSPIFFE
	}
	domain, path = rest[:at], rest[at:]
	for i := range len(domain) {
		if b := domain[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
			return "", "", errSPIFFE
		}
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", "", errSPIFFE
		}
		for i := range len(segment) {
			if b := segment[i]; (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
				return "", "", errSPIFFE
			}
		}
	}
	return domain, path, nil
}

// svidOf returns the SPIFFE id of a leaf: the only URI name that it has, by its
// bytes in the certificate, because a parsed URL forgets some of them. A leaf
// that could sign is refused (X.509-SVID, section 5.2).
func svidOf(leaf *x509.Certificate) (id, domain string, err error) {
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 || !forClients(leaf) {
		return "", "", errLeaf
	}
	names, err := uriNames(leaf)
	if err != nil || len(names) != 1 || len(leaf.URIs) != 1 {
		return "", "", errSANCount
	}
	if domain, _, err = ParseSPIFFE(names[0]); err != nil {
		return "", "", err
	}
	return names[0], domain, nil
}

// subjectAltName is the extension of names, and uriTag the tag of a URI in it
// (RFC 5280, 4.2.1.6).
var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

const uriTag = 6

func uriNames(leaf *x509.Certificate) ([]string, error) {
	var names []string
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(subjectAltName) {
			continue
		}
		var all []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &all); err != nil || len(rest) > 0 {
			return nil, errSANCount
		}
		for _, one := range all {
			if one.Class == asn1.ClassContextSpecific && one.Tag == uriTag {
				names = append(names, string(one.Bytes))
			}
		}
	}
	return names, nil
}

// SPIFFEOf returns the SPIFFE id of a leaf of an outside trust domain, and
// whether it is one of those that t knows: so that a handshake can say which
// rules hold for it.
func (t *Trust) SPIFFEOf(leaf *x509.Certificate) (id string, known bool) {
	if t == nil {
		return "", false
	}
	id, domain, err := svidOf(leaf)
	if err != nil {
		return "", false
	}
	return id, t.domains[domain] != nil
}

// Verify checks the chains of one leaf, each of which a handshake verified up to
// some authority that is trusted: that one of them ends in an authority of the
// very domain that the leaf names, as it is now. An authority of one domain
// never vouches for a name of another (T02, TestT02CrossDomain).
func (t *Trust) Verify(chains [][]*x509.Certificate, now time.Time) (SVID, error) {
	if t == nil || len(chains) == 0 || len(chains[0]) == 0 {
		return SVID{}, errCertificate
	}
	leaf := chains[0][0]
	id, domain, err := svidOf(leaf)
	if err != nil {
		return SVID{}, err
	}
	for _, chain := range chains {
		if len(chain) < 2 || !chain[0].Equal(leaf) {
			continue // an authority itself is nobody
		}
		if err = t.vouches(domain, chain, now); err == nil {
			return SVID{Domain: domain, Who: t.name(SPIFFESource(domain), id), Ends: leaf.NotAfter, root: chain[len(chain)-1]}, nil
		}
	}
	if err == nil {
		err = errCertificate
	}
	return SVID{}, err
}

func (t *Trust) vouches(domain string, chain []*x509.Certificate, now time.Time) error {
	if err := t.holds(domain, chain[len(chain)-1], now); err != nil {
		return err
	}
	for _, c := range chain {
		if now.Before(c.NotBefore) || !now.Before(c.NotAfter) {
			return errors.New("the certificate or an authority above it is expired or not yet valid")
		}
		if weak(c) {
			return errors.New("a key of the chain is too short")
		}
	}
	for _, ca := range chain[1:] {
		if err := ofDomain(ca, domain); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether root is an authority of the domain as of now.
func (t *Trust) holds(domain string, root *x509.Certificate, now time.Time) error {
	d := t.domains[domain]
	if d == nil {
		return errors.New("the certificate's trust domain is not trusted")
	}
	s := d.state.Load()
	if s == nil || now.Sub(s.confirmed) >= d.keep {
		return errStale
	}
	if root == nil || !slices.ContainsFunc(s.bundle.Roots, root.Equal) {
		return errors.New("the certificate is of an authority of another trust domain")
	}
	return nil
}

// Still reports whether what p's certificate was trusted for holds on.
func (t *Trust) Still(p Principal, s Directory, now time.Time) bool {
	c := p.SVID
	return t != nil && now.Before(c.Ends) && s.ForeignHolder(SPIFFESource(c.Domain), c.Who) == p.ID && t.holds(c.Domain, c.root, now) == nil
}

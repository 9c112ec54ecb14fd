package identity

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Bounds of a bundle.
const (
	MaxBundle  = 1 << 20 // bytes
	maxRoots   = 64
	maxRefresh = 30 * 24 * time.Hour
)

// Bundle is the authorities of one trust domain.
type Bundle struct {
	Roots    []*x509.Certificate
	Sequence uint64        // grows with every change; 0 = not told
	Refresh  time.Duration // when to fetch it again; 0 = not told
}

// ParseBundle reads the authorities of a trust domain: certificates in PEM, or a
// SPIFFE bundle in JSON (SPIFFE Trust Domain and Bundle, section 4). One that is
// not wholly good is refused. A SPIFFE bundle may be empty: then the domain
// vouches for nobody.
func ParseBundle(text []byte, domain string) (b Bundle, err error) {
	if len(text) > MaxBundle {
		return b, errors.New("the bundle is too long")
	}
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) {
		b, err = bundleOfJSON(trimmed)
	} else {
		b.Roots, err = rootsOfPEM(trimmed)
	}
	if err != nil {
		return Bundle{}, err
	}
	if len(b.Roots) > maxRoots {
		return Bundle{}, errors.New("the bundle has too many authorities")
	}
	for _, root := range b.Roots {
		if err := usable(root, domain); err != nil {
			return Bundle{}, err
		}
	}
	return b, nil
}

// usable returns why a certificate cannot be an authority of the domain.
func usable(root *x509.Certificate, domain string) error {
	switch {
	case !root.IsCA || !root.BasicConstraintsValid || root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("a certificate of the bundle is no authority's")
	case weak(root):
		return errors.New("a key of the bundle is too short")
	}
	return ofDomain(root, domain)
}

// ofDomain refuses an authority whose own SPIFFE id is another domain's: it
// speaks for that one (X.509-SVID, section 4.2).
func ofDomain(ca *x509.Certificate, domain string) error {
	for _, name := range ca.URIs {
		if name.Scheme == "spiffe" && name.Host != domain {
			return errors.New("an authority is of another trust domain")
		}
	}
	return nil
}

func weak(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSA
}

func rootsOfPEM(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" || len(all) == maxRoots {
			return nil, errors.New("the bundle holds something else than certificates in PEM")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the bundle: %w", err)
		}
		all, text = append(all, cert), rest
	}
	if len(all) == 0 {
		return nil, errors.New("the bundle is empty")
	}
	return all, nil
}

func bundleOfJSON(text []byte) (Bundle, error) {
	var doc struct {
		Keys *[]struct {
			Use string   `json:"use"`
			X5C [][]byte `json:"x5c"`
		} `json:"keys"`
		Sequence uint64 `json:"spiffe_sequence"`
		Refresh  uint32 `json:"spiffe_refresh_hint"` // seconds
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.Keys == nil {
		return Bundle{}, errors.New("it is no SPIFFE bundle")
	}
	b := Bundle{Sequence: doc.Sequence, Refresh: min(time.Duration(doc.Refresh)*time.Second, maxRefresh)}
	for _, k := range *doc.Keys {
		if k.Use != "x509-svid" {
			continue // of JWT-SVIDs, or of what is not known: "MUST be ignored"
		}
		if len(k.X5C) != 1 || len(b.Roots) == maxRoots {
			return Bundle{}, errors.New("an authority of the bundle is not one certificate, or there are too many")
		}
		cert, err := x509.ParseCertificate(k.X5C[0])
		if err != nil {
			return Bundle{}, fmt.Errorf("the bundle: %w", err)
		}
		b.Roots = append(b.Roots, cert)
	}
	return b, nil
}

package sealed

import (
	"cmp"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
)

// This file is the part of registry.Store that keeps credentials.

// Tokens returns all tokens by id.
func (t *tx) Tokens() (out []registry.Token, err error) {
	err = each(t, kindToken, func(v tokenRow, _ int64) error {
		if row, err := t.tokenOf(v); err == nil {
			out = append(out, row)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	slices.SortFunc(out, func(a, b registry.Token) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (t *tx) tokenOf(v tokenRow) (registry.Token, error) {
	agent, err := t.Name(v.Subject)
	if err != nil {
		return registry.Token{}, err
	}
	return registry.Token{ID: v.ID, Agent: agent, Hash: slices.Clone(v.Hash), CreatedAt: stamp(v.CreatedAt),
		ExpiresAt: stamp(v.ExpiresAt), Revoked: v.Revoked, Scope: v.Scope, Server: v.Server}, nil
}

// Token returns one token.
func (t *tx) Token(id string) (out registry.Token, err error) {
	v, _, err := get[tokenRow](t, t.key(kindToken, id))
	if err == nil {
		out, err = t.tokenOf(v)
	}
	if err != nil {
		return registry.Token{}, fmt.Errorf("token %s: %w", id, err)
	}
	return out, nil
}

// InsertToken adds a token.
func (t *tx) InsertToken(v registry.Token) error {
	err := valid(v.ID != "", "a token without an id", len(v.Hash) > 0, "a token without a hash")
	if err == nil {
		var pseudonym string
		if pseudonym, err = t.holder(v.Agent); err == nil {
			err = t.insert(t.key(kindToken, v.ID), 1, tokenRow{ID: v.ID, Subject: pseudonym, Hash: v.Hash,
				CreatedAt: nanos(v.CreatedAt), ExpiresAt: nanos(v.ExpiresAt), Revoked: v.Revoked, Scope: v.Scope, Server: v.Server})
		}
	}
	if err != nil {
		return fmt.Errorf("insert token %s: %w", v.ID, err)
	}
	t.touched.Tokens = append(t.touched.Tokens, v.ID)
	return nil
}

// RevokeToken marks a token as revoked; doing it twice is no error.
func (t *tx) RevokeToken(id string) error {
	k := t.key(kindToken, id)
	v, revision, err := get[tokenRow](t, k)
	if err == nil && !v.Revoked {
		v.Revoked = true
		err = t.update(k, revision, v)
	}
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	t.touched.Tokens = append(t.touched.Tokens, id)
	return nil
}

// Certificates returns all certificates by serial.
func (t *tx) Certificates() (out []registry.Certificate, err error) {
	err = each(t, kindCertificate, func(v certificateRow, _ int64) error {
		if row, err := t.certificateOf(v); err == nil {
			out = append(out, row)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	slices.SortFunc(out, func(a, b registry.Certificate) int { return cmp.Compare(a.Serial, b.Serial) })
	return out, nil
}

func (t *tx) certificateOf(v certificateRow) (registry.Certificate, error) {
	agent, err := t.Name(v.Subject)
	if err != nil {
		return registry.Certificate{}, err
	}
	return registry.Certificate{Serial: v.Serial, Agent: agent, NotAfter: stamp(v.NotAfter), CreatedAt: stamp(v.CreatedAt), Revoked: v.Revoked}, nil
}

// Certificate returns one certificate.
func (t *tx) Certificate(serial string) (out registry.Certificate, err error) {
	v, _, err := get[certificateRow](t, t.key(kindCertificate, serial))
	if err == nil {
		out, err = t.certificateOf(v)
	}
	if err != nil {
		return registry.Certificate{}, fmt.Errorf("certificate %s: %w", serial, err)
	}
	return out, nil
}

// InsertCertificate adds a certificate.
func (t *tx) InsertCertificate(c registry.Certificate) error {
	err := valid(c.Serial != "", "a certificate without a serial")
	if err == nil {
		var pseudonym string
		if pseudonym, err = t.holder(c.Agent); err == nil {
			err = t.insert(t.key(kindCertificate, c.Serial), 1, certificateRow{Serial: c.Serial, Subject: pseudonym,
				NotAfter: nanos(c.NotAfter), CreatedAt: nanos(c.CreatedAt), Revoked: c.Revoked})
		}
	}
	if err != nil {
		return fmt.Errorf("insert certificate %s: %w", c.Serial, err)
	}
	t.touched.Certificates = append(t.touched.Certificates, c.Serial)
	return nil
}

// DeleteCertificate removes a certificate.
func (t *tx) DeleteCertificate(serial string) error {
	if err := t.remove(t.key(kindCertificate, serial)); err != nil {
		return fmt.Errorf("delete certificate %s: %w", serial, err)
	}
	t.touched.Certificates = append(t.touched.Certificates, serial)
	return nil
}

// RevokeCertificate marks a certificate as revoked; doing it twice is no error.
func (t *tx) RevokeCertificate(serial string) error {
	k := t.key(kindCertificate, serial)
	v, revision, err := get[certificateRow](t, k)
	if err == nil && !v.Revoked {
		v.Revoked = true
		err = t.update(k, revision, v)
	}
	if err != nil {
		return fmt.Errorf("revoke certificate %s: %w", serial, err)
	}
	t.touched.Certificates = append(t.touched.Certificates, serial)
	return nil
}

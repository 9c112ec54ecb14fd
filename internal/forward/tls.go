package forward

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
)

// errPin says that a server showed a valid certificate with another key.
var errPin = errors.New("the server's key is not one of the pinned ones")

// tlsConfig returns how srv's certificate is verified. There is no way to
// switch verification off. TLS 1.2 is spoken only to a server registered so
// by name.
func tlsConfig(srv *registry.Server, name string) (*tls.Config, error) {
	c := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	if srv.TLS12 {
		c.MinVersion = tls.VersionTLS12
	}
	if srv.CAFile != "" {
		pem, err := os.ReadFile(srv.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("CA file holds no certificate")
		}
	}
	if srv.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(srv.ClientCert, srv.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if len(srv.Pins) > 0 {
		pins := slices.Clone(srv.Pins)
		// VerifyConnection also runs on resumed sessions, which
		// VerifyPeerCertificate does not (T03, T04).
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyPin(state, pins) }
	}
	return c, nil
}

// verifyPin accepts a verified leaf whose SubjectPublicKeyInfo has one of the
// pinned digests (RFC 7469, 2.4).
func verifyPin(state tls.ConnectionState, pins []string) error {
	if len(state.PeerCertificates) == 0 {
		return errPin
	}
	sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if !slices.Contains(pins, "sha256/"+base64.StdEncoding.EncodeToString(sum[:])) {
		return errPin
	}
	return nil
}

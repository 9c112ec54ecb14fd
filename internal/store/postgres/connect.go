package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bounds of the connection.
const (
	connectTimeout = 10 * time.Second // of one attempt, unless connect_timeout says another
	callTimeout    = 30 * time.Second // of one statement, with the wait for the connection
	txTimeout      = 60 * time.Second // of one transaction
	ownerWait      = 5 * time.Second  // for the process before us to let go
	maxMessage     = 256 << 20        // bytes of one message of the server; the largest is a row
	maxPEM         = 1 << 20          // bytes of a file of certificates
	application    = "ostiary"        // shown in pg_stat_activity
	blank          = "host=/ port=1 user=x password=x dbname=x passfile=/ sslmode=disable sslcert='' sslkey='' sslrootcert='' " +
		"sslcertmode=disable sslnegotiation=postgres channel_binding=prefer require_auth='' target_session_attrs=any " +
		"min_protocol_version=3.0 max_protocol_version=3.0 connect_timeout=1"
)

// Config says where the database is. It holds a password; it prints as a
// marker.
type Config struct {
	// DSN is the connection string: a postgres:// URL or key=value pairs.
	DSN string
	// Dial connects to "host:port" over TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OwnerWait is how long to wait for the process before us to let go of
	// the store. Default: 5 s.
	OwnerWait time.Duration
}

const marker = "[connection string]"

// String hides the connection string.
func (Config) String() string { return marker }

// GoString hides the connection string.
func (Config) GoString() string { return marker }

// LogValue hides the connection string.
func (Config) LogValue() slog.Value { return slog.StringValue(marker) }

// settings turns c into the client's own form. The client would fill gaps from
// the environment, the home directory and service files; it gets none to fill,
// and every field that matters is set here.
func (c Config) settings() (*pgx.ConnConfig, error) {
	t, err := parse(c.DSN)
	if err != nil {
		return nil, err
	}
	pc, err := pgx.ParseConfig(blank)
	if err != nil {
		return nil, fmt.Errorf("%w: variables named PG... are in the way; unset PGSERVICE and PGSERVICEFILE", ErrDSN)
	}
	pc.Host, pc.Port, pc.User, pc.Password, pc.Database = t.host, t.port, t.user, t.password, t.database
	if t.host == "localhost" {
		pc.Host = "127.0.0.1" // never looked up
	}
	pc.Fallbacks, pc.ValidateConnect, pc.ConnectTimeout = nil, nil, t.timeout
	pc.SSLCertMode = "allow" // a client certificate is sent when one is named
	pc.MaxProtocolMessageBodyLen = maxMessage
	pc.RuntimeParams = map[string]string{"application_name": application, "client_encoding": "UTF8"}
	if pc.TLSConfig, err = t.tls(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDSN, err)
	}
	// Whoever dials also looks up, so that what was vetted is what is dialled.
	pc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	pc.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !t.socket {
			return c.Dial(ctx, network, address)
		}
		path := t.host + "/.s.PGSQL." + strconv.Itoa(int(t.port))
		return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	}
	return pc, nil
}

// tls returns the settings of TLS, nil for none.
func (t target) tls() (*tls.Config, error) {
	if !t.verified {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS13}
	if t.tls12 {
		config.MinVersion = tls.VersionTLS12
	}
	if t.rootCert != "" {
		text, err := readPEM(t.rootCert)
		if err != nil {
			return nil, fmt.Errorf("sslrootcert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("sslrootcert: the file holds no certificate")
		}
	}
	if t.cert != "" {
		cert, err := readPEM(t.cert)
		if err != nil {
			return nil, fmt.Errorf("sslcert: %w", err)
		}
		key, err := readPEM(t.key)
		if err != nil {
			return nil, fmt.Errorf("sslkey: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("sslcert and sslkey: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxPEM {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxPEM)
	}
	return text, nil
}

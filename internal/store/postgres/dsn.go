package postgres

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDSN bounds a connection string, in bytes.
const maxDSN = 8 << 10

// target is where the database is and how it is reached.
type target struct {
	host     string // DNS name or address; the folder when socket
	socket   bool   // over a unix socket, which no network can reach
	port     uint16
	user     string
	password string
	database string
	timeout  time.Duration // of one attempt to connect

	verified bool   // TLS with name and chain verified; else plain
	rootCert string // path of a PEM bundle; "" = the system's authorities
	cert     string // path of the client's PEM chain, "" = none
	key      string // path of its PEM key
	tls12    bool   // TLS 1.2 is enough
}

// keywords are the settings that a connection string may hold; all else is
// refused, so that none loosens or redirects the connection unseen.
var keywords = []string{"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey",
	"ssl_min_protocol_version", "connect_timeout"}

// parse reads a connection string in one of libpq's two forms, a URL or
// keywords with values (PostgreSQL 15, 34.1.1). Unlike libpq it takes nothing
// from the environment or the home directory, and knows one host only. Its
// errors wrap ErrDSN and repeat nothing of the text, which holds a password.
func parse(dsn string) (target, error) {
	t, err := read(dsn)
	if err != nil {
		return target{}, fmt.Errorf("%w: %w", ErrDSN, err)
	}
	return t, nil
}

func read(dsn string) (target, error) {
	if len(dsn) > maxDSN {
		return target{}, fmt.Errorf("it is longer than %d bytes", maxDSN)
	}
	if strings.ContainsFunc(dsn, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return target{}, errors.New("it holds control characters")
	}
	settings, err := keywordForm(dsn)
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		settings, err = urlForm(dsn)
	}
	if err != nil {
		return target{}, err
	}
	var t target
	for _, set := range []func(map[string]string) error{t.setPlace, t.setTLS} {
		if err := set(settings); err != nil {
			return target{}, err
		}
	}
	return t, nil
}

// urlForm reads postgres://user:password@host:port/database?key=value.
func urlForm(dsn string) (map[string]string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, errors.New("it is not a URL; write postgres://USER:PASSWORD@HOST:PORT/DATABASE with special characters as %XX")
	}
	settings := map[string]string{}
	if u.User != nil {
		settings["user"] = u.User.Username()
		if password, set := u.User.Password(); set {
			settings["password"] = password
		}
	}
	for key, value := range map[string]string{"host": u.Hostname(), "port": u.Port(), "dbname": strings.TrimPrefix(u.Path, "/")} {
		if value != "" {
			settings[key] = value
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("what follows the ? is not key=value&key=value")
	}
	for key, values := range query {
		if len(values) != 1 {
			return nil, errors.New("it sets a key twice")
		}
		if err := add(settings, key, values[0]); err != nil {
			return nil, err
		}
	}
	return settings, nil
}

// keywordForm reads key=value pairs that are parted by spaces. A value may
// stand in single quotes; a backslash takes the next character as it is.
func keywordForm(dsn string) (map[string]string, error) {
	settings := map[string]string{}
	rest := strings.TrimLeft(dsn, " ")
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errors.New("it is neither a postgres:// URL nor key=value pairs")
		}
		value, left, err := word(strings.TrimLeft(after, " "))
		if err != nil {
			return nil, err
		}
		if err := add(settings, strings.TrimRight(key, " "), value); err != nil {
			return nil, err
		}
		rest = strings.TrimLeft(left, " ")
	}
	return settings, nil
}

// word reads one value at the start of s and returns what follows it.
func word(s string) (value, rest string, err error) {
	quoted, start := false, 0
	if strings.HasPrefix(s, "'") {
		quoted, start = true, 1
	}
	var b strings.Builder
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) {
				return "", "", errors.New("it ends in a backslash")
			}
			b.WriteByte(s[i])
		case quoted && c == '\'':
			if rest = s[i+1:]; rest != "" && rest[0] != ' ' {
				return "", "", errors.New("something follows a closing quote")
			}
			return b.String(), rest, nil
		case !quoted && c == ' ':
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("a quote is not closed")
	}
	return b.String(), "", nil
}

func add(settings map[string]string, key, value string) error {
	if !slices.Contains(keywords, key) {
		return fmt.Errorf("it sets a key that is not supported; supported are %s", strings.Join(keywords, ", "))
	}
	if _, twice := settings[key]; twice {
		return fmt.Errorf("it sets %s twice", key)
	}
	settings[key] = value
	return nil
}

// setPlace takes everything but TLS.
func (t *target) setPlace(settings map[string]string) error {
	t.host, t.user, t.password = settings["host"], settings["user"], settings["password"]
	t.socket = strings.HasPrefix(t.host, "/")
	switch {
	case t.host == "":
		return errors.New("it names no host")
	case strings.ContainsAny(t.host, ", "):
		return errors.New("it names several hosts; name one")
	case t.user == "":
		return errors.New("it names no user")
	case strings.ContainsRune(t.host+t.user+t.password+settings["dbname"], 0):
		return errors.New("it holds a zero byte")
	}
	t.database = settings["dbname"]
	if t.database == "" {
		t.database = t.user // as libpq does
	}
	t.port = 5432
	if text, set := settings["port"]; set {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return errors.New("its port is not a number between 1 and 65535")
		}
		t.port = uint16(n)
	}
	t.timeout = connectTimeout
	if text, set := settings["connect_timeout"]; set {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n == 0 || time.Duration(n)*time.Second > callTimeout {
			return fmt.Errorf("its connect_timeout is not between 1 and %d seconds", callTimeout/time.Second)
		}
		t.timeout = time.Duration(n) * time.Second
	}
	return nil
}

// setTLS takes the settings of TLS. Over a network the server's name and chain
// are verified, whatever the text says: anything less lets who sits between
// read the password and answer in the server's name
// (TestNetworkNeedsVerifiedTLS).
func (t *target) setTLS(settings map[string]string) error {
	near := t.socket || isLoopback(t.host)
	mode, set := settings["sslmode"]
	switch {
	case mode == "verify-full" && t.socket:
		return errors.New("a unix socket has no TLS; leave sslmode out")
	case mode == "verify-full", !set && !near:
		t.verified = true
	case !near:
		return errors.New("its host is not on this machine, so its sslmode must be verify-full")
	case set && mode != "disable":
		return errors.New("its sslmode must be verify-full, or disable on a loopback address or unix socket")
	}
	t.rootCert, t.cert, t.key = settings["sslrootcert"], settings["sslcert"], settings["sslkey"]
	if t.rootCert == "system" {
		t.rootCert = ""
	}
	for _, path := range []string{t.rootCert, t.cert, t.key} {
		if path != "" && !t.verified {
			return errors.New("it names certificates but uses no TLS; set sslmode to verify-full")
		}
	}
	if (t.cert == "") != (t.key == "") {
		return errors.New("sslcert and sslkey belong together")
	}
	switch settings["ssl_min_protocol_version"] {
	case "", "TLSv1.3":
	case "TLSv1.2":
		t.tls12 = true
	default:
		return errors.New("its ssl_min_protocol_version must be TLSv1.3 or TLSv1.2")
	}
	return nil
}

// isLoopback accepts literal loopback addresses, and localhost, which is never
// looked up.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback() && ip.Zone() == ""
}

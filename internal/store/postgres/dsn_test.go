package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	base := target{host: "127.0.0.1", port: 5432, user: "u", database: "u", timeout: connectTimeout}
	with := func(change func(*target)) target {
		out := base
		change(&out)
		return out
	}
	for dsn, want := range map[string]target{
		"postgres://u@127.0.0.1":                 base,
		"postgresql://u@127.0.0.1:5432/u":        base,
		"host=127.0.0.1 user=u":                  base,
		"  host = 127.0.0.1   user = u  ":        base,
		"host='127.0.0.1' user='u' dbname=''":    base,
		"postgres://u@127.0.0.1?sslmode=disable": base,
		"postgres://u:p%40%2F%20@127.0.0.1:1/d": with(func(t *target) {
			t.password, t.port, t.database = "p@/ ", 1, "d"
		}),
		`host=127.0.0.1 user=u password='it\'s \\ a=b'`: with(func(t *target) { t.password = `it's \ a=b` }),
		`host=127.0.0.1 user=u password=a\ b`:           with(func(t *target) { t.password = "a b" }),
		"postgres://u@127.0.0.1?connect_timeout=3":      with(func(t *target) { t.timeout = 3 * time.Second }),
		"postgres://u@[::1]":                            with(func(t *target) { t.host = "::1" }),
		"postgres://u@localhost":                        with(func(t *target) { t.host = "localhost" }),
		"postgres://u@/?host=/run/pg":                   with(func(t *target) { t.host, t.socket = "/run/pg", true }),
		"postgres://u@127.0.0.1?sslmode=verify-full":    with(func(t *target) { t.verified = true }),
		"postgres://u@db.example":                       with(func(t *target) { t.host, t.verified = "db.example", true }),
		"postgres://u@10.0.0.1?sslmode=verify-full&sslrootcert=system&ssl_min_protocol_version=TLSv1.2": with(func(t *target) {
			t.host, t.verified, t.tls12 = "10.0.0.1", true, true
		}),
		"postgres://u@db.example?sslrootcert=/r&sslcert=/c&sslkey=/k": with(func(t *target) {
			t.host, t.verified, t.rootCert, t.cert, t.key = "db.example", true, "/r", "/c", "/k"
		}),
	} {
		if got, err := parse(dsn); err != nil || got != want {
			t.Errorf("%s:\ngot  %+v (%v)\nwant %+v", dsn, got, err, want)
		}
	}
}

// TestNetworkNeedsVerifiedTLS: no spelling reaches another machine without a
// verified certificate.
func TestNetworkNeedsVerifiedTLS(t *testing.T) {
	for _, host := range []string{"db.example", "10.0.0.1", "localhost.example", "LOCALHOST", "127.0.0.1.example", "[fe80::1]", "0.0.0.0", "[::]"} {
		for _, mode := range []string{"disable", "allow", "prefer", "require", "verify-ca", "", "VERIFY-FULL"} {
			if _, err := parse("postgres://u:p@" + host + "/d?sslmode=" + mode); !errors.Is(err, ErrDSN) {
				t.Errorf("%s with %q: %v", host, mode, err)
			}
		}
		if got, err := parse("postgres://u:p@" + host + "/d"); err != nil || !got.verified {
			t.Errorf("%s: %+v, %v", host, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, dsn := range map[string]string{
		"nothing":                 "",
		"no host":                 "postgres://canary@/d",
		"no user":                 "postgres://127.0.0.1/canary",
		"two hosts":               "postgres://u:canary@127.0.0.1:1,127.0.0.2:2/d",
		"two hosts in keywords":   "host=127.0.0.1,127.0.0.2 user=u password=canary",
		"a bad URL":               "postgres://u:canary%@127.0.0.1",
		"a slash in the password": "postgres://u:can/ary@127.0.0.1/d",
		"a port of letters":       "host=127.0.0.1 user=u port=canary",
		"port zero":               "postgres://u:canary@127.0.0.1:0/d",
		"a port too high":         "postgres://u:canary@127.0.0.1:65536/d",
		"an unknown key":          "postgres://u@127.0.0.1/d?canary=canary",
		"a service":               "service=canary host=127.0.0.1 user=u",
		"a file of passwords":     "passfile=canary host=127.0.0.1 user=u",
		"options of the server":   "postgres://u@127.0.0.1/d?options=-c%20canary",
		"another schema":          "postgres://u@127.0.0.1/d?search_path=canary",
		"a key twice":             "postgres://u@127.0.0.1/d?host=canary",
		"a keyword twice":         "host=127.0.0.1 host=canary user=u",
		"a fragment":              "postgres://u@127.0.0.1/d#canary",
		"an open quote":           "host=127.0.0.1 user=u password='canary",
		"text after a quote":      "host=127.0.0.1 user='u'canary",
		"an open escape":          `host=127.0.0.1 user=u password=canary\`,
		"a word alone":            "canary",
		"another scheme":          "mysql://u:canary@127.0.0.1/d",
		"a line end":              "host=127.0.0.1 user=u password=canary\n",
		"a zero byte":             "postgres://u:canary%00@127.0.0.1/d",
		"too long a wait":         "postgres://u:canary@127.0.0.1/d?connect_timeout=31",
		"a wait for ever":         "postgres://u:canary@127.0.0.1/d?connect_timeout=0",
		"half a certificate":      "postgres://u:canary@db.example/d?sslcert=/c",
		"a certificate unused":    "postgres://u:canary@127.0.0.1/d?sslrootcert=/c",
		"old TLS":                 "postgres://u:canary@db.example/d?ssl_min_protocol_version=TLSv1.1",
		"TLS over a socket":       "host=/run/pg user=u password=canary sslmode=verify-full",
		"half of TLS on loopback": "postgres://u:canary@127.0.0.1/d?sslmode=prefer",
		"a very long one":         "host=127.0.0.1 user=u password=" + strings.Repeat("canary", 2000),
	} {
		got, err := parse(dsn)
		if !errors.Is(err, ErrDSN) {
			t.Errorf("%s: %+v, %v", name, got, err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error repeats the text: %v", name, err)
		}
	}
}

func TestConfigIsNotPrinted(t *testing.T) {
	c := Config{DSN: "canary"}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(form, c); strings.Contains(text, "canary") {
			t.Errorf("%s prints %s", form, text)
		}
	}
	if text := c.LogValue().String(); text != marker {
		t.Errorf("logged as %s", text)
	}
}

// FuzzParse: what is accepted is whole, and reaches another machine only with
// verified TLS.
func FuzzParse(f *testing.F) {
	for _, dsn := range []string{"postgres://u:p@127.0.0.1:5432/d?sslmode=disable", `host=/run/pg user='u' password=a\ b`,
		"postgresql://u@db.example/d?sslrootcert=/r", "host=localhost user=u sslmode=verify-full"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		got, err := parse(dsn)
		if err != nil {
			if !errors.Is(err, ErrDSN) || got != (target{}) {
				t.Fatalf("%v with %+v", err, got)
			}
			return
		}
		if got.host == "" || got.user == "" || got.database == "" || got.port == 0 || got.timeout <= 0 {
			t.Fatalf("%+v", got)
		}
		if !got.verified && !got.socket && !isLoopback(got.host) {
			t.Fatalf("%s is reached in the clear", got.host)
		}
	})
}

package app

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// Parse reads the text of a configuration file. name stands in the problems.
// environ, which may be nil, returns environment variables. The error is
// Problems with everything wrong at once; Parse has no side effects.
func Parse(name string, text []byte, environ func(string) (string, bool)) (*Config, error) {
	c := &Config{}
	d := &decoder{file: name, places: map[string]place{}}
	d.decode(text, c)
	if len(d.problems) > 0 && c.Version == 0 && len(d.places) == 0 {
		return nil, d.problems
	}
	if environ != nil {
		d.environment(c, environ)
	}
	d.validate(c)
	if len(d.problems) > 0 {
		return nil, d.problems.Sorted()
	}
	c.fill()
	return c, nil
}

// validate checks what every value means.
func (d *decoder) validate(c *Config) {
	d.ranges("", reflect.ValueOf(c).Elem())
	d.listeners(c.Listeners)
	for i, p := range c.TrustedProxies {
		d.check(fmt.Sprintf("trusted_proxies[%d]", i), p, prefix)
	}
	d.check("telemetry.otlp_endpoint", c.Telemetry.OTLPEndpoint, func(s string) error {
		return collector(s, c.Telemetry.Private)
	})
	d.root(c.Keys.Root)
	d.store(c.Store)
	d.issuers(c.Identity.Issuers)
	d.trust(c.Identity)
	d.check("identity.trust_domain", c.Identity.TrustDomain, keys.CheckTrustDomain)
	d.audit(c.Audit)
	d.approvals(c.Approvals)
	d.privacy(c.Privacy)
	d.sidecar(c.Privacy.Sidecar)
	for i, r := range c.Backup.Recipients {
		d.check(fmt.Sprintf("backup.recipients[%d]", i), r, backup.CheckRecipient)
	}
	names := map[string]int{}
	for i, s := range c.Servers {
		key := fmt.Sprintf("servers[%d]", i)
		if first, dup := names[s.Name]; dup && s.Name != "" {
			d.problem(key+".name", fmt.Sprintf("is the name of servers[%d] already", first))
		}
		names[s.Name] = i
		d.server(key, s)
	}
}

func (d *decoder) store(s StoreConfig) {
	switch {
	case s.Driver == driverPostgres && s.DSN == "":
		d.problem("store.dsn", "is missing; write a reference to the connection string, env:NAME or file:PATH")
	case s.Driver != driverPostgres && s.DSN != "":
		d.problem("store.dsn", "belongs to driver: postgres")
	}
	d.check("store.dsn", s.DSN, reference)
	if s.Driver != driverPostgres && (s.Replicas || s.Follow != "") {
		d.problem("store", "replicas and follow belong to driver: postgres")
	}
	if s.Replicas && s.Follow != "" {
		d.problem("store.follow", "one gateway owns the store, and says replicas; the others follow")
	}
}

func (d *decoder) approvals(c ApprovalsConfig) {
	w := c.Webhook
	d.check("approvals.webhook.secret", w.Secret, reference)
	if w.URL == "" {
		return
	}
	if _, err := egress.CheckURL(w.URL, w.Private); err != nil {
		d.problem("approvals.webhook.url", "cannot be used: "+err.Error())
	} else if !w.Private && !strings.HasPrefix(w.URL, "https://") {
		d.problem("approvals.webhook.url", "must be an https URL")
	}
	if w.Secret == "" {
		d.problem("approvals.webhook.secret", "is missing; write env:NAME or file:PATH")
	}
}

func (d *decoder) audit(a Audit) {
	d.check("audit.witness_policy", a.WitnessPolicy, fileReference)
	d.check("audit.witness_ca", a.WitnessCA, fileReference)
	for i, id := range a.Readers {
		d.check(fmt.Sprintf("audit.readers[%d]", i), id, registry.ValidID)
	}
}

// problem reports key at the nearest place that the file has for it.
func (d *decoder) problem(key, text string) {
	for _, p := range d.problems {
		if p.Key == key {
			return // one problem for each key is enough
		}
	}
	at := key
	for {
		if p, ok := d.places[at]; ok || at == "" {
			d.add(key, p, text)
			return
		}
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
}

// check runs test on a value that is set.
func (d *decoder) check(key, value string, test func(string) error) {
	if value == "" {
		return
	}
	if err := test(value); err != nil {
		d.problem(key, err.Error())
	}
}

// ranges checks the tags enum, min and max of every field below v.
func (d *decoder) ranges(key string, v reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		path := join(key, tag.Get("yaml"))
		switch {
		case f.Kind() == reflect.Struct:
			d.ranges(path, f)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				d.ranges(fmt.Sprintf("%s[%d]", path, j), f.Index(j))
			}
		case tag.Get("enum") != "":
			d.enum(path, f, tag.Get("enum"))
		case tag.Get("max") != "":
			d.limits(path, f, tag)
		}
	}
}

func (d *decoder) enum(path string, f reflect.Value, allowed string) {
	if _, set := d.places[path]; !set {
		return
	}
	got := fmt.Sprint(f.Interface())
	if path == "mode" && got == "observe" {
		d.problem(path, "observe is not yet available; write enforce")
		return
	}
	for _, one := range strings.Split(allowed, ",") {
		if got == one {
			return
		}
	}
	d.problem(path, "must be "+strings.ReplaceAll(allowed, ",", " or "))
}

// limits checks that a number that the file sets lies within its bounds.
func (d *decoder) limits(path string, f reflect.Value, tag reflect.StructTag) {
	if _, set := d.places[path]; !set {
		return
	}
	var err error
	switch n := f.Interface().(type) {
	case int:
		err = bound(int64(n), number(tag.Get("min")), number(tag.Get("max")), decimal)
	case Size:
		err = bound(int64(n), number(tag.Get("min")), number(tag.Get("max")),
			func(n int64) string { return Size(n).String() })
	case Duration:
		lo, _ := ParseDuration(tag.Get("min"))
		hi, _ := ParseDuration(tag.Get("max"))
		err = bound(int64(n), int64(lo), int64(hi), func(n int64) string { return Duration(n).String() })
	case *float64:
		if n != nil && (*n < 0 || *n > 1) {
			err = errors.New("must be between 0 and 1")
		}
	}
	if err != nil {
		d.problem(path, err.Error())
	}
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func (d *decoder) listeners(l Listeners) {
	d.check("listeners.data.address", l.Data.Address, address)
	d.check("listeners.admin.address", l.Admin.Address, address)
	d.check("listeners.health.address", l.Health.Address, address)
	d.check("listeners.data.public_url", l.Data.PublicURL, publicURL)
	for i, n := range l.Data.Names {
		d.check(fmt.Sprintf("listeners.data.names[%d]", i), n, hostName)
	}
	for i, o := range l.Data.CORSOrigins {
		d.check(fmt.Sprintf("listeners.data.cors_origins[%d]", i), o, origin)
	}
	d.check("listeners.data.tls.cert", l.Data.TLS.Cert, fileReference)
	d.check("listeners.data.tls.key", l.Data.TLS.Key, fileReference)
	if (l.Data.TLS.Cert == "") != (l.Data.TLS.Key == "") {
		d.problem("listeners.data.tls", "needs both cert and key, or neither")
	}
	d.local(l.Local)
	used := map[string]string{}
	for _, one := range [][2]string{
		{"data", l.Data.Address}, {"admin", l.Admin.Address}, {"health", l.Health.Address}, {"local", l.Local.Address},
	} {
		if other, dup := used[one[1]]; dup && one[1] != "" && !strings.HasSuffix(one[1], ":0") {
			d.problem("listeners."+one[0]+".address", "is the address of listeners."+other+" already")
		}
		used[one[1]] = one[0]
	}
}

func (d *decoder) local(l LocalListener) {
	if l == (LocalListener{}) {
		return
	}
	switch {
	case l.Address == "":
		d.problem("listeners.local.address", "is missing")
	case l.Plaintext == "":
		d.problem("listeners.local.plaintext", "is missing; write plaintext: loopback to say that this is wanted")
	case l.Agent == "":
		d.problem("listeners.local.agent", "is missing; name the agent that every caller is")
	}
	d.check("listeners.local.address", l.Address, LoopbackAddress)
	d.check("listeners.local.agent", l.Agent, registry.ValidID)
}

// address accepts host:port with a host of IP form or a name.
func address(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be host:port, such as 127.0.0.1:8443")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return errors.New("must end in a port between 0 and 65535")
	}
	if host == "" {
		return errors.New("must name the host; write 0.0.0.0 to listen on every address")
	}
	return hostName(host)
}

// LoopbackAddress accepts host:port with a literal loopback address.
func LoopbackAddress(s string) error {
	if err := address(s); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(s)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() && ip.Zone() == "" {
		return nil
	}
	return errors.New("must be a loopback address such as 127.0.0.1:8480; plain HTTP is not served elsewhere")
}

// hostName accepts an IP address or a DNS name of letters, digits and hyphens.
func hostName(s string) error {
	if ip, err := netip.ParseAddr(s); err == nil {
		if ip.Zone() != "" {
			return errors.New("must not have a zone")
		}
		return nil
	}
	if len(s) > 253 {
		return errors.New("is longer than a host name can be")
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("is not a host name or IP address")
		}
		for _, r := range label {
			if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-') {
				return errors.New("is not a host name or IP address; write it without port, and foreign letters as xn--")
			}
		}
	}
	return nil
}

func publicURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Path != "" && u.Path != "/") {
		return errors.New("must be https:// and a host, without path, such as https://mcp.example.com")
	}
	return hostName(u.Hostname())
}

// origin accepts a web origin in its serialised form (RFC 6454, 6.2).
func origin(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != s ||
		strings.ToLower(s) != s {
		return errors.New("must be an exact origin: scheme, host and port in lower case, without path, such as http://localhost:6274")
	}
	return hostName(u.Hostname())
}

func prefix(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if _, err := netip.ParsePrefix(s); err != nil {
		return errors.New("must be an IP address or a CIDR prefix such as 10.0.0.0/8")
	}
	return nil
}

func collector(s string, private bool) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("must be an https URL such as https://collector.example.com:4318")
	}
	if u.Scheme == "http" && !private {
		return errors.New("must be https, or set telemetry.private for a collector on this machine")
	}
	return nil
}

func fileReference(s string) error {
	if path, ok := strings.CutPrefix(s, "file:"); !ok || path == "" {
		return errors.New("must be file: and a path, such as file:tls.pem")
	}
	return nil
}

// reference accepts where a secret stands. The error does not repeat the value,
// which may be a secret in the wrong place.
func reference(s string) error {
	kind, rest, _ := strings.Cut(s, ":")
	if (kind != "env" && kind != "file") || rest == "" {
		return errors.New("must be a reference, env:NAME or file:PATH; a value in clear text is refused")
	}
	return nil
}

func pin(s string) error {
	b64, ok := strings.CutPrefix(s, "sha256/")
	if sum, err := base64.StdEncoding.DecodeString(b64); !ok || err != nil || len(sum) != 32 {
		return errors.New("must be sha256/ and the base64 of 32 bytes")
	}
	return nil
}

// server checks one declared server; admin checks the rest when it is
// submitted.
func (d *decoder) server(key string, s ServerConfig) {
	d.check(key+".name", s.Name, registry.ValidID)
	switch {
	case s.URL == "" && len(s.Command) == 0:
		d.problem(key, "needs url or command")
	case s.URL != "" && len(s.Command) > 0:
		d.problem(key, "has both url and command; write one")
	case len(s.Command) > 0 && (s.Transport != "" || s.Private || len(s.Headers) > 0 || s.CA != "" || len(s.Pins) > 0):
		d.problem(key, "transport, private, headers, ca and pins belong to a server with url")
	case s.URL != "" && (s.Dir != "" || len(s.Env) > 0 || len(s.PassEnv) > 0):
		d.problem(key, "dir, env and pass_env belong to a server with command")
	}
	for name, ref := range s.Headers {
		d.check(key+".headers."+name, ref+" ", func(string) error { return reference(ref) })
	}
	for name, ref := range s.Env {
		d.check(key+".env."+name, ref+" ", func(string) error { return reference(ref) })
	}
	d.check(key+".ca", s.CA, fileReference)
	for i, p := range s.Pins {
		d.check(fmt.Sprintf("%s.pins[%d]", key, i), p, pin)
	}
}

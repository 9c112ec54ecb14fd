// Package egress is the one guarded dialler, and the check of the URLs of
// upstreams. It resolves a name, vets every address that came back and dials
// the vetted address itself, so that a name which changes between check and
// use (DNS rebinding) leads nowhere.
//
// It touches the resolver and the network, only here. It deliberately knows
// nothing of TLS, HTTP or proxies, follows no environment variables, and
// dials no unix sockets. The refused ranges are those of the IANA
// special-purpose address registries (RFC 6890).
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config configures a Guard. The zero value is usable.
type Config struct {
	Resolver Resolver      // default net.DefaultResolver
	Timeout  time.Duration // of the lookup, and of each dial. Default 5 s
}

// Guard dials vetted addresses. It is immutable and safe for concurrent use.
type Guard struct {
	resolver Resolver
	timeout  time.Duration
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
}

// maxAddresses is how many addresses of a name are tried at most.
const maxAddresses = 8

// New returns a guard.
func New(cfg Config) *Guard {
	g := &Guard{resolver: cfg.Resolver, timeout: cfg.Timeout}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	if g.timeout <= 0 {
		g.timeout = 5 * time.Second
	}
	dialer := &net.Dialer{
		Timeout: g.timeout, // TCP_NODELAY is on by default
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4,
		},
	}
	g.dial = dialer.DialContext
	return g
}

// Dial connects to addr, "host:port", over TCP. With allowPrivate the host may
// be on loopback or in a private range; metadata services are refused even
// then. If one address of a name is refused, all are: a mixed answer is an
// attack or a mistake. Errors are *fault.Error of kind EgressForbidden or
// UpstreamUnreachable.
func (g *Guard) Dial(ctx context.Context, network, addr string, allowPrivate bool) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, forbidden("network %q", network)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, forbidden("address: %w", err)
	}
	number, err := parsePort(port)
	if err != nil {
		return nil, forbidden("address: %w", err)
	}
	addrs, err := g.vetted(ctx, network, host, allowPrivate)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, a := range addrs {
		nc, err := g.dial(ctx, network, netip.AddrPortFrom(a, number).String())
		if err == nil {
			return nc, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fault.Wrap(fault.UpstreamUnreachable, errors.Join(failed...))
}

// vetted returns the addresses of host, at least one, all of them allowed.
func (g *Guard) vetted(ctx context.Context, network, host string, allowPrivate bool) ([]netip.Addr, error) {
	if err := checkHost(host, allowPrivate); err != nil {
		return nil, forbidden("host: %w", err)
	}
	addrs, err := g.resolve(ctx, network, host)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamUnreachable, fmt.Errorf("resolve: %w", err))
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap() // a resolver may write IPv4 in the mapped form
		if !allowed(addrs[i], allowPrivate) {
			return nil, forbidden("the host resolves to the refused address %s", addrs[i])
		}
	}
	if len(addrs) > maxAddresses {
		addrs = addrs[:maxAddresses]
	}
	return addrs, nil
}

// resolve returns the addresses of a literal or a name.
func (g *Guard) resolve(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	found, err := g.resolver.LookupNetIP(ctx, "ip"+strings.TrimPrefix(network, "tcp"), host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("the name has no address")
	}
	return append([]netip.Addr(nil), found...), nil
}

// parsePort accepts 1 to 65535 without sign or leading zeros.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || text[0] == '0' || text[0] == '+' {
		return 0, errors.New("the port is not a number from 1 to 65535")
	}
	return uint16(n), nil
}

func forbidden(format string, args ...any) error {
	return fault.Wrap(fault.EgressForbidden, fmt.Errorf(format, args...))
}

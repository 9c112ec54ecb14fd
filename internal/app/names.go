package app

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// ServedNames returns the host names and IP addresses, in lower case and
// without port, that name the data listener: what its certificate is for and
// what a Host header may say.
func (c *Config) ServedNames() []string {
	d := c.Listeners.Data
	names := listenNames(d.Address)
	if u, err := url.Parse(d.PublicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	names = append(names, d.Names...)
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listenNames returns the names of a listener's own address. One that listens
// on every address has the loopback names; its others must be configured.
func listenNames(address string) []string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	loopback := []string{"localhost", "127.0.0.1", "::1"}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && host == "localhost", err == nil && ip.IsUnspecified():
		return loopback
	case err == nil && ip.IsLoopback():
		return append(loopback, ip.String())
	case err == nil:
		return []string{ip.String()}
	}
	return []string{host}
}

// dialAddress returns where this machine reaches a listener's address.
func dialAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

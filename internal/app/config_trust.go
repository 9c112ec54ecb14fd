package app

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// TrustConfig is one outside trust domain: a SPIRE server's, or a company's own
// authority that issues X.509-SVIDs. Its source is bundle or endpoint.
type TrustConfig struct {
	// TrustDomain is the SPIFFE trust domain. Its authorities vouch for names
	// in it, and for no other.
	TrustDomain string `yaml:"trust_domain" required:"true"`
	// Bundle is "file:" and the path of its authorities: certificates in PEM,
	// or a SPIFFE bundle in JSON. It is read again when the file changes.
	Bundle string `yaml:"bundle"`
	// Endpoint is the https URL of its SPIFFE bundle (profile https_web).
	Endpoint string `yaml:"endpoint"`
	// CA is "file:" and the path of a PEM bundle of authorities for the
	// endpoint's certificate, in place of the system's.
	CA string `yaml:"ca"`
	// Private allows an endpoint in a private network. A loopback address
	// needs no permission.
	Private bool `yaml:"private"`
	// Refresh is how often the endpoint is asked. Default: 0s, as the bundle
	// says, or every five minutes.
	Refresh Duration `yaml:"refresh" min:"0s" max:"24h"`
	// Keep is how long the last bundle counts when its source cannot be read.
	// Then the domain's certificates are refused. Default: 24h. Too long, and
	// an authority that the domain gave up is trusted on while somebody keeps
	// the news from us.
	Keep Duration `yaml:"keep" min:"1m" max:"720h"`
}

func fillTrust(all []TrustConfig) {
	for i := range all {
		all[i].Keep = cmp.Or(all[i].Keep, Duration(24*time.Hour))
	}
}

// trust reports what is wrong with the outside trust domains.
func (d *decoder) trust(c Identity) {
	seen := map[string]int{}
	for i, t := range c.Trust {
		key := fmt.Sprintf("identity.trust[%d]", i)
		if first, twice := seen[t.TrustDomain]; twice {
			d.problem(key+".trust_domain", fmt.Sprintf("is that of identity.trust[%d] already", first))
		}
		seen[t.TrustDomain] = i
		d.check(key+".trust_domain", t.TrustDomain, outsideDomain)
		if t.TrustDomain == cmp.Or(c.TrustDomain, keys.TrustDomain) {
			d.problem(key+".trust_domain", "is the gateway's own")
		}
		if (t.Bundle == "") == (t.Endpoint == "") {
			d.problem(key, "needs bundle or endpoint, and not both")
		}
		d.check(key+".bundle", t.Bundle, fileReference)
		d.check(key+".ca", t.CA, fileReference)
		d.check(key+".endpoint", t.Endpoint, issuerURL)
		if t.Endpoint != "" && !strings.HasPrefix(t.Endpoint, "https://") {
			d.problem(key+".endpoint", "must be an https URL")
		}
		if t.Bundle != "" && (t.CA != "" || t.Private || t.Refresh != 0) {
			d.problem(key, "ca, private and refresh belong to an endpoint")
		}
	}
}

// outsideDomain accepts every trust domain that SPIFFE does, underscores too.
func outsideDomain(name string) error {
	return keys.CheckTrustDomain(strings.ReplaceAll(name, "_", "a"))
}

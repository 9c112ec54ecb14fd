package kms

import (
	"regexp"
	"strings"
)

// Forms of the names of keys in the clouds. They are checked in every build, so
// that a configuration reads the same in all of them.
var (
	arn     = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$`)
	region  = regexp.MustCompile(`^[a-z]{2}[a-z0-9-]{1,30}$`)
	gcpName = regexp.MustCompile(`^projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)
)

// Problems returns what is wrong with the form of c, each under the name of
// its key in the configuration.
func (c AWS) Problems() map[string]string {
	found := map[string]string{}
	if !arn.MatchString(c.KeyARN) {
		found["key_arn"] = "must be the ARN of a key (not of an alias), such as arn:aws:kms:eu-central-1:123456789012:key/ID"
	}
	if c.Region != "" && !region.MatchString(c.Region) {
		found["region"] = "is not the name of a region"
	}
	if c.AccessKey == "" {
		found["access_key"] = "is missing; write a reference, env:NAME or file:PATH"
	}
	if c.SecretKey == "" {
		found["secret_key"] = "is missing; write a reference, env:NAME or file:PATH"
	}
	if c.Endpoint != "" {
		if err := checkAddress(c.Endpoint); err != nil {
			found["endpoint"] = err.Error()
		}
	}
	if c.Days != 0 && (c.Days < 7 || c.Days > 30) {
		found["deletion_days"] = "must be between 7 and 30, as the service has it"
	}
	return found
}

// Problems returns what is wrong with the form of c, each under the name of
// its key in the configuration.
func (c GCP) Problems() map[string]string {
	found := map[string]string{}
	if !gcpName.MatchString(c.Key) {
		found["key"] = "must be projects/P/locations/L/keyRings/R/cryptoKeys/K"
	}
	if c.Credentials == "" {
		found["credentials"] = "is missing; write a reference to the JSON key of a service account"
	}
	if c.Endpoint != "" {
		if err := checkAddress(c.Endpoint); err != nil {
			found["endpoint"] = err.Error()
		}
	}
	return found
}

// Problems returns what is wrong with the form of c, each under the name of
// its key in the configuration.
func (c PKCS11) Problems() map[string]string {
	found := map[string]string{}
	for _, one := range []struct{ key, value, what string }{
		{"module", c.Module, "is missing; write the path of the token's PKCS#11 library"},
		{"token", c.Token, "is missing; write the label of the token"},
		{"label", c.Label, "is missing; write the label of an AES key in the token"},
		{"pin", c.PIN, "is missing; write a reference, env:NAME or file:PATH"},
	} {
		if one.value == "" {
			found[one.key] = one.what
		}
	}
	if c.Module != "" && !strings.HasPrefix(c.Module, "/") {
		found["module"] = "must be an absolute path: a library found by searching is whatever lies first"
	}
	return found
}

// Problems returns what is wrong with the form of the chosen provider's
// section, and the section's name.
func (c Config) Problems() (section string, found map[string]string) {
	switch c.Provider {
	case ProviderVault:
		return "vault", c.Vault.Problems()
	case ProviderAWS:
		return "aws_kms", c.AWS.Problems()
	case ProviderGCP:
		return "gcp_kms", c.GCP.Problems()
	case ProviderPKCS11:
		return "pkcs11", c.PKCS11.Problems()
	}
	return "", nil
}

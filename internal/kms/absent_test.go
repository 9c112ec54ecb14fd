//go:build !ostiary_cloudkms && !ostiary_pkcs11

package kms

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestAbsentProvidersAreRefusedByName(t *testing.T) {
	for provider, build := range map[string]string{ProviderAWS: "ostiary_cloudkms", ProviderGCP: "ostiary_cloudkms", ProviderPKCS11: "ostiary_pkcs11"} {
		_, err := Open(Config{Provider: provider}, means(nil))
		refused(t, err, ErrBuild)
		if err == nil || !strings.Contains(err.Error(), provider) || !strings.Contains(err.Error(), build) {
			t.Errorf("%s: the refusal does not name provider and build: %v", provider, err)
		}
	}
}

// TestDefaultBuildHasNoCloudClient keeps the clouds' clients and every C
// library out of the program as it is built by default.
func TestDefaultBuildHasNoCloudClient(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test has no build information")
	}
	for _, d := range info.Deps {
		for _, foreign := range []string{"github.com/aws/", "google.golang.org/api", "cloud.google.com/", "github.com/tink-crypto/", "pkcs11"} {
			if strings.Contains(d.Path, foreign) {
				t.Errorf("%s is linked", d.Path)
			}
		}
	}
}

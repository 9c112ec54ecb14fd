package app

import (
	"strings"

	"ostiary.dev/ostiary/internal/kms"
)

// root checks where the root key is.
func (d *decoder) root(r RootConfig) {
	const at = "keys.root"
	for section, set := range map[string]bool{
		"vault": r.Vault != (VaultRoot{}), "aws_kms": r.AWS != (AWSRoot{}), "gcp_kms": r.GCP != (GCPRoot{}), "pkcs11": r.PKCS11 != (PKCS11Root{}),
	} {
		if owner := strings.ReplaceAll(section, "_", "-"); set && r.provider() != owner {
			d.problem(at+"."+section, "belongs to provider: "+owner)
		}
	}
	switch {
	case r.provider() == providerPassphrase && r.Passphrase == "":
		d.problem(at+".passphrase", "is missing; write a reference to the passphrase, env:NAME or file:PATH")
	case r.provider() != providerPassphrase && r.Passphrase != "":
		d.problem(at+".passphrase", "belongs to provider: passphrase")
	}
	d.rootReferences(r)
	if !r.remote() {
		return
	}
	if err := kms.Absent(r.Provider); err != nil {
		d.problem(at+".provider", err.Error())
	}
	section, found := r.kms().Problems()
	for key, text := range found {
		d.problem(at+"."+section+"."+key, text)
	}
}

// rootReferences checks that no secret stands in the file.
func (d *decoder) rootReferences(r RootConfig) {
	for key, ref := range map[string]string{
		"passphrase": r.Passphrase, "vault.token": r.Vault.Token, "vault.role_id": r.Vault.RoleID, "vault.secret_id": r.Vault.SecretID,
		"aws_kms.access_key": r.AWS.AccessKey, "aws_kms.secret_key": r.AWS.SecretKey, "aws_kms.session_token": r.AWS.SessionToken,
		"gcp_kms.credentials": r.GCP.Credentials, "pkcs11.pin": r.PKCS11.PIN,
	} {
		d.check("keys.root."+key, ref, reference)
	}
	for key, ref := range map[string]string{"vault.ca": r.Vault.CA, "aws_kms.ca": r.AWS.CA, "gcp_kms.ca": r.GCP.CA} {
		d.check("keys.root."+key, ref, fileReference)
	}
}

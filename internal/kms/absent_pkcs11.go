//go:build !ostiary_pkcs11

package kms

// openPKCS11 refuses by name: PKCS#11 modules are C libraries, and this build
// is made without C.
func openPKCS11(PKCS11, Means) (Root, error) {
	return nil, why(ErrBuild, "provider pkcs11 is in the build with the tag ostiary_pkcs11 (make pkcs11)")
}

//go:build !ostiary_pkcs11

package kms

// pkcs11Built says that this build reaches no PKCS#11 module: they are C
// libraries, and it is made without C.
const pkcs11Built = false

func openPKCS11(PKCS11, Means) (Root, error) { return nil, Absent(ProviderPKCS11) }

package keys

import "testing"

// FuzzRequest: whatever a stranger sends as a certificate request, it is refused
// or has a key that may be certified.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMIHXMH8CAQAwEDEOMAwGA1UEAwwFcm9ib3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ=\n-----END CERTIFICATE REQUEST-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRequest(text)
		if (err == nil) != (r.public != nil) {
			t.Errorf("key %v, error %v", r.public, err)
		}
	})
}

package attest

import (
	"testing"

	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/wire"
)

// TestDigestOf holds the short way to a digest to the long one, which takes a
// receipt out of the answer as a verifier does.
func TestDigestOf(t *testing.T) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{}}`,
		"\n {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1}}\r\n",
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{}}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"dev.ostiary/receipt":{}},"n":1}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":{}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":null}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":{"_meta":{}}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":{"_meta":{"a":1}}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":"text"}}`,
	} {
		m, flaw := wire.Parse([]byte(text), wire.DefaultLimits(), wire.FromServer)
		if flaw != nil {
			t.Fatalf("%s: %v", text, flaw)
		}
		got, err := digestOf(m)
		want, wantErr := export.AnswerDigest(m)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %x, %v, want %x, %v", text, got, err, want, wantErr)
		}
	}
}

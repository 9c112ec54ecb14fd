package keys

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// TestSIVVectors are RFC 5297, appendices A.1 and A.2.
func TestSIVVectors(t *testing.T) {
	for name, c := range map[string]struct {
		key, plain, want string
		ad               []string
	}{
		"A.1": {
			key:   "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
			plain: "112233445566778899aabbccddee",
			want:  "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
			ad:    []string{"101112131415161718191a1b1c1d1e1f2021222324252627"},
		},
		"A.2": {
			key:   "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
			plain: "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
			want: "7bdb6e3b432667eb06f4d14bff2fbd0f" +
				"cb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
			ad: []string{"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
				"102030405060708090a0", "09f911029d74e35bd84156c5635688c0"},
		},
	} {
		s, err := newSIVOf(unhex(t, c.key))
		if err != nil {
			t.Fatal(err)
		}
		var ad [][]byte
		for _, a := range c.ad {
			ad = append(ad, unhex(t, a))
		}
		plain := unhex(t, c.plain)
		if got := s.seal(plain, ad...); hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x", name, got)
		}
		if back, err := s.open(unhex(t, c.want), ad...); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%s backwards: %x, %v", name, back, err)
		}
	}
}

// TestSIVRefuses: another key, other associated data, a changed byte and a cut
// text open nothing.
func TestSIVRefuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), sivKey, sivKey).Draw(t, "key")
		s, err := newSIV(key)
		if err != nil {
			t.Fatal(err)
		}
		plain := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "plain")
		ad := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "ad")
		sealed := s.seal(plain, ad)
		if back, err := s.open(sealed, ad); err != nil || !bytes.Equal(back, plain) {
			t.Fatalf("%x, %v", back, err)
		}
		if !bytes.Equal(sealed, s.seal(plain, ad)) {
			t.Fatal("not deterministic")
		}
		if _, err := s.open(sealed, append(bytes.Clone(ad), 1)); err == nil {
			t.Fatal("other associated data opened")
		}
		if _, err := s.open(sealed, ad, nil); err == nil {
			t.Fatal("another part of associated data opened")
		}
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		bad := bytes.Clone(sealed)
		bad[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := s.open(bad, ad); err == nil {
			t.Fatal("a changed byte opened")
		}
		if _, err := s.open(sealed[:at], ad); err == nil {
			t.Fatal("a cut text opened")
		}
		half := sivKey / 2 // the second half encrypts, and of nothing it encrypts nothing
		if len(plain) > 0 {
			half = sivKey
		}
		key[rapid.IntRange(0, half-1).Draw(t, "k")] ^= 1
		other, err := newSIV(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.open(sealed, ad); err == nil {
			t.Fatal("another key opened")
		}
	})
	for _, n := range []int{0, 16, 32, 48, 63, 65} {
		if _, err := newSIV(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

// TestSIVAgreesWithTink holds 256-bit halves, for which the RFC has no vectors,
// to what tink-go v2.9.0 made: key 00 to 3f, plain bytes 0, 7, 14 and so on.
func TestSIVAgreesWithTink(t *testing.T) {
	key := make([]byte, sivKey)
	for i := range key {
		key[i] = byte(i)
	}
	s, err := newSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		0:  "0fc381577e9950b381fcb275a68e7de8",
		1:  "8260dce0c8cc9fa6a829a79396e35eff6b",
		15: "404c5a863d317414b9778891f219d7b54a9a854c3afba205af045f803e0765",
		16: "ba207994137a3d20721cf3164a3a46cb7b16c480da798c083fe05149d2db32f6",
		17: "3ffd20e4f192c9a3d79ace0e990451eba62d0df92809d5694e3321f4977e043e6e",
		40: "1687b13c249d42f3f7a1025c0dc7f5a88b6acb837b77a920eb08188729966cf06d76ae721f874cf01814f1342b36c4b11d0857cbe4265d19",
	} {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(i * 7)
		}
		if got := hex.EncodeToString(s.seal(plain, []byte("tenant, scope, type"))); got != want {
			t.Errorf("%d bytes: %s", n, got)
		}
	}
}

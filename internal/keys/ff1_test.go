package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const numerals = "0123456789abcdefghijklmnopqrstuvwxyz"

func toNumerals(s string) []byte {
	out := make([]byte, len(s))
	for i := range s {
		out[i] = byte(strings.IndexByte(numerals, s[i]))
	}
	return out
}

// TestFF1Samples are samples 1 to 9 of NIST, "FF1samples.pdf", the examples that
// go with SP 800-38G.
func TestFF1Samples(t *testing.T) {
	const (
		k128 = "2b7e151628aed2a6abf7158809cf4f3c"
		k192 = k128 + "ef4359d8d580aa4f"
		k256 = k192 + "7f036d6f04fc6a94"
		t10  = "39383736353433323130"
		t11  = "3737373770717273373737"
	)
	for i, c := range []struct {
		key   string
		radix uint64
		tweak string
		plain string
		want  string
	}{
		{k128, 10, "", "0123456789", "2433477484"},
		{k128, 10, t10, "0123456789", "6124200773"},
		{k128, 36, t11, "0123456789abcdefghi", "a9tv40mll9kdu509eum"},
		{k192, 10, "", "0123456789", "2830668132"},
		{k192, 10, t10, "0123456789", "2496655549"},
		{k192, 36, t11, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
		{k256, 10, "", "0123456789", "6657667009"},
		{k256, 10, t10, "0123456789", "1001623463"},
		{k256, 36, t11, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
	} {
		key, err := hex.DecodeString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		tweak, err := hex.DecodeString(c.tweak)
		if err != nil {
			t.Fatal(err)
		}
		f, err := newFF1(key, c.radix)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.encrypt(tweak, toNumerals(c.plain))
		if err != nil || !bytes.Equal(got, toNumerals(c.want)) {
			t.Errorf("sample %d: %v, %v; want %s", i+1, got, err, c.want)
		}
		back, err := f.decrypt(tweak, toNumerals(c.want))
		if err != nil || !bytes.Equal(back, toNumerals(c.plain)) {
			t.Errorf("sample %d backwards: %v, %v", i+1, back, err)
		}
	}
}

// TestFF1RefusesSmallDomains: PINs, CVVs and ZIP codes can all be tried.
func TestFF1RefusesSmallDomains(t *testing.T) {
	f, err := newFF1(make([]byte, 32), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "1", "123", "1234", "02139", strings.Repeat("1", 39), "12345a"} {
		if got, err := f.encrypt(nil, toNumerals(bad)); !errors.Is(err, ErrDomain) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	for _, good := range []string{"000000", "123456", strings.Repeat("9", 38)} {
		y, err := f.encrypt(nil, toNumerals(good))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := f.decrypt(nil, y); err != nil || !bytes.Equal(back, toNumerals(good)) {
			t.Errorf("%s: %v, %v", good, back, err)
		}
	}
	for _, radix := range []uint64{0, 1, 37, 1 << 17} {
		if _, err := newFF1(make([]byte, 32), radix); !errors.Is(err, ErrDomain) {
			t.Errorf("radix %d: %v", radix, err)
		}
	}
}

// TestFF1RoundTrip promises a permutation for every tweak, length and radix.
func TestFF1RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radix := rapid.Uint64Range(2, 36).Draw(t, "radix")
		f, err := newFF1(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"), radix)
		if err != nil {
			t.Fatal(err)
		}
		x := rapid.SliceOfN(rapid.ByteRange(0, byte(radix-1)), 20, 24).Draw(t, "x")
		tweak := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "tweak")
		y, err := f.encrypt(tweak, x)
		if err != nil {
			t.Fatal(err)
		}
		back, err := f.decrypt(tweak, y)
		if err != nil || !bytes.Equal(back, x) {
			t.Fatalf("%v became %v became %v (%v)", x, y, back, err)
		}
		for _, d := range y {
			if uint64(d) >= radix {
				t.Fatalf("numeral %d", d)
			}
		}
	})
}

func BenchmarkFF1(b *testing.B) {
	f, err := newFF1(make([]byte, 32), 10)
	if err != nil {
		b.Fatal(err)
	}
	x := toNumerals("4111111111111111")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.encrypt(x[:8], x); err != nil {
			b.Fatal(err)
		}
	}
}

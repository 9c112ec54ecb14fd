package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// FF1 is the format-preserving encryption of NIST SP 800-38G: digits stay as many
// digits. It serves values whose schema leaves no other shape, and nothing else:
// it has no authentication, and what is encrypted twice under one tweak looks the
// same. FF3 and FF3-1 are broken and are not here.

// Limits of FF1. SP 800-38G Rev. 1 (second draft) demands a domain of at least
// one million: in a smaller one every value can be tried, or met by chance. The
// attack is a table of all PINs or ZIP codes; TestFF1RefusesSmallDomains. The
// other end is ours: half of the numerals must be a number of 64 bits, which
// holds 38 decimal digits; the longest number that we hide has 34.
const (
	ff1MinDomain = 1_000_000
	ff1Rounds    = 10
)

// ErrDomain says that a value is too short, too long or not of the alphabet.
var ErrDomain = errors.New("the value is not in a domain that FF1 protects")

// ff1 is FF1 under one key and radix. It is safe for concurrent use.
type ff1 struct {
	block cipher.Block
	radix uint64
}

// newFF1 takes an AES key and a radix of 2 to 36.
func newFF1(key []byte, radix uint64) (*ff1, error) {
	if radix < 2 || radix > 36 {
		return nil, fmt.Errorf("ff1: radix %d: %w", radix, ErrDomain)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("ff1: %w", err)
	}
	return &ff1{block: block, radix: radix}, nil
}

// encrypt is algorithm 7 of SP 800-38G.
func (f *ff1) encrypt(tweak, x []byte) ([]byte, error) { return f.crypt(tweak, x, false) }

// decrypt is algorithm 8.
func (f *ff1) decrypt(tweak, x []byte) ([]byte, error) { return f.crypt(tweak, x, true) }

// crypt works on numerals, each a byte smaller than the radix, and returns new
// ones. Both algorithms are the same ten rounds in opposite order.
func (f *ff1) crypt(tweak, x []byte, back bool) ([]byte, error) {
	n, u := len(x), len(x)/2
	low, ok1 := f.pow(u)
	high, ok2 := f.pow(n - u)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("ff1: %d numerals: %w", n, ErrDomain)
	}
	if over, domain := bits.Mul64(low, high); over == 0 && domain < ff1MinDomain {
		return nil, fmt.Errorf("ff1: fewer than %d values: %w", ff1MinDomain, ErrDomain)
	}
	for _, d := range x {
		if uint64(d) >= f.radix {
			return nil, fmt.Errorf("ff1: a numeral is not below %d: %w", f.radix, ErrDomain)
		}
	}
	half, mod := [2]uint64{f.num(x[:u]), f.num(x[u:])}, [2]uint64{low, high} // A and B
	r := f.rounds(tweak, n, high)
	for step := range ff1Rounds {
		i, a, b := step, 0, 1 // A is changed, B is read
		if back {
			i, a, b = ff1Rounds-1-step, 1, 0
		}
		m := mod[i%2]
		y := r.value(byte(i), half[b], m)
		if back && y > 0 {
			y = m - y
		}
		sum, carry := bits.Add64(half[a], y, 0)
		half[a], half[b] = half[b], bits.Rem64(carry, sum, m)
	}
	out := make([]byte, n)
	f.str(out[:u], half[0])
	f.str(out[u:], half[1])
	return out, nil
}

// ff1Round computes the pseudorandom value of a round.
type ff1Round struct {
	f     *ff1
	begin [aes.BlockSize]byte // CBC-MAC state after P and the whole blocks of the tweak
	rest  []byte              // Q: what is left of the tweak, zeroes, the round, NUM(B)
	b     int                 // bytes of NUM(B), at most 8
	d     int                 // bytes of S, at most 12: one block holds them
}

// rounds prepares everything that the ten rounds share (steps 3 to 5).
func (f *ff1) rounds(tweak []byte, n int, high uint64) *ff1Round {
	b := (bits.Len64(high-1) + 7) / 8
	p := [aes.BlockSize]byte{1, 2, 1, 0, 0, byte(f.radix), ff1Rounds, byte(n / 2)}
	binary.BigEndian.PutUint32(p[8:], uint32(n))
	binary.BigEndian.PutUint32(p[12:], uint32(len(tweak)))
	r := &ff1Round{f: f, b: b, d: 4*((b+3)/4) + 4}
	f.block.Encrypt(r.begin[:], p[:])
	zeroes := (16 - (len(tweak)+b+1)%16) % 16
	q := make([]byte, len(tweak)+zeroes+1+b)
	copy(q, tweak)
	for len(q) > b+1+16 { // blocks of the tweak alone are the same in all rounds
		f.chain(&r.begin, q[:16])
		q = q[16:]
	}
	r.rest = q
	return r
}

// value is NUM(S) mod m in round i over the numeral string of half (steps 6 i to
// iv and the remainder of vi).
func (r *ff1Round) value(i byte, half, m uint64) uint64 {
	at := len(r.rest) - r.b
	r.rest[at-1] = i
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], half)
	copy(r.rest[at:], number[8-r.b:])
	state := r.begin
	for q := r.rest; len(q) > 0; q = q[16:] {
		r.f.chain(&state, q[:16])
	}
	var s [16]byte // the first d bytes of the block, as a number of 128 bits
	copy(s[16-r.d:], state[:r.d])
	return bits.Rem64(binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(s[8:]), m)
}

// chain is one step of CBC-MAC.
func (f *ff1) chain(state *[aes.BlockSize]byte, block []byte) {
	for k := range state {
		state[k] ^= block[k]
	}
	f.block.Encrypt(state[:], state[:])
}

// pow is the radix to the power of m, if 64 bits hold it.
func (f *ff1) pow(m int) (uint64, bool) {
	out := uint64(1)
	for range m {
		over, next := bits.Mul64(out, f.radix)
		if over > 0 {
			return 0, false
		}
		out = next
	}
	return out, true
}

func (f *ff1) num(x []byte) uint64 {
	n := uint64(0)
	for _, d := range x {
		n = n*f.radix + uint64(d)
	}
	return n
}

func (f *ff1) str(out []byte, n uint64) {
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = byte(n % f.radix)
		n /= f.radix
	}
}

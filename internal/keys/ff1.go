package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// FF1 is the format-preserving encryption of NIST SP 800-38G: digits stay as many
// digits. It serves values whose schema leaves no other shape, and nothing else:
// it has no authentication, and what is encrypted twice under one tweak looks the
// same. FF3 and FF3-1 are broken and are not here.

// Limits of FF1. SP 800-38G Rev. 1 (second draft) demands a domain of at least
// one million: in a smaller one every value can be tried, or met by chance. The
// attack is a table of all PINs or ZIP codes; TestFF1RefusesSmallDomains.
const (
	ff1MinDomain = 1_000_000
	ff1MaxLength = 64 // numerals; the longest number that we hide has 34
	ff1Rounds    = 10
)

// ErrDomain says that a value is too short, too long or not of the alphabet.
var ErrDomain = errors.New("the value is not in a domain that FF1 protects")

// ff1 is FF1 under one key and radix. It is safe for concurrent use.
type ff1 struct {
	block cipher.Block
	radix uint32
}

// newFF1 takes an AES key and a radix of 2 to 36.
func newFF1(key []byte, radix uint32) (*ff1, error) {
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
	if err := f.check(x); err != nil {
		return nil, err
	}
	n := len(x)
	u := n / 2
	v := n - u
	half := [2]*big.Int{f.num(x[:u]), f.num(x[u:])} // A and B
	mod := [2]*big.Int{f.pow(u), f.pow(v)}
	r := f.rounds(tweak, n, mod[1])
	for step := range ff1Rounds {
		i := step
		a, b := 0, 1 // A is changed, B is read
		if back {
			i, a, b = ff1Rounds-1-step, 1, 0
		}
		y := r.value(byte(i), half[b])
		m := mod[i%2]
		if back {
			y.Sub(half[a], y)
		} else {
			y.Add(half[a], y)
		}
		y.Mod(y, m)
		half[a], half[b] = half[b], y
	}
	out := make([]byte, n)
	f.str(out[:u], half[0])
	f.str(out[u:], half[1])
	return out, nil
}

func (f *ff1) check(x []byte) error {
	if len(x) > ff1MaxLength {
		return fmt.Errorf("ff1: %d numerals: %w", len(x), ErrDomain)
	}
	domain := uint64(1)
	for _, d := range x {
		if uint32(d) >= f.radix {
			return fmt.Errorf("ff1: a numeral is not below %d: %w", f.radix, ErrDomain)
		}
		if domain < ff1MinDomain {
			domain *= uint64(f.radix)
		}
	}
	if domain < ff1MinDomain {
		return fmt.Errorf("ff1: fewer than %d values: %w", ff1MinDomain, ErrDomain)
	}
	return nil
}

// ff1Round computes the pseudorandom value of a round.
type ff1Round struct {
	f     *ff1
	begin [aes.BlockSize]byte // CBC-MAC state after P and the whole blocks of the tweak
	rest  []byte              // Q: what is left of the tweak, zeroes, the round, NUM(B)
	b     int                 // bytes of NUM(B)
	d     int                 // bytes of S
}

// rounds prepares everything that the ten rounds share (steps 3 to 5).
func (f *ff1) rounds(tweak []byte, n int, mod *big.Int) *ff1Round {
	v := n - n/2
	b := (new(big.Int).Sub(mod, big.NewInt(1)).BitLen() + 7) / 8
	p := [aes.BlockSize]byte{1, 2, 1, byte(f.radix >> 16), byte(f.radix >> 8), byte(f.radix), ff1Rounds, byte(n - v)}
	binary.BigEndian.PutUint32(p[8:], uint32(n))
	binary.BigEndian.PutUint32(p[12:], uint32(len(tweak)))
	r := &ff1Round{f: f, b: b, d: 4*((b+3)/4) + 4}
	f.block.Encrypt(r.begin[:], p[:])
	zeroes := (16 - (len(tweak)+b+1)%16) % 16
	q := make([]byte, 0, len(tweak)+zeroes+1+b)
	q = append(q, tweak...)
	q = append(q, make([]byte, zeroes+1+b)...)
	for len(q) > b+1+16 { // blocks of the tweak alone are the same in all rounds
		f.chain(&r.begin, q[:16])
		q = q[16:]
	}
	r.rest = q
	return r
}

// value is NUM(S) of round i over the numeral string of half (steps 6 i to iv).
func (r *ff1Round) value(i byte, half *big.Int) *big.Int {
	at := len(r.rest) - r.b
	r.rest[at-1] = i
	half.FillBytes(r.rest[at:])
	state := r.begin
	for q := r.rest; len(q) > 0; q = q[16:] {
		r.f.chain(&state, q[:16])
	}
	s := make([]byte, 0, r.d+aes.BlockSize)
	s = append(s, state[:]...)
	for j := uint64(1); len(s) < r.d; j++ {
		block := state
		for k, c := range binary.BigEndian.AppendUint64(nil, j) {
			block[8+k] ^= c
		}
		r.f.block.Encrypt(block[:], block[:])
		s = append(s, block[:]...)
	}
	return new(big.Int).SetBytes(s[:r.d])
}

// chain is one step of CBC-MAC.
func (f *ff1) chain(state *[aes.BlockSize]byte, block []byte) {
	for k := range state {
		state[k] ^= block[k]
	}
	f.block.Encrypt(state[:], state[:])
}

func (f *ff1) pow(m int) *big.Int {
	return new(big.Int).Exp(big.NewInt(int64(f.radix)), big.NewInt(int64(m)), nil)
}

func (f *ff1) num(x []byte) *big.Int {
	n, radix, digit := new(big.Int), big.NewInt(int64(f.radix)), new(big.Int)
	for _, d := range x {
		n.Mul(n, radix)
		n.Add(n, digit.SetInt64(int64(d)))
	}
	return n
}

func (f *ff1) str(out []byte, n *big.Int) {
	rest, radix, digit := new(big.Int).Set(n), big.NewInt(int64(f.radix)), new(big.Int)
	for i := len(out) - 1; i >= 0; i-- {
		rest.DivMod(rest, radix, digit)
		out[i] = byte(digit.Int64())
	}
}

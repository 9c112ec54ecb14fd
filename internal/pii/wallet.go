package pii

import (
	"bytes"
	"crypto/sha256"
)

// wallet reads addresses of crypto currencies: base58 with a double SHA-256
// check, bech32 by its alphabet and length, "0x" and 40 hex digits with context.
func (r *run) wallet(v *view, i, j int) int {
	b := v.b
	if !r.want(cryptoBit) || j-i < 26 || j-i > 95 || !closing(b, j) || count(b[i:j], '_') > 0 {
		return i
	}
	t := b[i:j]
	switch {
	case t[0] == '0' && t[1] == 'x' && len(t) == 42 && allHex(t[2:]):
		r.near.look(v, i, j)
		if r.near.set.has(cWallet) || v.bare && i == 0 && j == len(b) {
			r.emit(v, i, j, Crypto, "", 0.9, "account of 20 bytes beside a word for a wallet")
			return j
		}
		return i
	case (t[0] == '1' || t[0] == '3' || t[0] == 'T' || t[0] == 'L' || t[0] == 'D' || t[0] == 'r') && len(t) <= 35:
		if base58Check(t) {
			r.emit(v, i, j, Crypto, "", 0.97, "base58 address, double SHA-256")
			return j
		}
	case (hasPrefix(t, "bc1") || hasPrefix(t, "BC1") || hasPrefix(t, "tb1")) && bech32(t):
		r.emit(v, i, j, Crypto, "", 0.97, "bech32 address")
		return j
	case (t[0] == '4' || t[0] == '8') && len(t) == 95:
		r.emit(v, i, j, Crypto, "", 0.7, "form of a Monero address")
		return j
	}
	return i
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58Check decodes 25 bytes and compares the last four with the first of
// SHA-256(SHA-256(rest)).
func base58Check(t []byte) bool {
	var out [25]byte
	for _, c := range t {
		x := indexByte(base58, c)
		if x < 0 {
			return false
		}
		for k := len(out) - 1; k >= 0; k-- {
			x += int(out[k]) * 58
			out[k] = byte(x)
			x >>= 8
		}
		if x != 0 {
			return false
		}
	}
	a := sha256.Sum256(out[:21])
	s := sha256.Sum256(a[:])
	return bytes.Equal(s[:4], out[21:])
}

// bech32 verifies the checksum of BIP-173 or BIP-350.
func bech32(t []byte) bool {
	const set = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	t = bytes.ToLower(t)
	chk := uint32(1)
	step := func(x byte) {
		top := chk >> 25
		chk = chk&0x1ffffff<<5 ^ uint32(x)
		for k, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>k&1 == 1 {
				chk ^= g
			}
		}
	}
	step(t[0] >> 5)
	step(t[1] >> 5)
	step(0)
	step(t[0] & 31)
	step(t[1] & 31)
	for _, c := range t[3:] {
		x := indexByte(set, c)
		if x < 0 {
			return false
		}
		step(byte(x))
	}
	return chk == 1 || chk == 0x2bc830a3
}

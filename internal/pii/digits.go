package pii

import "net/netip"

// digits looks at a token that has a digit and returns the end of what it found,
// or j.
func (r *run) digits(v *view, i, j int, m uint8) int {
	b := v.b
	if v.opaque { // a machine's identifier, unless its form proves that it is somebody's account
		return max(j, r.iban(v, i, j))
	}
	if j-i == 2 && j < len(b) && (b[j] == '-' || b[j] == ':') && boundary(b, i) {
		if k := r.mac(v, i, b[j]); k > j {
			return k
		}
	}
	if m&^(cDigit|cHex|cTrig) != 0 || !onlyDigits(b[i:j]) {
		if (i == 0 || boundary(b, i)) && j-i <= 64 {
			return max(j, r.alnum(v, i, j, m))
		}
		return j
	}
	if !boundary(b, i) {
		return j
	}
	if j-i <= 3 && j+1 < len(b) && b[j] == '.' && isDigit(b[j+1]) {
		if k := r.ipv4(v, i); k > j {
			return k
		}
	}
	if j-i <= 3 && r.want(ageBit) {
		if k := r.age(v, i, j); k > j {
			return k
		}
	}
	if r.want(dateBit) {
		if k := r.date(v, i, j); k > j {
			return k
		}
	}
	if j < len(b) && b[j] == '*' {
		if k := r.maskedCard(v, i, j); k > j {
			return k
		}
	}
	if n := j - i; n >= 3 && n <= 6 && !v.number && r.want(placeBit) {
		if k := r.postcode(v, i, j); k > j {
			return k
		}
	}
	if k := r.mixed(v, i, j); k > j {
		return k
	}
	if v.number && v.hint == nil && v.key == (ctxSet{}) && j-i < leastNumber {
		return j // a bare JSON number under a key that says nothing
	}
	if k := r.number(v, i); k > j {
		return k
	} else if k == j {
		return j
	}
	return max(j, r.geo(v, i, j))
}

func onlyDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// ipv4 reads a dotted quad with an optional prefix length.
func (r *run) ipv4(v *view, i int) int {
	b := v.b
	j, dots := i, 0
	for j < len(b) && j-i < 16 && (isDigit(b[j]) || b[j] == '.' && j+1 < len(b) && isDigit(b[j+1])) {
		if b[j] == '.' {
			dots++
		}
		j++
	}
	if dots != 3 || j < len(b) && (isWord(b[j]) && b[j] < 0x80 || b[j] == '-' && j+1 < len(b) && isAlnum(b[j+1])) || i > 0 && (b[i-1] == '+' || b[i-1] == ':' && i > 2 && b[i-2] == ':') {
		return i
	}
	if _, err := netip.ParseAddr(string(b[i:j])); err != nil {
		return i
	}
	if v.key.has(cVersion) {
		return i
	}
	r.near.look(v, i, j)
	if r.near.set.has(cVersion) && r.near.dist[cVersion] < 3 || i > 0 && b[i-1] == 'v' {
		return i
	}
	k := prefixLen(b, j, 2)
	r.emit(v, i, k, IPAddress, "", 0.95, "IPv4 address")
	return k
}

// prefixLen extends j over "/n" of at most w digits.
func prefixLen(b []byte, j, w int) int {
	k := j
	if k < len(b) && b[k] == '/' {
		k++
		for k < len(b) && isDigit(b[k]) && k-j <= w+1 {
			k++
		}
		if k-j >= 2 && k-j <= w+1 && (k == len(b) || !isWord(b[k]) && b[k] != '/') {
			return k
		}
	}
	return j
}

// ipv6 grows an address around the colon at i.
func (r *run) ipv6(v *view, i int) int {
	b := v.b
	if !r.want(ipBit | macBit) {
		return i
	}
	lo := i
	for lo > 0 && i-lo < 4 && class[b[lo-1]]&cHex != 0 {
		lo--
	}
	if lo > 0 && (isWord(b[lo-1]) && b[lo-1] < 0x80 || b[lo-1] == ':' || b[lo-1] == '.') {
		return i
	}
	if lo == i && (i+1 >= len(b) || b[i+1] != ':') {
		return i
	}
	hi, colons := i, 0
	for hi < len(b) && hi-lo < 46 && (class[b[hi]]&cHex != 0 || b[hi] == ':' || b[hi] == '.') {
		if b[hi] == ':' {
			colons++
		}
		hi++
	}
	if colons < 2 {
		return i
	}
	if colons == 5 && hi-lo == 17 {
		return r.mac(v, lo, ':')
	}
	for hi > lo && (b[hi-1] == '.' || b[hi-1] == ':' && !(hi-lo >= 2 && b[hi-2] == ':')) {
		hi--
	}
	if hi < len(b) && isWord(b[hi]) && b[hi] < 0x80 {
		return i
	}
	a, err := netip.ParseAddr(string(b[lo:hi]))
	if err != nil || a.IsUnspecified() || hi-lo < 3 {
		return i
	}
	if hi < len(b) && b[hi] == '%' {
		k := hi + 1
		for k < len(b) && isAlnum(b[k]) && k-hi < 16 {
			k++
		}
		if k > hi+1 {
			hi = k
		}
	}
	hi = prefixLen(b, hi, 3)
	r.emit(v, lo, hi, IPAddress, "", 0.95, "IPv6 address")
	return hi
}

// mac reads six pairs of hex digits with one separator.
func (r *run) mac(v *view, i int, sep byte) int {
	b := v.b
	if i+17 > len(b) || i > 0 && (isAlnum(b[i-1]) || b[i-1] == sep) || !closing(b, i+17) || i+17 < len(b) && b[i+17] == sep {
		return i
	}
	same := true
	for k := range 17 {
		c := b[i+k]
		if k%3 == 2 {
			if c != sep {
				return i
			}
		} else if class[c]&cHex == 0 {
			return i
		}
		if k%3 != 2 {
			same = same && (c|0x20 == 'f' || c == '0')
		}
	}
	if !same {
		r.emit(v, i, i+17, MACAddress, "", 0.95, "hardware address")
	}
	return i + 17
}

// geo reads "lat, lon" with at least four decimals each.
func (r *run) geo(v *view, i, j int) int {
	b := v.b
	if !r.want(placeBit) || j-i > 3 {
		return j
	}
	_, k := coordinate(b, i, 90)
	if k == i {
		return j
	}
	start := i
	if start > 0 && b[start-1] == '-' {
		start--
	}
	n := k
	for n < len(b) && n-k < 3 && (b[n] == ',' || b[n] == ' ' || b[n] == ';') {
		n++
	}
	if n < len(b) && n > k {
		m := n
		if b[m] == '-' || b[m] == '+' {
			m++
		}
		if _, e := coordinate(b, m, 180); e > m {
			r.emit(v, start, e, Location, "GEO", 0.9, "pair of coordinates")
			return e
		}
	}
	return j
}

// coordinate reads digits, a dot and at least four decimals; i if there are none.
func coordinate(b []byte, i, limit int) (whole, end int) {
	j := i
	for j < len(b) && isDigit(b[j]) && j-i < 4 {
		whole = whole*10 + int(b[j]-'0')
		j++
	}
	if j == i || whole > limit || j >= len(b) || b[j] != '.' {
		return 0, i
	}
	k := j + 1
	for k < len(b) && isDigit(b[k]) {
		k++
	}
	if k-j-1 < 4 || k-j-1 > 12 {
		return 0, i
	}
	return whole, k
}

package pii

// tlds holds the top-level domains that a bare "name.tld" needs; with "@" or a
// scheme any label of letters will do.
var bareTLD = map[string]bool{"com": true, "org": true, "net": true, "edu": true, "gov": true}

func localByte(c byte) bool { return byteKinds[c]&kLocal != 0 }

func hostByte(c byte) bool { return byteKinds[c]&kHost != 0 }

func urlByte(c byte) bool { return byteKinds[c]&kURL != 0 }

// Kinds of bytes: of an address before and behind its sign, of a URL, and of hex
// or base64 in either alphabet.
const (
	kLocal = 1 << iota
	kHost
	kURL
	kEncoded
)

var byteKinds = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		if isAlnum(c) || indexByte("._%+-'", c) >= 0 || c >= 0x80 {
			t[i] |= kLocal
		}
		if isAlnum(c) || c == '.' || c == '-' || c >= 0x80 {
			t[i] |= kHost
		}
		if c > ' ' && indexByte("\"<>\\^`{|}", c) < 0 {
			t[i] |= kURL
		}
		if isAlnum(c) || indexByte("+/-_=", c) >= 0 {
			t[i] |= kEncoded
		}
	}
	return t
}()

const (
	maxLocal = 64  // RFC 5321 section 4.5.3.1.1
	maxHost  = 253 // RFC 1035
	maxURL   = 4096
)

// at grows an e-mail address both ways from the "@" at i.
func (r *run) at(v *view, i int) int {
	b := v.b
	lo := i
	for lo > 0 && i-lo < maxLocal && localByte(b[lo-1]) {
		lo--
	}
	for lo < i && !isAlnum(b[lo]) && b[lo] < 0x80 && b[lo] != '_' && b[lo] != '+' {
		lo++
	}
	hi := i + 1
	for hi < len(b) && hi-i <= maxHost && hostByte(b[hi]) {
		hi++
	}
	hi = trimHost(b, i+1, hi)
	dot := lastDot(b[i+1 : hi])
	if lo == i || b[i-1] == '.' || dot <= 0 || hi-(i+1)-dot-1 < 2 || !letters(b[i+1+dot+1:hi]) {
		return i
	}
	if r.s.want&emailBit != 0 {
		r.emit(v, lo, hi, Email, "", 0.97, "address with @")
	}
	if r.want(secretBit) {
		return max(hi, r.pair(v, hi))
	}
	return hi
}

func trimHost(b []byte, lo, hi int) int {
	for hi > lo && (b[hi-1] == '.' || b[hi-1] == '-') {
		hi--
	}
	return hi
}

func lastDot(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '.' {
			return i
		}
	}
	return -1
}

func letters(b []byte) bool {
	for _, c := range b {
		if class[c]&(cUpper|cLower|cHigh) == 0 {
			return false
		}
	}
	return len(b) > 0
}

// url handles "://" at i: the scheme before it, the rest after it, and a
// password in its user information.
func (r *run) url(v *view, i int) int {
	b := v.b
	if r.urlEnd > v.src(i) && !v.fixed {
		return i + 3 // inside a URL that has been read
	}
	lo := i
	for lo > 0 && i-lo < 24 && (isAlnum(b[lo-1]) || b[lo-1] == '+' || b[lo-1] == '.' || b[lo-1] == '-') {
		lo--
	}
	hi := i + 3
	for hi < len(b) && hi-lo < maxURL && urlByte(b[hi]) {
		hi++
	}
	for hi > i+3 && trailing(b[hi-1]) {
		hi--
	}
	r.urlEnd = v.srcEnd(hi)
	if lo == i || hi <= i+3 {
		return i + 3
	}
	end := hi
	host := i + 3
	for k := i + 3; k < hi && b[k] != '/' && b[k] != '?' && b[k] != '#'; k++ {
		if b[k] == '@' {
			host = k + 1
		}
	}
	if host > i+3 {
		r.userInfo(v, i+3, host-1)
	}
	if dot := hostDot(b[host:hi]); dot && r.want(urlBit) && (b[lo]|0x20) != 'f' || r.want(urlBit) && host > i+3 {
		r.emit(v, lo, hi, URL, "", 0.9, "URL")
	}
	if s := hookSecret(b[i+3 : hi]); s {
		r.emit(v, lo, hi, Secret, "slack-webhook-url", 0.95, "webhook URL")
		return end
	}
	if host > i+3 {
		return host // the host and the query are scanned on
	}
	return i + 3
}

func trailing(c byte) bool {
	return c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?' || c == ')' || c == ']' || c == '\''
}

// hostDot reports whether the host part of b has a dot followed by a label of letters.
func hostDot(b []byte) bool {
	k := 0
	for k < len(b) && hostByte(b[k]) {
		k++
	}
	k = trimHost(b, 0, k)
	d := lastDot(b[:k])
	return d > 0 && k-d-1 >= 2 && letters(b[d+1:k])
}

// userInfo reports the password of "user:password" at b[lo:hi].
func (r *run) userInfo(v *view, lo, hi int) {
	for k := lo; k < hi; k++ {
		if v.b[k] == ':' && k+1 < hi && !placeholder(v.b[k+1:hi]) {
			r.emit(v, k+1, hi, Secret, "PASSWORD", 0.93, "password in a URL")
			return
		}
	}
}

// domain handles the dot at i of a bare host name such as example.com.
func (r *run) domain(v *view, i int) int {
	b := v.b
	if !r.want(urlBit|secretBit) || i == 0 || i+3 >= len(b) || class[b[i+1]]&cLower == 0 {
		return i
	}
	hi := i + 1
	for hi < len(b) && hi-i <= 4 && isAlnum(b[hi]) {
		hi++
	}
	if !bareTLD[string(b[i+1:hi])] || hi < len(b) && (isWord(b[hi]) || b[hi] == '-' || b[hi] == '.' && hi+1 < len(b) && isAlnum(b[hi+1]) || b[hi] == '@' || b[hi] == '(') {
		return i
	}
	lo := i
	for lo > 0 && i-lo < 64 && hostByte(b[lo-1]) && b[lo-1] < 0x80 {
		lo--
	}
	if lo == i || lo > 0 && (b[lo-1] == '@' || b[lo-1] == '/' || b[lo-1] == '\\' || b[lo-1] == '_') || i-lo < 2 {
		return i
	}
	k := hi
	if k < len(b) && b[k] == '/' {
		for k < len(b) && k-lo < maxURL && urlByte(b[k]) {
			k++
		}
		for k > hi && trailing(b[k-1]) {
			k--
		}
	}
	if hookSecret(b[lo:k]) {
		r.emit(v, lo, k, Secret, "slack-webhook-url", 0.95, "webhook URL")
		return k
	}
	r.emit(v, lo, k, URL, "", 0.6, "host name")
	return hi
}

// plusPhone reads an international number: "+", a country code and 7-15 digits
// (ITU-T E.164) with single separators or parentheses.
func (r *run) plusPhone(v *view, i int) int {
	if i > 0 && isWord(v.b[i-1]) {
		return i
	}
	j, n := phoneSpan(v.b, i+1)
	if n < 8 || n > 15 || j < len(v.b) && isWord(v.b[j]) && v.b[j] < 0x80 {
		return i
	}
	r.emit(v, i, j, Phone, "", 0.9, "international number")
	return j
}

// parenPhone reads "(555) 123-4567" and "(0)30 1234567".
func (r *run) parenPhone(v *view, i int) int {
	b := v.b
	if i+5 >= len(b) || !isDigit(b[i+1]) {
		return i
	}
	j, n := phoneSpan(b, i)
	if n < 9 || n > 13 || !closing(b, j) {
		return i
	}
	lo := i
	if i >= 2 && b[i-1] == ' ' && isDigit(b[i-2]) && (i == 2 || !isAlnum(b[i-3])) {
		lo = i - 2 // a trunk prefix such as "0 (532)"
	}
	r.emit(v, lo, j, Phone, "", 0.85, "number with an area code in parentheses")
	return j
}

// phoneSpan counts digits from i over single separators, and parentheses around
// an area code.
func phoneSpan(b []byte, i int) (end, n int) {
	end = i
	for k := i; k < len(b) && n <= 15 && k-i < 32; {
		c := b[k]
		switch {
		case isDigit(c):
			n++
			k++
			end = k
			continue
		case c == '(' && k+1 < len(b) && isDigit(b[k+1]):
			k++
			continue
		case c == ')' && k+1 < len(b) && (isDigit(b[k+1]) || b[k+1] == ' ' || b[k+1] == '-'):
			k++
			if k+1 < len(b) && !isDigit(b[k]) && isDigit(b[k+1]) {
				k++
			}
			continue
		case (c == ' ' || c == '-' || c == '.' || c == '/') && k+1 < len(b) && (isDigit(b[k+1]) || b[k+1] == '('):
			k++
			continue
		}
		break
	}
	return end, n
}

// phoneNumber decides whether a digit group is a telephone number: a word or key
// says so, or it is grouped as one country prints it.
func (r *run) phoneNumber(v *view, i, j int, g *num) bool {
	if !r.want(phoneBit) || g.n < 7 || g.n > 15 {
		return false
	}
	if i > 0 && (v.b[i-1] == '$' || v.b[i-1] == '#' || v.b[i-1] == '/') {
		return false
	}
	d := g.digits()
	near := &r.near
	alone := v.bare && i == 0 && j == len(v.b)
	score := 0.0
	switch {
	case sequential(d) || allSame(d) || near.set.has(cVersion) || v.opaque:
	case near.set.has(cPhone) && g.nr == 1 && (g.n > 11 || g.n == 8 && near.set.has(cOrder)):
	case near.set.has(cPhone) && g.sep != ':' && !v.number && !near.set.has(cCard) && !near.set.has(cBank) && near.dist[cPhone] <= 40:
		score = 0.85
	case g.nr == 3 && g.shape(3, 3, 4) && g.sep != 'x' && g.sep != '/' && g.sep != ':' && d[0] >= 2 && d[3] >= 1 && !near.set.has(cOrder):
		score = 0.75
	case g.shape(1, 3, 3, 4) && d[0] == 1 && g.sep != ':':
		score = 0.8
	case d[0] == 0 && d[1] != 0 && (g.nr >= 3 || g.nr == 2 && g.runs[0] >= 3 && g.runs[0] <= 5 && g.sep != '.') && g.n >= 9 && g.n <= 12 && g.sep != ':' && g.sep != '/' && !near.set.has(cOrder):
		score = 0.7
	case g.shape(3, 3, 2, 2) && d[0] == 5 && g.sep != ':':
		score = 0.7
	case g.nr == 1 && g.n == 11 && d[0] == 0 && (d[1] == 5 || d[1] == 7 || d[1] == 9 || alone && d[1] != 0) && !v.number && !near.set.has(cOrder):
		score = 0.55
	case alone && g.nr == 1 && g.n == 10 && (d[0] == 2 || d[0] == 5):
		score = 0.5
	}
	if score == 0 {
		return false
	}
	r.emit(v, i, j, Phone, "", score, "telephone number")
	return true
}

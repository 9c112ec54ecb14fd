package pii

import "bytes"

// Values that are masked or spoken of, and still tell something.

// maskedSSN reads "XXX-XX-1234" at the token b[i:j].
func (r *run) maskedSSN(v *view, i, j int) int {
	b := v.b
	k := j + 8
	if k > len(b) || b[j] != '-' || b[j+1]|0x20 != 'x' || b[j+2]|0x20 != 'x' || b[j+3] != '-' || !onlyDigits(b[j+4:k]) || !closing(b, k) {
		return j
	}
	r.emit(v, i, k, SSN, "", 0.8, "masked number with its last four digits")
	return k
}

// maskedCard reads "4532************7890" at the digits b[i:j].
func (r *run) maskedCard(v *view, i, j int) int {
	b := v.b
	if n := j - i; n != 4 && n != 6 {
		return i
	}
	k, stars := j, 0
	for k < len(b) && (b[k] == '*' || b[k] == ' ' || b[k] == '-') && k-j < 20 {
		if b[k] == '*' {
			stars++
		}
		k++
	}
	if stars < 6 || k+4 > len(b) || !onlyDigits(b[k:k+4]) || !closing(b, k+4) {
		return i
	}
	r.emit(v, i, k+4, CreditCard, "", 0.8, "masked card number")
	return k + 4
}

// pair reads the password of "user@host / password" after an address that ends
// at i: it must mix letters, digits and other characters.
func (r *run) pair(v *view, i int) int {
	b := v.b
	k := i
	for k < len(b) && k-i < 3 && (b[k] == ' ' || b[k] == '/' || b[k] == ':' || b[k] == '|') {
		k++
	}
	if k == i || k < len(b) && count(b[i:k], ' ') == k-i {
		return i
	}
	e := valueEnd(b, k, 0)
	for e > k && (b[e-1] == '.' || b[e-1] == ',') {
		e--
	}
	if port(b[k:e]) {
		return i
	}
	if e-k < 6 || e-k > 64 || !mixedCase(b[k:e]) || !special(b[k:e]) || count(b[k:e], '/') > 0 || count(b[k:e], '@') > 1 {
		return i
	}
	r.emit(v, k, e, Secret, "PASSWORD", 0.8, "password after an address")
	return e
}

// port reports whether b begins as a port does, and then as the path of a URL or as
// an encoded sign: "db.example.org:5432%2Fx%22" has no password behind its host.
func port(b []byte) bool {
	n := 0
	for n < len(b) && n < 6 && isDigit(b[n]) {
		n++
	}
	return n > 0 && n < 6 && n < len(b) && (b[n] == '/' || n+2 < len(b) && b[n] == '%' && class[b[n+1]]&class[b[n+2]]&cHex != 0)
}

// special reports whether b has punctuation as passwords have.
func special(b []byte) bool {
	for _, c := range b {
		if indexByte("!@#$%^&*?+=~", c) >= 0 {
			return true
		}
	}
	return false
}

// What stands around an age. afterAge has the first letters of agesAfter.
var (
	agesAfter = []string{"years old", "year old", "year-old", "years-old", "y/o", "yo ", "yo,", "yo.", "yrs old", "years of age", "Jahre alt", "-year", "jahrig", "ans,", "jaar oud"}
	agesAhead = []string{"aged ", "age ", "age: ", "age of ", "Age ", "Age: ", "Aged ", "age is ", "turned ", "Alter: ", "Alter ", "he was ", "she was ", "I am ", "i'm ", "I'm ", "edad: ", "eta: "}
)

const afterAge = "yJja-"

// age reads "31 years old", "aged 31", "i'm 31 y/o" at the digits b[i:j].
func (r *run) age(v *view, i, j int) int {
	b := v.b
	if v.number || i > 0 && !(b[i-1] == ' ' || b[i-1] == ':' || b[i-1] == '(' || b[i-1] == '-') {
		return j
	}
	if n := value(b[i:j]); n < 1 || n > 125 {
		return j
	}
	rest := b[j:min(len(b), j+14)]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '-') {
		rest = rest[1:]
	}
	score := 0.0
	if len(rest) > 0 && indexByte(afterAge, rest[0]) >= 0 {
		for _, p := range agesAfter {
			if hasPrefix(rest, p) {
				score = 0.85
			}
		}
	}
	if score == 0 && i > 0 && b[i-1] == ' ' && closing(b, j) {
		before := b[max(0, i-16):i]
		for _, p := range agesAhead {
			if bytes.HasSuffix(before, []byte(p)) && score == 0 {
				score = 0.7
			}
		}
		if score > 0 && j < len(b) && b[j] == ' ' && j+1 < len(b) && class[b[j+1]]&cLower != 0 && !hasPrefix(rest, "and") && !hasPrefix(rest, "who") {
			score = 0
		}
	}
	if score == 0 {
		return j
	}
	r.emit(v, i, j, Age, "", score, "age in words")
	return j + 1
}

// dashed reads a code in pieces joined by dashes, such as a licence number, that
// stands beside a word for one.
func (r *run) dashed(v *view, i, j int) int {
	b := v.b
	k, n := j, j-i
	if b[j] != '-' || class[b[i]]&(cUpper|cDigit) == 0 {
		return i
	}
	for k+1 < len(b) && b[k] == '-' && isAlnum(b[k+1]) && n <= 24 {
		e := k + 1
		for e < len(b) && isAlnum(b[e]) {
			e++
		}
		n += e - k - 1
		k = e
	}
	if n < 7 || n > 24 || !closing(b, k) || digitCount(b[i:k]) < 5 {
		return i
	}
	for _, c := range b[i:k] {
		if class[c]&cLower != 0 {
			return i
		}
	}
	r.near.look(v, i, k)
	near := &r.near
	switch {
	case near.set.has(cDriver) && near.dist[cDriver] <= 28:
		r.emit(v, i, k, DriverLicense, "", 0.75, "code beside a word for a licence")
	case near.set.has(cMRN) && near.dist[cMRN] <= 28:
		r.emit(v, i, k, HealthID, "MRN", 0.75, "code beside a word for a patient")
	case near.set.has(cPassport) && near.dist[cPassport] <= 28:
		r.emit(v, i, k, Passport, "", 0.75, "code beside a word for a passport")
	default:
		return i
	}
	return k
}

// postcode reads the digits b[i:j] after a word for a postal code: "ZIP: 94105",
// "PLZ 80331", "7412 SL", "394 13", "53-320".
func (r *run) postcode(v *view, i, j int) int {
	b := v.b
	hi := i
	for hi > 0 && i-hi < 4 && (b[hi-1] == ' ' || b[hi-1] == ':' || b[hi-1] == '#' || b[hi-1] == '=') {
		hi--
	}
	lo := nameStart(b, hi)
	if hi == i || lo == hi || hi-lo > 16 {
		return j
	}
	var buf [40]byte
	set, ok := ctxWords[string(buf[:foldWord(buf[:0], b[lo:hi], 38)])]
	if !ok || !set.has(cZIP) {
		return j
	}
	k := j
	if k+2 < len(b) && (b[k] == ' ' || b[k] == '-') {
		e := k + 1
		for e < len(b) && isAlnum(b[e]) {
			e++
		}
		if t := b[k+1 : e]; onlyDigits(t) && len(t) <= 4 && len(t) >= 2 || len(t) == 2 && noLower(t) && letters(t) {
			k = e
		}
	}
	if k == j && (j-i < 4 || !closing(b, j)) {
		return j
	}
	r.emit(v, i, k, Location, "", 0.8, "postal code beside a word for one")
	return max(k, j+1)
}

package pii

// byKey judges a whole value by the rule of its key.
func (r *run) byKey(v *view) {
	b := v.b
	i, j := trim(b, 0, len(b))
	h := v.hint
	n := j - i
	if n == 0 || n > 400 || h.typ == "" {
		return
	}
	t := b[i:j]
	ok, score := false, 0.9
	switch h.mode {
	case mName:
		ok = nameLike(t, true)
	case mMaybe:
		ok = nameLike(t, false) && (knownName(t) || v.prose && count(t, ' ') > 0)
		score = 0.75
	case mDate:
		ok = dateLike(t)
		score = 0.96
	case mCode:
		ok = n >= 4 && n <= 40 && (h.sub != "VIN" || n == 17) && hasDigit(t) && (count(t, ' ') <= 3) && !uuidLike(t) || h.sub == "" && h.typ == BankAccount && n >= 6 && n <= 11 && noLower(t) && letters(t)
	case mDigits:
		ok = digitCount(t) >= 4 && digitCount(t)*2 > n && n <= 40 && letterCount(t) <= 4
		if h.typ == CreditCard {
			ok = ok && digitCount(t) >= 12
		}
		if h.sub == "US_ABA" {
			ok = ok && digitCount(t) == 9
		}
		if h.typ == SSN {
			ok = ok && (digitCount(t) == 9 && plausibleSSN(t) || digitCount(t) == 4)
		}
	case mPhone:
		ok = digitCount(t) >= 7 && digitCount(t) <= 15 && letterCount(t) <= 4
	case mAge:
		ok = n <= 3 && onlyDigits(t) && int(value(t)) <= 130
	case mPlace, mOrg:
		ok = n >= 2 && n <= 80 && class[t[0]]&(cUpper|cHigh) != 0 && !hasDigit(t)
		if h.mode == mOrg {
			ok = n >= 2 && n <= 80 && class[t[0]]&(cUpper|cHigh|cDigit) != 0 && !v.number
		}
		if h.typ == NRP {
			ok = n >= 3 && n <= 60 && !hasDigit(t)
		}
		score = 0.8
	case mAddress:
		ok = n >= 4 && n <= 200 && letterCount(t) >= 3 && (hasDigit(t) || count(t, ' ') > 0) && count(t, '@') == 0 && !addressLike0x(t) && count(t, ':') == 0
	case mCoord:
		_, e := coordinate(b, skipSign(b, i), 180)
		ok = e == j
	case mPass:
		ok = secretValue(t, 2)
	case mSecret:
		i = scheme(b, i) // {"authorization":"Bearer ..."}
		ok = i < j && secretValue(b[i:j], 1)
	}
	if ok {
		r.emit(v, i, j, h.typ, h.sub, score, h.why)
	}
}

func skipSign(b []byte, i int) int {
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		return i + 1
	}
	return i
}

func addressLike0x(t []byte) bool {
	return len(t) > 2 && t[0] == '0' && t[1] == 'x' || len(t) > 24 && count(t, ' ') == 0
}

func trim(b []byte, i, j int) (int, int) {
	for i < j && b[i] <= ' ' {
		i++
	}
	for j > i && b[j-1] <= ' ' {
		j--
	}
	return i, j
}

func hasDigit(b []byte) bool { return digitCount(b) > 0 }

func digitCount(b []byte) (n int) {
	for _, c := range b {
		if isDigit(c) {
			n++
		}
	}
	return n
}

func letterCount(b []byte) (n int) {
	for _, c := range b {
		if class[c]&(cUpper|cLower|cHigh) != 0 {
			n++
		}
	}
	return n
}

func value(b []byte) (n int64) {
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	return n
}

func plausibleSSN(b []byte) bool {
	var d [9]byte
	n := 0
	for _, c := range b {
		if isDigit(c) {
			d[n] = c - '0'
			n++
		}
	}
	return usSSN(d[:])
}

func uuidLike(b []byte) bool {
	return len(b) == 36 && b[8] == '-' && b[13] == '-' && b[18] == '-' && b[23] == '-'
}

// dateLike reports whether b is a date and nothing else.
func dateLike(b []byte) bool {
	if len(b) < 4 || len(b) > 40 {
		return false
	}
	if n := digitCount(b); n < 4 || n > 17 {
		return onlyMonth(b)
	}
	for _, c := range b {
		if isWord(c) || c == '-' || c == '/' || c == '.' || c == ' ' || c == ',' || c == ':' || c == '+' {
			continue
		}
		return false
	}
	return true
}

func onlyMonth(b []byte) bool {
	m, _ := monthAt(b, 0)
	return m > 0 && digitCount(b) > 0
}

// nameLike reports whether b has the form of a person's name: one to five
// capitalised words without digits. Some accepts one word.
func nameLike(b []byte, one bool) bool {
	if len(b) < 2 || len(b) > 80 {
		return false
	}
	words, caps := 0, 0
	for i := 0; i < len(b); {
		c := b[i]
		if c == ' ' || c == ',' || c == '.' {
			i++
			continue
		}
		if class[c]&(cUpper|cLower|cHigh) == 0 && c != '(' {
			return false
		}
		words++
		if class[c]&(cUpper|cHigh) != 0 {
			caps++
		}
		for i < len(b) && b[i] != ' ' && b[i] != ',' {
			if class[b[i]]&(cUpper|cLower|cHigh) == 0 && b[i] != '-' && b[i] != '\'' && b[i] != '.' && b[i] != ')' && b[i] != '(' {
				return false
			}
			i++
		}
	}
	if words == 1 && (!one || len(b) < 2) {
		return knownName(b)
	}
	return words <= 5 && caps*2 > words-1 && caps > 0
}

// keyedNumber judges a digit group that no check explains by the words near it.
func (r *run) keyedNumber(v *view, i, j int, g *num) bool {
	n := &r.near
	if v.opaque || n.set.has(cVersion) {
		return false
	}
	type rule struct {
		c        ctx
		typ      Type
		sub      string
		min, max int
		dist     uint8
	}
	for _, k := range [...]rule{
		{cMRN, HealthID, "MRN", 5, 12, 30}, {cPassport, Passport, "", 7, 9, 30}, {cDriver, DriverLicense, "", 7, 12, 30},
		{cBank, BankAccount, "", 7, 17, 40}, {cCard, CreditCard, "", 14, 19, 24}, {cIMEI, DeviceID, "IMEI", 14, 15, 20},
		{cZIP, Location, "ZIP_CODE", 4, 6, 16},
	} {
		if !n.set.has(k.c) || n.dist[k.c] > k.dist || g.n < k.min || g.n > k.max || r.s.want&bitOf(k.typ) == 0 || g.nr > 5 || g.sep == ':' {
			continue
		}
		if n.set.has(cOrder) && n.dist[cOrder] < n.dist[k.c] || k.typ == CreditCard && (allSame(g.digits()) || sequential(g.digits())) || v.number && !v.key.has(k.c) {
			continue
		}
		if k.typ == CreditCard && !luhn(g.digits()) {
			continue
		}
		r.emit(v, i, j, k.typ, k.sub, 0.7, "number beside a word for "+label(k.typ, k.sub))
		return true
	}
	return false
}

// keyedToken judges a token of letters and digits, without a form, by the words
// near it.
func (r *run) keyedToken(v *view, i, j int, m uint8, t *token) int {
	if t.n < 6 || t.n > 18 || m&cLower != 0 && m&cUpper != 0 && t.n > 10 || v.opaque || r.s.want&^(secretBit|proseBits) == 0 {
		return i
	}
	if m&cLower != 0 && (allHex(v.b[i:j]) || t.n > 12) {
		return i
	}
	alone := v.bare && i == 0 && j == len(v.b)
	r.near.look(v, i, j)
	n := &r.near
	switch {
	case n.set.has(cPassport) && n.dist[cPassport] <= 32 && t.n <= 10 && digitCount(t.b[:t.n]) >= 5:
		r.emit(v, i, j, Passport, "", 0.8, "token beside a word for a passport")
	case n.set.has(cPlate) && n.dist[cPlate] <= 28 && !(n.set.has(cDriver) && n.dist[cDriver] < n.dist[cPlate]) && t.n <= 10 && m&cLower == 0:
		r.emit(v, i, j, VehicleID, "", 0.75, "token beside a word for a number plate")
	case n.set.has(cMRN) && n.dist[cMRN] <= 28 && digitCount(t.b[:t.n]) >= 4:
		r.emit(v, i, j, HealthID, "MRN", 0.75, "token beside a word for a patient")
	case n.set.has(cDriver) && n.dist[cDriver] <= 28 && digitCount(t.b[:t.n]) >= 5 && m&cLower == 0:
		r.emit(v, i, j, DriverLicense, "", 0.7, "token beside a word for a licence")
	case n.set.has(cBank) && n.dist[cBank] <= 28 && digitCount(t.b[:t.n]) >= 7 && m&cLower == 0:
		r.emit(v, i, j, BankAccount, "", 0.7, "token beside a word for an account")
	case alone && (t.is("AAA999AA")):
		r.emit(v, i, j, VehicleID, "", 0.5, "form of a number plate")
	default:
		return i
	}
	return j
}

// word looks at a token of letters that does not end the text: the beginning of
// forms in several pieces, of dates, and words that announce a password.
func (r *run) word(v *view, i, j int) int {
	b := v.b
	if j-i <= 3 && r.s.want != secretBit && (isSep(b[j])) && isAlnum(b[j+1]) {
		if k := r.lettersThen(v, i, j); k > i {
			return k
		}
	}
	if j-i < 3 {
		return j
	}
	if b[i] == 'X' && j-i == 3 || b[i] == 'x' && j-i == 3 {
		return r.maskedSSN(v, i, j)
	}
	switch b[i] | 0x20 {
	case 'j', 'f', 'm', 'a', 's', 'o', 'n', 'd', 'e', 'g':
		if class[b[i]]&cUpper != 0 && r.want(dateBit) && (b[j] == ' ' || b[j] == '.') {
			if k := r.monthFirst(v, i); k > i {
				return k
			}
		}
	case 'p', 'k', 'c':
		if j-i >= 6 && b[j] != '=' && b[j] != ':' && r.want(secretBit) {
			return max(j, r.spoken(v, i, j))
		}
	}
	return j
}

// passwordWord reports whether w is a word for a password in prose.
func passwordWord(w []byte) bool {
	var buf [16]byte
	switch string(buf[:foldWord(buf[:0], w, 14)]) {
	case "password", "passwort", "kennwort", "passphrase", "passcode", "contrasena", "passwd":
		return true
	}
	return false
}

// spoken reads "password is hunter2!" and "Passwort B@np0rt#24" in prose: the
// value must mix kinds of characters, for most words after "password" are words.
func (r *run) spoken(v *view, i, j int) int {
	b := v.b
	if !passwordWord(b[i:j]) {
		return j
	}
	k := j
	for _, w := range []string{" is", " was", " ist", " =", ":", " to"} {
		if hasPrefix(b[k:], w) {
			k += len(w)
		}
	}
	for k < len(b) && (b[k] == ' ' || b[k] == '\'' || b[k] == '"' || b[k] == '`' || b[k] == ':') {
		k++
	}
	quoted := byte(0)
	if k > 0 && (b[k-1] == '\'' || b[k-1] == '"' || b[k-1] == '`') {
		quoted = b[k-1]
	}
	e := valueEnd(b, k, quoted)
	for e > k && quoted == 0 && trailing(b[e-1]) && b[e-1] != '!' && b[e-1] != '?' {
		e--
	}
	if e-k < 6 || quoted == 0 && b[k] == '*' || e-k > 64 || !mixedCase(b[k:e]) && (quoted == 0 || !special(b[k:e])) || count(b[k:e], ' ') > 0 || placeholder(b[k:e]) || count(b[k:e], '/') > 0 || count(b[k:e], '(') > 0 {
		return j
	}
	r.emit(v, k, e, Secret, "PASSWORD", 0.85, "password in prose")
	return e
}

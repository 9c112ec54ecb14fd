package pii

// token is one alphanumeric candidate in upper case.
type token struct {
	b [40]byte
	n int
}

func (t *token) s() string { return string(t.b[:t.n]) }

// is matches the token against a mask: A letter, 9 digit, X either, others
// literally.
func (t *token) is(mask string) bool {
	if len(mask) != t.n {
		return false
	}
	for i := range t.n {
		c := t.b[i]
		switch m := mask[i]; m {
		case 'A':
			if c < 'A' || c > 'Z' {
				return false
			}
		case '9':
			if !isDigit(c) {
				return false
			}
		case 'X':
			if !isAlnum(c) {
				return false
			}
		default:
			if c != m {
				return false
			}
		}
	}
	return true
}

// digitsAt copies digit values of t.b[i:j].
func (t *token) digitsAt(dst []byte, i, j int) []byte {
	dst = dst[:0]
	for _, c := range t.b[i:j] {
		dst = append(dst, c-'0')
	}
	return dst
}

// upper fills t with b in upper case without the separators; false if too long.
func (t *token) upper(b []byte) bool {
	t.n = 0
	for _, c := range b {
		if isSep(c) {
			continue
		}
		if t.n == len(t.b) {
			return false
		}
		if c >= 'a' && c <= 'z' {
			c -= 0x20
		}
		t.b[t.n] = c
		t.n++
	}
	return true
}

// hit is what a form says about a token.
type hit struct {
	typ   Type
	sub   string
	c     ctx
	score float64 // without context, 0 if context is needed
	alone float64 // when the text is nothing else, or 0
}

// alnum looks at the token b[i:j], which has letters and digits, and returns the
// end of what it found, or i.
func (r *run) alnum(v *view, i, j int, m uint8) int {
	b := v.b
	if k := r.iban(v, i, j); k > i {
		return k
	}
	if m&(cHigh|cLine) != 0 {
		return i
	}
	if k := r.joined(v, i, j); k > i {
		return k
	}
	if !closing(b, j) || j-i < 5 {
		return i
	}
	var t token
	if !t.upper(b[i:j]) {
		return r.wallet(v, i, j)
	}
	if m&(cUpper|cLower) == cUpper|cLower && j-i >= 26 {
		if k := r.wallet(v, i, j); k > i {
			return k
		}
	}
	if b[i] == '0' && b[i+1] == 'x' {
		return r.wallet(v, i, j)
	}
	h, ok := form(&t)
	if !ok {
		return r.keyedToken(v, i, j, m, &t)
	}
	if m&cLower != 0 && m&cUpper != 0 && h.score < 0.9 {
		return i
	}
	return r.settle(v, i, j, h)
}

// settle adds context to a form and emits it if that is enough.
func (r *run) settle(v *view, i, j int, h hit) int {
	r.near.look(v, i, j)
	s := h.score
	switch {
	case r.near.set.has(h.c):
		s = max(0.8, s) + 0.12
	case h.typ == NationalID && r.near.set.has(cIDGeneric) && h.score > 0:
		s += 0.05
	case v.bare && i == 0 && j == len(v.b):
		s = max(s, h.alone)
	case r.near.set.has(cVersion) || v.opaque:
		s = 0
	}
	if s < 0.45 {
		return i
	}
	r.emit(v, i, j, h.typ, h.sub, min(s, 0.99), "form of "+label(h.typ, h.sub))
	return j
}

// form names the identifier whose form and check the token fits best.
func form(t *token) (hit, bool) {
	var buf [24]byte
	if n := t.n - 3; n >= 1 && n <= 6 && (hasPrefix(t.b[:t.n], "HRB") || hasPrefix(t.b[:t.n], "HRA")) && onlyDigits(t.b[3:t.n]) {
		return hit{CompanyID, "DE_HANDELSREGISTER", cHRB, 0.6, 0.7}, true
	}
	switch t.n {
	case 8:
		if t.is("9999999A") && nifLetter(int(number(t.digitsAt(buf[:], 0, 7)))) == t.b[7] {
			return hit{NationalID, "ES_NIF", cNIF, 0.5, 0.6}, true
		}
	case 9:
		return form9(t)
	case 10:
		return form10(t)
	case 11:
		return form11(t)
	case 12:
		if t.is("99999999A999") && deSV(t) {
			return hit{NationalID, "DE_SOCIAL_SECURITY", cDESV, 0.85, 0.9}, true
		}
	case 15:
		return form15(t)
	case 16:
		if t.is("AAAAAAXXAXXAXXXA") && itCF(t) {
			return hit{NationalID, "IT_FISCAL_CODE", cITCF, 0.92, 0.95}, true
		}
		if ukLicense(t) {
			return hit{DriverLicense, "UK_DRIVING_LICENCE", cDriver, 0.85, 0.9}, true
		}
	case 17:
		if c := vin(t); c > 0 {
			return hit{VehicleID, "VIN", cVIN, c, 0.6}, true
		}
	case 18:
		if t.is("99999999999999999X") && t.b[17] == 'X' && cnID(append(t.digitsAt(buf[:], 0, 17), 10)) {
			return hit{NationalID, "CN_RIC", cCNID, 0.95, 0.95}, true
		}
		if t.is("AAAA999999AAAAAAX9") && (t.b[10] == 'H' || t.b[10] == 'M') && dayMonth(int(number(t.digitsAt(buf[:], 8, 10))), int(number(t.digitsAt(buf[:], 6, 8)))) {
			return hit{NationalID, "MX_CURP", cCURP, 0.92, 0.95}, true
		}
	}
	return hit{}, false
}

func form9(t *token) (hit, bool) {
	var buf [24]byte
	switch {
	case t.is("A9999999A") && nric(t):
		return hit{NationalID, "SG_NRIC_FIN", cNRIC, 0.85, 0.9}, true
	case t.is("A9999999A") && nie(t):
		return hit{NationalID, "ES_NIE", cNIF, 0.88, 0.9}, true
	case t.is("99999999A") && nifLetter(int(number(t.digitsAt(buf[:], 0, 8)))) == t.b[8]:
		return hit{NationalID, "ES_NIF", cNIF, 0.8, 0.85}, true
	case t.is("99999999K") && clRUT(t.digitsAt(buf[:], 0, 8), 'K'):
		return hit{NationalID, "CL_RUT", cRUT, 0.6, 0.6}, true
	case t.is("AA999999A") && nino(t):
		return hit{NationalID, "UK_NINO", cNINO, 0.75, 0.8}, true
	case t.is("AA9999999") && dea(t):
		return hit{HealthID, "", cDEA, 0.72, 0.75}, true
	case t.is("AA99999AA"):
		return hit{NationalID, "IT_IDENTITY_CARD", cITID, 0, 0}, true
	case deDocument(t):
		return hit{Passport, "DE_PASSPORT", cPassport, 0, 0.55}, true
	case t.is("99999999A"):
		return hit{CompanyID, "SG_UEN", cUEN, 0, 0}, true
	}
	return hit{}, false
}

func form10(t *token) (hit, bool) {
	switch {
	case t.is("AAAAA9999A") && pan4(t.b[3]):
		return hit{TaxID, "IN_PAN", cPAN, 0.75, 0.8}, true
	case t.is("A999999999") && kvnr(t):
		return hit{HealthID, "DE_HEALTH_INSURANCE", cKVNR, 0.75, 0.8}, true
	case t.is("A999999999") && twID(t):
		return hit{NationalID, "TW_ID", cTWID, 0.75, 0.8}, true
	case t.is("AA9999999A"):
		return hit{DriverLicense, "IT_DRIVER_LICENSE", cDriver, 0.5, 0.6}, true
	case t.is("U1XXXXXX9A") || t.is("U1XXXXXXXA"):
		return hit{DriverLicense, "IT_DRIVER_LICENSE", cDriver, 0.5, 0.6}, true
	case t.is("999999999A") && (t.s()[:2] == "19" || t.s()[:2] == "20"):
		return hit{CompanyID, "SG_UEN", cUEN, 0.5, 0.6}, true
	case t.is("AA99AA9999") && inState(t.s()[:2]):
		return hit{VehicleID, "IN_VEHICLE_REGISTRATION", cPlate, 0.55, 0.7}, true
	}
	return hit{}, false
}

func form11(t *token) (hit, bool) {
	switch {
	case t.is("DE999999999"):
		return hit{CompanyID, "DE_VAT_ID", cVAT, 0.75, 0.8}, true
	case mbi(t):
		return hit{HealthID, "US_MBI", cMBI, 0.8, 0.85}, true
	case fiID(t):
		return hit{NationalID, "FI_PERSONAL_IDENTITY_CODE", cHETU, 0.88, 0.9}, true
	case t.is("AA99999999X"):
		return hit{DriverLicense, "DE_FUEHRERSCHEIN", cDriver, 0, 0.55}, true
	}
	return hit{}, false
}

func form15(t *token) (hit, bool) {
	if t.is("99AAAAA9999AXZX") && gstState(t.s()[:2]) {
		return hit{CompanyID, "IN_GSTIN", cGSTIN, 0.85, 0.9}, true
	}
	if t.is("99AAAAA9999A9A9") && gstState(t.s()[:2]) {
		return hit{CompanyID, "IN_GSTIN", cGSTIN, 0, 0}, true
	}
	return nirCorsica(t)
}

// nirCorsica: departments 2A and 2B stand for 19 and 18 (decree 82-103).
func nirCorsica(t *token) (hit, bool) {
	if !t.is("999992A99999999") && !t.is("999992B99999999") {
		return hit{}, false
	}
	c := *t
	if c.b[6] == 'A' {
		c.b[5], c.b[6] = '1', '9'
	} else {
		c.b[5], c.b[6] = '1', '8'
	}
	var buf [24]byte
	if frNIR(c.digitsAt(buf[:], 0, 15)) {
		return hit{NationalID, "FR_NIR", cNIR, 0.9, 0.9}, true
	}
	return hit{}, false
}

func gstState(s string) bool {
	n := int(s[0]-'0')*10 + int(s[1]-'0')
	return n >= 1 && n <= 38 || n == 97
}

func inState(s string) bool {
	const states = "AN AP AR AS BR CG CH DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TN TR TS UK UP WB"
	for i := 0; i+2 <= len(states); i += 3 {
		if states[i:i+2] == s {
			return true
		}
	}
	return false
}

func pan4(c byte) bool { return indexByte("PCHFATBLJGSOKEV", c) >= 0 }

const nifLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

func nifLetter(n int) byte { return nifLetters[n%23] }

// nie: X, Y, Z stand for 0, 1, 2 before the digits (RD 1553/2005).
func nie(t *token) bool {
	p := indexByte("XYZ", t.b[0])
	var buf [24]byte
	return p >= 0 && nifLetter(p*10000000+int(number(t.digitsAt(buf[:], 1, 8)))) == t.b[8]
}

// nric: weights 2 7 6 5 4 3 2, offset 4 for T and G, 3 for M.
func nric(t *token) bool {
	var buf [24]byte
	s := weighted(t.digitsAt(buf[:], 1, 8), 2, 7, 6, 5, 4, 3, 2)
	switch t.b[0] {
	case 'S':
		return "JZIHGFEDCBA"[s%11] == t.b[8]
	case 'T':
		return "JZIHGFEDCBA"[(s+4)%11] == t.b[8]
	case 'F':
		return "XWUTRQPNMLK"[s%11] == t.b[8]
	case 'G':
		return "XWUTRQPNMLK"[(s+4)%11] == t.b[8]
	case 'M':
		return "XWUTRQPNJLK"[10-(s+3)%11] == t.b[8] || "XWUTRQPNJLK"[(s+3)%11] == t.b[8]
	}
	return false
}

// nino: HMRC NIM39110.
func nino(t *token) bool {
	a, b := t.b[0], t.b[1]
	if indexByte("DFIQUV", a) >= 0 || indexByte("DFIQUVO", b) >= 0 || t.b[8] > 'D' {
		return false
	}
	switch string(t.b[:2]) {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return false
	}
	return true
}

// dea: (d1+d3+d5) + 2(d2+d4+d6) ends in d7; the first letter is a class.
func dea(t *token) bool {
	var buf [24]byte
	d := t.digitsAt(buf[:], 2, 9)
	return (int(d[0]+d[2]+d[4])+2*int(d[1]+d[3]+d[5]))%10 == int(d[6]) && number(d) != 0 && indexByte("ABCDEFGHJKLMPRSTUX", t.b[0]) >= 0
}

// deDocument: letter from the set of German documents, eight characters of
// 0-9 CFGHJKLMNPRTVWXYZ, check 7-3-1.
func deDocument(t *token) bool {
	if t.n != 9 || indexByte("CFGHJKLMNPRTVWXYZ", t.b[0]) < 0 {
		return false
	}
	sum, digits := 0, 0
	for i, c := range t.b[:9] {
		w := 0
		switch {
		case isDigit(c):
			w = int(c - '0')
			digits++
		case indexByte("CFGHJKLMNPRTVWXYZ", c) >= 0:
			w = int(c-'A') + 10
		default:
			return false
		}
		if i < 8 {
			sum += w * [3]int{7, 3, 1}[i%3]
		}
	}
	return digits >= 4 && isDigit(t.b[8])
}

// kvnr: the letter as two digits, then weights 1 2 with cross sums, mod 10.
func kvnr(t *token) bool {
	n := int(t.b[0]-'A') + 1
	sum := cross(n/10) + cross(n%10*2)
	for i, c := range t.b[1:9] {
		d := int(c - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += cross(d)
	}
	return sum%10 == int(t.b[9]-'0')
}

func cross(n int) int { return n/10 + n%10 }

// twID: letter values from the table of the Ministry of the Interior.
func twID(t *token) bool {
	if t.b[1] != '1' && t.b[1] != '2' {
		return false
	}
	n := indexByte("ABCDEFGHJKLMNPQRSTUVXYWZIO", t.b[0]) + 10
	sum := n/10 + n%10*9
	for i, c := range t.b[1:10] {
		w := 8 - i
		if w < 1 {
			w = 1
		}
		sum += int(c-'0') * w
	}
	return sum%10 == 0
}

// mbi: CMS positions C A AN N A AN N A A N N, no S L O I B Z.
func mbi(t *token) bool {
	if !t.is("9AX9AX9AA99") || t.b[0] == '0' {
		return false
	}
	for _, c := range t.b[:11] {
		if indexByte("SLOIBZ", c) >= 0 {
			return false
		}
	}
	return true
}

// fiID: ddmmyy, a sign for the century, nnn, and a check from a table mod 31.
func fiID(t *token) bool {
	if indexByte("-+ABCDEFUVWXY", t.b[6]) < 0 {
		return false
	}
	var d [9]byte
	for i := range 6 {
		d[i] = t.b[i] - '0'
	}
	for i := range 3 {
		d[6+i] = t.b[7+i] - '0'
	}
	for _, x := range d {
		if x > 9 {
			return false
		}
	}
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && number(d[6:]) >= 2 &&
		"0123456789ABCDEFHJKLMNPRSTUVWXY"[number(d[:])%31] == t.b[10]
}

// deSV: area, birth date, letter, serial, check by cross sums of the weights
// 2 1 2 5 7 1 2 1 2 1 2 1 (SGB VI section 147).
func deSV(t *token) bool {
	n := int(t.b[8]-'A') + 1
	d := [12]int{}
	for i := range 8 {
		d[i] = int(t.b[i] - '0')
	}
	d[8], d[9], d[10], d[11] = n/10, n%10, int(t.b[9]-'0'), int(t.b[10]-'0')
	sum := 0
	for i, w := range [12]int{2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1} {
		p := d[i] * w
		sum += p/10 + p%10
	}
	day := d[2]*10 + d[3]
	return day <= 81 && sum%10 == int(t.b[11]-'0')
}

// itCF: tables for odd and even places, letters may stand for digits (omocodia).
func itCF(t *token) bool {
	const odd = "\x01\x00\x05\x07\x09\x0d\x0f\x11\x13\x15\x02\x04\x12\x14\x0b\x03\x06\x08\x0c\x0e\x10\x0a\x16\x19\x18\x17"
	sum := 0
	for i, c := range t.b[:15] {
		k := int(c - 'A')
		if isDigit(c) {
			k = int(c - '0')
		}
		if i%2 == 0 {
			sum += int(odd[k])
		} else {
			sum += k
		}
	}
	return indexByte("ABCDEHLMPRST", t.b[8]) >= 0 && 'A'+byte(sum%26) == t.b[15]
}

// ukLicense: surname letters padded with 9, birth date, initials, check letters.
func ukLicense(t *token) bool {
	if !t.is("XXXXX999999XXXXX") || !isAlpha(t.b[0]) {
		return false
	}
	pad := false
	for _, c := range t.b[:5] {
		if isDigit(c) && c != '9' || pad && c != '9' {
			return false
		}
		pad = pad || c == '9'
	}
	month := int(t.b[6]-'0')*10 + int(t.b[7]-'0')
	day := int(t.b[8]-'0')*10 + int(t.b[9]-'0')
	return (month >= 1 && month <= 12 || month >= 51 && month <= 62) && day >= 1 && day <= 31 && isAlpha(t.b[11]) && isAlpha(t.b[14]) && isAlpha(t.b[15])
}

func isAlpha(c byte) bool { return c >= 'A' && c <= 'Z' }

// vin: ISO 3779 without I, O, Q; the check at position 9 is North American. The
// result is a score: 0 for no VIN at all.
func vin(t *token) float64 {
	const w = "\x08\x07\x06\x05\x04\x03\x02\x0a\x00\x09\x08\x07\x06\x05\x04\x03\x02"
	sum, digits := 0, 0
	for i, c := range t.b[:17] {
		k := 0
		switch {
		case isDigit(c):
			k = int(c - '0')
			digits++
		case c == 'I' || c == 'O' || c == 'Q':
			return 0
		case c <= 'H':
			k = int(c-'A') + 1
		case c <= 'R':
			k = int(c-'J') + 1
		default:
			k = int(c-'S') + 2
		}
		sum += k * int(w[i])
	}
	if digits < 5 || digits == 17 {
		return 0
	}
	check := byte('X')
	if sum%11 < 10 {
		check = '0' + byte(sum%11)
	}
	if t.b[8] == check && isDigit(t.b[13]) && isDigit(t.b[14]) && isDigit(t.b[15]) {
		return 0.75
	}
	return 0.1
}

package pii

// Checks of identifiers with letters in them; the token has the right form already.

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

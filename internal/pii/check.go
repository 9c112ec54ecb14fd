package pii

// Check digits. Each function takes digit values (0-9), not characters, and
// reports whether the check holds; length is the caller's matter unless said.

// luhn is the check of ISO/IEC 7812-1 annex B.
func luhn(d []byte) bool { return luhnSum(d)%10 == 0 }

func luhnSum(d []byte) int {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i%2 == 1 {
			v *= 2
			if v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum
}

// weighted is the sum of d[i]*w[i] over w.
func weighted(d []byte, w ...int) int {
	sum := 0
	for i, x := range w {
		sum += int(d[i]) * x
	}
	return sum
}

// number is the value of d, for at most 18 digits.
func number(d []byte) int64 {
	var n int64
	for _, x := range d {
		n = n*10 + int64(x)
	}
	return n
}

func allSame(d []byte) bool {
	for _, x := range d {
		if x != d[0] {
			return false
		}
	}
	return true
}

// sequential is 0123.. or 1234.. or 9876..: a placeholder, not an identifier.
func sequential(d []byte) bool {
	up, down := true, true
	for i := 1; i < len(d); i++ {
		up = up && d[i] == (d[i-1]+1)%10
		down = down && d[i] == (d[i-1]+9)%10
	}
	return up || down
}

// mod1110 is ISO 7064 MOD 11,10, used by German tax and VAT numbers.
func mod1110(d []byte) bool {
	p := 10
	for _, x := range d[:len(d)-1] {
		s := (int(x) + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return (11-p)%10 == int(d[len(d)-1])
}

// deTaxID: 11 digits, the first not 0; among the first ten exactly one digit
// occurs twice or three times (BZSt, section 139b AO).
func deTaxID(d []byte) bool {
	if d[0] == 0 || !mod1110(d) {
		return false
	}
	var n [10]int
	for _, x := range d[:10] {
		n[x]++
	}
	rep := 0
	for _, c := range n {
		if c > 3 {
			return false
		}
		if c > 1 {
			rep++
		}
	}
	return rep <= 1
}

// usSSN has no check digit since 2011: only impossible areas, groups and serials.
func usSSN(d []byte) bool {
	area, group, serial := number(d[:3]), number(d[3:5]), number(d[5:])
	return area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !allSame(d)
}

// usITIN: 9xx, group 50-65, 70-88, 90-92, 94-99 (IRM 3.21.263).
func usITIN(d []byte) bool {
	g := number(d[3:5])
	return d[0] == 9 && (g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94)
}

// usABA is the 3-7-1 check over the ranges that are in use.
func usABA(d []byte) bool {
	p := number(d[:2])
	ok := p <= 12 || p >= 21 && p <= 32 || p >= 61 && p <= 72 || p == 80
	return ok && number(d) != 0 && weighted(d, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0
}

// usNPI is Luhn over the prefix 80840, whose part of the sum is 24.
func usNPI(d []byte) bool { return (d[0] == 1 || d[0] == 2) && (luhnSum(d)+24)%10 == 0 }

// ukNHS is modulus 11 with weights 10 to 2; a check value of 10 is not issued.
func ukNHS(d []byte) bool {
	c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return c != 10 && c%11 == int(d[9]) && !allSame(d)
}

func auMedicare(d []byte) bool {
	return d[0] >= 2 && d[0] <= 6 && weighted(d, 1, 3, 7, 9, 1, 3, 7, 9)%10 == int(d[8]) && d[9] != 0
}

func auTFN(d []byte) bool {
	return number(d) != 0 && !sequential(d) && weighted(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0
}

func auABN(d []byte) bool {
	sum := -10 + weighted(d, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
	return d[0] != 0 && sum%89 == 0
}

func auACN(d []byte) bool {
	return number(d) != 0 && (10-weighted(d, 8, 7, 6, 5, 4, 3, 2, 1)%10)%10 == int(d[8])
}

// deLANR: weights 4 9 over six digits, check at digit 7.
func deLANR(d []byte) bool {
	return number(d) != 0 && (10-weighted(d, 4, 9, 4, 9, 4, 9)%10)%10 == int(d[6])
}

func deBSNR(d []byte) bool { return number(d) != 0 && number(d[:2]) >= 1 }

// nlBSN is the eleven test whose last weight is -1.
func nlBSN(d []byte) bool {
	return number(d) > 9999999 && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 && !allSame(d)
}

func ptNIF(d []byte) bool {
	if d[0] == 0 || d[0] == 7 || d[0] > 3 && !(d[0] == 4 && d[1] == 5) {
		return false
	}
	c := 11 - weighted(d, 9, 8, 7, 6, 5, 4, 3, 2)%11
	if c > 9 {
		c = 0
	}
	return c == int(d[8])
}

func caSIN(d []byte) bool { return d[0] != 0 && d[0] != 8 && !allSame(d) && luhn(d) }

func ilID(d []byte) bool { return number(d) != 0 && !allSame(d) && luhn(d) }

// plPESEL: weights 1 3 7 9 and a coded birth date.
func plPESEL(d []byte) bool {
	m := int(number(d[2:4])) % 20
	day := int(number(d[4:6]))
	return m >= 1 && m <= 12 && day >= 1 && day <= 31 &&
		(10-weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10])
}

// trID: the tenth digit from odd and even sums, the eleventh from all.
func trID(d []byte) bool {
	odd := int(d[0] + d[2] + d[4] + d[6] + d[8])
	even := int(d[1] + d[3] + d[5] + d[7])
	sum := 0
	for _, x := range d[:10] {
		sum += int(x)
	}
	return d[0] != 0 && ((odd*7-even)%10+10)%10 == int(d[9]) && sum%10 == int(d[10])
}

func brCPF(d []byte) bool {
	return !allSame(d) && brDigit(weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[9]) &&
		brDigit(weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10])
}

func brCNPJ(d []byte) bool {
	return !allSame(d) && brDigit(weighted(d, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[12]) &&
		brDigit(weighted(d, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[13])
}

// brDigit is the check digit of Brazilian numbers: 11 - sum mod 11, 10 and 11 become 0.
func brDigit(sum int) int {
	if r := sum % 11; r >= 2 {
		return 11 - r
	}
	return 0
}

func arCUIT(d []byte) bool {
	switch number(d[:2]) {
	case 20, 23, 24, 25, 26, 27, 30, 33, 34:
	default:
		return false
	}
	return (11-weighted(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11)%11 == int(d[10])
}

// beNN: 97 - (n mod 97), with a leading 2 for births from 2000.
func beNN(d []byte) bool {
	if m, day := number(d[2:4]), number(d[4:6]); m > 12 || day > 31 {
		return false
	}
	n, c := number(d[:9]), number(d[9:])
	return 97-n%97 == c || 97-(2000000000+n)%97 == c
}

// noFNR: two modulus 11 digits over a birth date (day + 40 for D numbers).
func noFNR(d []byte) bool {
	day := int(number(d[:2])) % 40
	if !dayMonth(day, int(number(d[2:4]))) {
		return false
	}
	k1 := (11 - weighted(d, 3, 7, 6, 1, 8, 9, 4, 5, 2)%11) % 11
	k2 := (11 - weighted(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11) % 11
	return k1 == int(d[9]) && k2 == int(d[10])
}

func itVAT(d []byte) bool { return number(d) != 0 && number(d[:7]) != 0 && luhn(d) }

// seDate accepts yymmdd with day + 60 for coordination numbers; Luhn over ten digits.
func sePNR(d []byte) bool {
	if len(d) == 12 {
		if c := number(d[:2]); c < 18 || c > 20 {
			return false
		}
		d = d[2:]
	}
	day := int(number(d[4:6]))
	if day > 60 {
		day -= 60
	}
	return dayMonth(day, int(number(d[2:4]))) && luhn(d)
}

// seOrg: the third digit is at least 2, which no birth month reaches.
func seOrg(d []byte) bool { return d[2] >= 2 && d[0] != 0 && luhn(d) }

func krBRN(d []byte) bool {
	s := weighted(d, 1, 3, 7, 1, 3, 7, 1, 3, 5) + int(d[8])*5/10
	return number(d[:3]) >= 101 && (10-s%10)%10 == int(d[9])
}

// krRRN: birth date, then the digit for sex and century. The check digit was
// dropped in October 2020, so it is not required.
func krRRN(d []byte) bool {
	return dayMonth(int(number(d[4:6])), int(number(d[2:4]))) && (d[6] >= 1 && d[6] <= 4 || d[6] == 9 || d[6] == 0)
}

func krFRN(d []byte) bool {
	return dayMonth(int(number(d[4:6])), int(number(d[2:4]))) && d[6] >= 5 && d[6] <= 8
}

func dkCPR(d []byte) bool {
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && number(d[6:]) != 0
}

func jpNumber(d []byte) bool {
	r := weighted(d, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
	c := 0
	if r > 1 {
		c = 11 - r
	}
	return !allSame(d) && c == int(d[11])
}

func thID(d []byte) bool {
	return d[0] >= 1 && d[0] <= 8 && thProvince(d[1], d[2]) &&
		(11-weighted(d, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == int(d[12])
}

// thProvince: the second and third digit are a province, 10 to 96 with gaps.
func thProvince(a, b byte) bool {
	switch p := int(a)*10 + int(b); p {
	case 28, 29, 59, 68, 69, 78, 79, 87, 88, 89:
		return false
	default:
		return p >= 10 && p <= 96
	}
}

// zaID: Luhn over a birth date, citizenship 0-2 and a digit that is 8 or 9.
func zaID(d []byte) bool {
	return dayMonth(int(number(d[4:6])), int(number(d[2:4]))) && d[10] <= 2 && luhn(d)
}

func chAHV(d []byte) bool { return number(d[:3]) == 756 && ean13(d) }

func ean13(d []byte) bool {
	return (10-weighted(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)%10)%10 == int(d[12])
}

// frNIR: 97 - (n mod 97); sex 1-4 or 7-8, month 1-12, 20-42 or 50-99.
func frNIR(d []byte) bool {
	m := number(d[3:5])
	if d[0] == 0 || d[0] > 4 && d[0] != 7 && d[0] != 8 || m == 0 || m > 12 && m < 20 || m > 42 && m < 50 {
		return false
	}
	return 97-number(d[:13])%97 == number(d[13:])
}

// aadhaar: Verhoeff, first digit 2-9, not a palindrome (UIDAI). The first digit
// 3 is the only one that published samples use outside that range.
func aadhaar(d []byte) bool {
	if d[0] < 2 {
		return false
	}
	pal := true
	for i := range d {
		pal = pal && d[i] == d[len(d)-1-i]
	}
	return !pal && verhoeff(d)
}

var (
	verhoeffD = [10]string{"0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
		"5987604321", "6598710432", "7659821043", "8765932104", "9876543210"}
	verhoeffP = [8]string{"0123456789", "1576283094", "5803796142", "8916043527", "9453126870",
		"4286573901", "2793806415", "7046913258"}
)

func verhoeff(d []byte) bool {
	c := byte(0)
	for i := range d {
		c = verhoeffD[c][verhoeffP[i%8][d[len(d)-1-i]]-'0'] - '0'
	}
	return c == 0
}

// cnID: ISO 7064 MOD 11-2 with the value 10 for X, a province and a birth date.
func cnID(d []byte) bool {
	y := number(d[6:10])
	if d[0] == 0 || y < 1850 || y > 2099 || !dayMonth(int(number(d[12:14])), int(number(d[10:12]))) {
		return false
	}
	s := weighted(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	return (12-s%11)%11 == int(d[17])
}

func clRUT(body []byte, check byte) bool {
	sum, w := 0, 2
	for i := len(body) - 1; i >= 0; i-- {
		sum += int(body[i]) * w
		if w++; w > 7 {
			w = 2
		}
	}
	switch c := 11 - sum%11; c {
	case 11:
		return check == '0'
	case 10:
		return check == 'K'
	default:
		return check == '0'+byte(c)
	}
}

func dayMonth(day, month int) bool {
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	switch month {
	case 4, 6, 9, 11:
		return day <= 30
	case 2:
		return day <= 29
	}
	return true
}

// cardIIN reports whether a number of n digits begins like a payment card.
func cardIIN(d []byte) bool {
	n := len(d)
	p1, p2, p3, p4 := int(d[0]), number(d[:2]), number(d[:3]), number(d[:4])
	switch {
	case p1 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case p2 >= 51 && p2 <= 55 || p4 >= 2221 && p4 <= 2720: // Mastercard
		return n == 16
	case p2 == 34 || p2 == 37: // American Express
		return n == 15
	case p3 >= 300 && p3 <= 305 || p2 == 36 || p2 == 38 || p2 == 39: // Diners Club
		return n == 14 || n == 16 || n == 19
	case p4 == 6011 || p2 == 65 || p3 >= 644 && p3 <= 649 || p2 == 62 || p2 == 81: // Discover, UnionPay
		return n >= 16
	case p4 >= 3528 && p4 <= 3589: // JCB
		return n >= 16
	case p4 == 2131 || p4 == 1800: // JCB, older
		return n == 15
	case p2 == 50 || p2 >= 56 && p2 <= 58 || p1 == 6: // Maestro
		return n >= 12
	case p4 == 1220, p2 == 10 || p2 == 20: // UATP and enRoute samples
		return n == 15
	}
	return false
}

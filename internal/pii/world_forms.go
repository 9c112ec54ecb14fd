package pii

// worldForm names identifiers with letters of more countries.
func worldForm(t *token) (hit, bool) {
	switch {
	case (t.n == 8 || t.n == 9) && t.is("9999999AA"[:t.n]) && iePPS(t):
		return hit{NationalID, "IE_PPS", cPPS, 0.6, 0.7}, true
	case t.n == 8 && t.is("A9999999") && hkID(t):
		return hit{NationalID, "HK_ID", cHKID, 0.55, 0.6}, true
	case t.n == 7 && t.is("AAA9999") && nzNHI(t):
		return hit{HealthID, "NZ_NHI", cNHI, 0, 0}, true
	case t.n == 12 && t.is("AAAA99999999") && ramq(t):
		return hit{HealthID, "CA_RAMQ", cRAMQ, 0.5, 0.6}, true
	case t.n == 13 && t.is("AAAA999999XXX") && rfc(t):
		return hit{TaxID, "MX_RFC", cRFC, 0.85, 0.9}, true
	case t.n == 12 && t.is("AAA999999XXX") && dayMonth(pair(t, 7), pair(t, 5)):
		return hit{CompanyID, "MX_RFC", cRFC, 0, 0}, true
	}
	return hit{}, false
}

func pair(t *token, i int) int { return int(t.b[i]-'0')*10 + int(t.b[i+1]-'0') }

// iePPS: weights 8 to 2, and 9 for a second letter, modulus 23.
func iePPS(t *token) bool {
	var buf [24]byte
	s := weighted(t.digitsAt(buf[:], 0, 7), 8, 7, 6, 5, 4, 3, 2)
	if t.n == 9 && t.b[8] != 'W' {
		s += 9 * int(t.b[8]-'A'+1)
	}
	return "WABCDEFGHIJKLMNOPQRSTUV"[s%23] == t.b[7]
}

// hkID: letter and six digits with weights 8 to 2, a blank before the letter counts
// as 36; the check is written in parentheses.
func hkID(t *token) bool {
	sum := 36*9 + int(t.b[0]-'A'+10)*8
	for i := range 6 {
		sum += int(t.b[1+i]-'0') * (7 - i)
	}
	check := int(t.b[7] - '0')
	if t.b[7]|0x20 == 'a' {
		check = 10
	}
	return (11-sum%11)%11 == check
}

// nzNHI: letters without I and O, weights 7 to 2, modulus 11.
func nzNHI(t *token) bool {
	sum := 0
	for i, c := range t.b[:6] {
		n := int(c - '0')
		if i < 3 {
			n = indexByte("ABCDEFGHJKLMNPQRSTUVWXYZ", c) + 1
			if n == 0 {
				return false
			}
		}
		sum += n * (7 - i)
	}
	c := 11 - sum%11
	return sum%11 != 0 && c%10 == int(t.b[6]-'0')
}

// ramq: the month is plus 50 for women.
func ramq(t *token) bool {
	month, day := pair(t, 6), pair(t, 8)
	return dayMonth(day, month) || dayMonth(day, month-50)
}

// rfc: four letters, date, and a check over all (SAT, annex of the RFC).
func rfc(t *token) bool {
	const values = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
	sum := 0
	for i, c := range t.b[:12] {
		n := indexByte(values, c)
		if n < 0 {
			return false
		}
		sum += n * (13 - i)
	}
	check := byte('0' + (11-sum%11)%11)
	if sum%11 == 1 {
		check = 'A'
	}
	return dayMonth(pair(t, 8), pair(t, 6)) && t.b[12] == check
}

// hongKong reads "A123456(3)", whose check stands in parentheses.
func (r *run) hongKong(v *view, i, j int, t *token) int {
	b := v.b
	if t.n != 7 || !t.is("A999999") || j+2 >= len(b) || b[j] != '(' || b[j+2] != ')' || !r.want(bitOf(NationalID)) {
		return i
	}
	c := *t
	c.b[7], c.n = b[j+1], 8
	if !isDigit(b[j+1]) && b[j+1]|0x20 != 'a' || !hkID(&c) {
		return i
	}
	return r.settle(v, i, j+3, hit{NationalID, "HK_ID", cHKID, 0.88, 0.9})
}

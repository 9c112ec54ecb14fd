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
	if k := r.hongKong(v, i, j, &t); k > i {
		return k
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
		if h, ok := form9(t); ok {
			return h, ok
		}
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
	return worldForm(t)
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

package pii

// Identifiers that are printed in several pieces, with letters among them.

// piece copies alphanumerics from b[i] into t across single separators of the
// given kinds until n are read, and returns the end, or i if the text is shorter.
func (t *token) piece(b []byte, i, n int, seps string) int {
	t.n = 0
	k := i
	for k < len(b) && t.n < n {
		c := b[k]
		if !isAlnum(c) {
			if indexByte(seps, c) < 0 || k+1 >= len(b) || !isAlnum(b[k+1]) || t.n == 0 {
				return i
			}
			k++
			continue
		}
		if c >= 'a' && c <= 'z' {
			c -= 0x20
		}
		t.b[t.n] = c
		t.n++
		k++
	}
	if t.n != n || !closing(b, k) {
		return i
	}
	return k
}

// joined handles forms in pieces that begin with the mixed token b[i:j].
func (r *run) joined(v *view, i, j int) int {
	b := v.b
	if j >= len(b) || !isSep(b[j]) || j+1 >= len(b) || !isAlnum(b[j+1]) {
		return i
	}
	var t token
	if j-i == 4 && b[j] == '-' {
		if k := t.piece(b, i, 11, "-"); k > i && mbi(&t) {
			return r.settle(v, i, k, hit{HealthID, "US_MBI", cMBI, 0.85, 0.9})
		}
	}
	if j-i == 8 && (b[j] == '-' || b[j] == ' ') {
		if k := t.piece(b, i, 9, "-"); k > i && t.is("A9999999A") && (nie(&t) || nric(&t)) {
			return r.settle(v, i, k, hit{NationalID, "ES_NIE", cNIF, 0.85, 0.9})
		}
	}
	if k := r.plate(v, i, j); k > i {
		return k
	}
	return r.dashed(v, i, j)
}

// lettersThen handles forms that begin with a token of letters: b[i:j] is that
// token and a separator and a digit follow.
func (r *run) lettersThen(v *view, i, j int) int {
	b := v.b
	var t token
	if (b[i]|0x20) == 'd' && (b[i+1]|0x20) == 'e' && j-i == 2 {
		if k := t.piece(b, i, 11, " -."); k > i && t.is("DE999999999") {
			return r.settle(v, i, k, hit{CompanyID, "DE_VAT_ID", cVAT, 0.75, 0.8})
		}
	}
	if j-i == 2 && b[j] == '-' && class[b[i]]&class[b[i+1]]&cHex != 0 {
		if k := r.mac(v, i, '-'); k > i {
			return k
		}
	}
	if j-i == 2 && (b[j] == ' ' || b[j] == '-') {
		if k := t.piece(b, i, 9, " -"); k > i && t.is("AA999999A") && nino(&t) {
			return r.settle(v, i, k, hit{NationalID, "UK_NINO", cNINO, 0.85, 0.9})
		}
	}
	if j-i == 3 && (b[i]|0x20) == 'm' && (b[i+1]|0x20) == 'r' && (b[i+2]|0x20) == 'n' && b[j] == '-' {
		k := j + 1
		for k < len(b) && isDigit(b[k]) {
			k++
		}
		if k-j > 4 && closing(b, k) {
			r.emit(v, i, k, HealthID, "MRN", 0.9, "medical record number")
			return k
		}
	}
	if j-i == 3 && (b[i]|0x20) == 'h' && (b[i+1]|0x20) == 'r' && ((b[i+2]|0x20) == 'b' || (b[i+2]|0x20) == 'a') && b[j] == ' ' {
		k := j + 1
		for k < len(b) && isDigit(b[k]) {
			k++
		}
		if k-j-1 <= 6 && closing(b, k) {
			r.emit(v, i, k, CompanyID, "DE_HANDELSREGISTER", 0.8, "register number")
			return k
		}
	}
	if class[b[i]]&cUpper != 0 {
		return r.plate(v, i, j)
	}
	return i
}

// mixed handles forms that begin with the digits b[i:j] and hold letters.
func (r *run) mixed(v *view, i, j int) int {
	b := v.b
	if j >= len(b) {
		return i
	}
	var t token
	if j-i == 6 && (b[j] == '-' || b[j] == '+') && j+5 <= len(b) {
		if t.upper(b[i:j]) {
			t.b[6] = b[j]
			copy(t.b[7:], b[j+1:j+5])
			t.n = 11
			if c := t.b[10]; c >= 'a' && c <= 'z' {
				t.b[10] = c - 0x20
			}
			if closing(b, j+5) && fiID(&t) {
				return r.settle(v, i, j+5, hit{NationalID, "FI_PERSONAL_IDENTITY_CODE", cHETU, 0.85, 0.9})
			}
		}
	}
	if (j-i == 7 || j-i == 8) && b[j] == '-' && j+1 < len(b) && class[b[j+1]]&(cUpper|cLower) != 0 && closing(b, j+2) {
		if t.upper(b[i : j+2]) {
			var buf [24]byte
			d := t.digitsAt(buf[:], 0, t.n-1)
			if nifLetter(int(number(d))) == t.b[t.n-1] {
				return r.settle(v, i, j+2, hit{NationalID, "ES_NIF", cNIF, 0.8, 0.85})
			}
			if clRUT(d, t.b[t.n-1]) {
				return r.settle(v, i, j+2, hit{NationalID, "CL_RUT", cRUT, 0.7, 0.75})
			}
		}
	}
	if j-i <= 2 && b[j] == '.' {
		if k := r.dottedRUT(v, i); k > i {
			return k
		}
	}
	if j-i == 1 && b[j] == ' ' && (b[i] == '1' || b[i] == '2') {
		if k := t.piece(b, i, 15, " "); k > i {
			if h, ok := nirCorsica(&t); ok {
				return r.settle(v, i, k, h)
			}
		}
	}
	return r.plate(v, i, j)
}

// dottedRUT reads "12.345.678-K".
func (r *run) dottedRUT(v *view, i int) int {
	var t token
	k := t.piece(v.b, i, 9, ".-")
	if k == i {
		k = t.piece(v.b, i, 8, ".-")
	}
	if k == i || v.b[k-2] != '-' {
		return i
	}
	var buf [24]byte
	for _, c := range t.b[:t.n-1] {
		if !isDigit(c) {
			return i
		}
	}
	if !clRUT(t.digitsAt(buf[:], 0, t.n-1), t.b[t.n-1]) {
		return i
	}
	return r.settle(v, i, k, hit{NationalID, "CL_RUT", cRUT, 0.85, 0.9})
}

// plate reads a number plate in pieces at b[i:j]: two or three groups of letters
// and digits joined by one blank or dash. It needs a word or key, or that the
// text is nothing else.
func (r *run) plate(v *view, i, j int) int {
	b := v.b
	if !r.want(vehicleIDBit) || j-i > 4 || j >= len(b) || b[j] != ' ' && b[j] != '-' {
		return i
	}
	k, n, parts, digits, caps := j, j-i, 1, 0, 0
	last := i
	for parts < 4 {
		{
			for _, c := range b[last:k] {
				if isDigit(c) {
					digits++
				} else if class[c]&cUpper != 0 {
					caps++
				} else {
					return i
				}
			}
		}
		if k >= len(b) || b[k] != ' ' && b[k] != '-' || k+1 >= len(b) || class[b[k+1]]&(cDigit|cUpper) == 0 {
			break
		}
		e := k + 1
		for e < len(b) && isWord(b[e]) {
			e++
		}
		if e-k-1 > 5 || n+e-k-1 > 10 {
			break
		}
		up := true
		for _, c := range b[k+1 : e] {
			up = up && class[c]&(cDigit|cUpper) != 0
		}
		if !up {
			break
		}
		n += e - k - 1
		last, k = k+1, e
		parts++
	}
	if parts < 2 || n < 4 || digits == 0 || caps == 0 || !closing(b, k) {
		return i
	}
	alone := v.bare && i == 0 && k == len(b)
	if !alone {
		r.near.look(v, i, k)
		if !r.near.set.has(cPlate) || r.near.set.has(cNIR) {
			return i
		}
	}
	if alone && (digits > 4 || caps < 2 || !issued(b[i:k])) {
		return i
	}
	r.emit(v, i, k, VehicleID, "", 0.7, "number plate")
	return k
}

// issued refuses plates that are not issued: with I, O or Q, or a British age
// identifier over 79.
func issued(b []byte) bool {
	for _, c := range b {
		if c == 'I' || c == 'O' || c == 'Q' {
			return false
		}
	}
	return len(b) != 8 || !isDigit(b[2]) || !isDigit(b[3]) || isDigit(b[1]) || b[2] < '8'
}

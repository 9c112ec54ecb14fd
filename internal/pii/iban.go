package pii

// ibanLength gives the length per country (SWIFT IBAN registry).
var ibanLength = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
	"CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
	"FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
	"IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
	"LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
	"NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
	"SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban reads an IBAN at the token b[i:j]: country, two digits and the rest with
// single separators, mod 97 = 1 (ISO 13616-1, ISO 7064).
func (r *run) iban(v *view, i, j int) int {
	b := v.b
	if j-i < 4 || class[b[i]]&(cUpper|cLower) == 0 || class[b[i+1]]&(cUpper|cLower) == 0 || !isDigit(b[i+2]) || !isDigit(b[i+3]) {
		return i
	}
	cc := [2]byte{b[i] &^ 0x20, b[i+1] &^ 0x20}
	want := ibanLength[string(cc[:])]
	if want == 0 {
		return i
	}
	mod, n, k, seps := 0, 0, i, 0
	var head [4]int
	for k < len(b) && n < want {
		c := b[k]
		if !isAlnum(c) {
			if n < 4 || !(c == ' ' || c == '-' || c == '\n' || c == '.') || k+1 >= len(b) || !isAlnum(b[k+1]) {
				return i
			}
			seps++
			k++
			continue
		}
		x := 0
		if isDigit(c) {
			x = int(c - '0')
		} else {
			x = int(c&^0x20-'A') + 10
		}
		if n < 4 {
			head[n] = x
		} else {
			mod = step97(mod, x)
		}
		n++
		k++
	}
	for _, x := range head {
		mod = step97(mod, x)
	}
	if n != want || mod != 1 || seps > 10 || k < len(b) && isAlnum(b[k]) {
		return i
	}
	r.emit(v, i, k, IBAN, "", 0.97, "IBAN, mod 97")
	return k
}

func step97(mod, x int) int {
	if x >= 10 {
		return (mod*100 + x) % 97
	}
	return (mod*10 + x) % 97
}

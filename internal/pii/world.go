package pii

// Identifiers of more countries. Most need a word or key beside them, since one
// number in ten or eleven passes their checks by chance; those with a date in them
// or a grouping of their own need less.

func shaped(sep byte, runs ...uint8) func(*num) bool {
	return func(g *num) bool { return g.sep == sep && g.shape(runs...) }
}

// worldRules continues numRules. Sources stand beside the checks.
var worldRules = []numRule{
	{8, NationalID, "DNI", cDNI, needWord, 0.5, notSame, shaped('.', 2, 3, 3)},
	{8, NationalID, "UY_CI", cCedula, needWord, 0.5, uyCI, nil},
	{8, TaxID, "NZ_IRD", cIRD, needWord, 0.5, nzIRD, shaped('-', 2, 3, 3)},
	{9, TaxID, "NZ_IRD", cIRD, needWord, 0.5, nzIRD, shaped('-', 3, 3, 3)},
	{9, TaxID, "GR_AFM", cAFM, needWord, 0.5, grAFM, nil},
	{9, TaxID, "US_EIN", cEIN, needWord, 0.5, usEIN, shaped('-', 2, 7)},
	{9, HealthID, "HU_TAJ", cTAJ, needWord, 0.5, huTAJ, groups.three},
	{9, CompanyID, "PL_REGON", cREGON, needWord, 0.5, plREGON, nil},
	{10, NationalID, "AT_SVNR", cSVNR, needWord, 0.6, atSVNR, shaped(' ', 4, 6)},
	{10, NationalID, "BG_EGN", cEGN, needWord, 0.6, bgEGN, nil},
	{10, NationalID, "CZ_RC", cRC, needGroup, 0.7, czRC, shaped('/', 6, 4)},
	{10, NationalID, "IS_KENNITALA", cKT, needWord, 0.6, isKT, shaped('-', 6, 4)},
	{10, NationalID, "EC_CEDULA", cCedula, needWord, 0.5, ecCedula, nil},
	{10, NationalID, "CO_CEDULA", cCedula, needWord, 0.4, notSame, shaped('.', 1, 3, 3, 3)},
	{10, NationalID, "SA_ID", cIqama, needWord, 0.5, saID, nil},
	{10, TaxID, "HU_TAX_ID", cHUTax, needWord, 0.5, huTax, nil},
	{10, TaxID, "PL_NIP", cNIP, needWord, 0.5, plNIP, func(g *num) bool { return g.sep == '-' && (g.shape(3, 3, 2, 2) || g.shape(3, 2, 2, 3)) }},
	{10, TaxID, "UK_UTR", cUTR, needWord, 0.5, ukUTR, shaped(' ', 5, 5)},
	{10, TaxID, "UA_RNOKPP", cRNOKPP, needWord, 0.5, uaTax, nil},
	{10, TaxID, "RU_INN", cINN, needWord, 0.5, ruINN, nil},
	{10, TaxID, "TR_VKN", cVKN, needWord, 0.5, trVKN, nil},
	{10, TaxID, "CO_NIT", cNIT, needWord, 0.5, coNIT, shaped('-', 9, 1)},
	{10, HealthID, "CA_OHIP", cOHIP, needWord, 0.5, luhn, func(g *num) bool { return g.shape(4, 3, 3) }},
	{11, NationalID, "GR_AMKA", cAMKA, needWord, 0.6, grAMKA, nil},
	{11, NationalID, "HR_OIB", cOIB, needWord, 0.5, mod1110, nil},
	{11, NationalID, "EE_LT_PERSONAL_CODE", cIK, needWord, 0.6, balticID, nil},
	{11, NationalID, "LV_PERSONAL_CODE", cLVPK, needGroup, 0.6, lvID, shaped('-', 6, 5)},
	{11, NationalID, "RU_SNILS", cSNILS, needGroup, 0.7, ruSNILS, func(g *num) bool { return g.shape(3, 3, 3, 2) && g.sep != '.' }},
	{11, NationalID, "DO_CEDULA", cCedula, needWord, 0.5, luhn, shaped('-', 3, 7, 1)},
	{12, NationalID, "KZ_IIN", cIIN, needWord, 0.6, kzIIN, nil},
	{12, NationalID, "MY_MYKAD", cMyKad, needGroup, 0.65, myKad, shaped('-', 6, 2, 4)},
	{12, NationalID, "VN_CCCD", cCCCD, needWord, 0.5, vnID, nil},
	{12, NationalID, "KW_CIVIL_ID", cCivil, needWord, 0.5, kwCivil, nil},
	{12, TaxID, "RU_INN", cINN, needWord, 0.5, ruINN, nil},
	{13, NationalID, "RO_CNP", cCNP, needContext, 0.6, roCNP, nil},
	{13, NationalID, "JMBG", cJMBG, needWord, 0.6, jmbg, nil},
	{13, NationalID, "LU_MATRICULE", cLUCNS, needWord, 0.6, luCNS, nil},
	{13, NationalID, "PK_CNIC", cCNIC, needGroup, 0.65, notSame, shaped('-', 5, 7, 1)},
	{13, TaxID, "FR_SPI", cSPI, needWord, 0.5, frSPI, nil},
	{15, NationalID, "AE_EMIRATES_ID", cEmirates, needNothing, 0.8, emirates, shaped('-', 3, 4, 7, 1)},
	{16, NationalID, "ID_NIK", cNIK, needWord, 0.5, idNIK, nil},
}

func notSame(d []byte) bool { return !allSame(d) && !sequential(d) }

// yymmdd reports whether d begins with a year, month and day, the month plus one of
// the offsets that tell the century or the sex.
func yymmdd(d []byte, offsets ...int) bool {
	month, day := int(number(d[2:4])), int(number(d[4:6]))
	if dayMonth(day, month) {
		return true
	}
	for _, o := range offsets {
		if dayMonth(day, month-o) {
			return true
		}
	}
	return false
}

// atSVNR: the fourth digit is the check, modulus 11, weights 3 7 9 5 8 4 2 1 6
// (Dachverband der Sozialversicherungsträger).
func atSVNR(d []byte) bool {
	month := int(number(d[6:8]))
	return d[0] != 0 && weighted(d, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == int(d[3]) && (dayMonth(int(number(d[4:6])), month) || month >= 13 && month <= 15)
}

// roCNP: sex and century, date, county, weights 279146358279 (OUG 97/2005).
func roCNP(d []byte) bool {
	s := weighted(d, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	if s == 10 {
		s = 1
	}
	return d[0] != 0 && yymmdd(d[1:]) && number(d[7:9]) <= 70 && s == int(d[12])
}

// bgEGN: date with the month plus 20 or 40, weights by powers of two modulo 11.
func bgEGN(d []byte) bool {
	return yymmdd(d, 20, 40) && weighted(d, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == int(d[9])
}

// grAMKA: ddmmyy, and Luhn over all.
func grAMKA(d []byte) bool {
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && luhn(d)
}

// grAFM: powers of two, modulus 11, then 10.
func grAFM(d []byte) bool {
	return number(d) != 0 && weighted(d, 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == int(d[8])
}

// czRC: the birth number of Czechia and Slovakia since 1954: date with the month
// plus 50 for women or 20, and all of it divisible by 11.
func czRC(d []byte) bool {
	return yymmdd(d, 20, 50, 70) && (number(d)%11 == 0 || number(d[:9])%11 == 10 && d[9] == 0)
}

// huTAJ: weights 3 and 7 in turn, modulus 10.
func huTAJ(d []byte) bool {
	return number(d) != 0 && weighted(d, 3, 7, 3, 7, 3, 7, 3, 7)%10 == int(d[8])
}

// huTax: begins with 8, weights by place, modulus 11.
func huTax(d []byte) bool {
	return d[0] == 8 && weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9)%11 == int(d[9])
}

func plNIP(d []byte) bool {
	return d[0] != 0 && weighted(d, 6, 5, 7, 2, 3, 4, 5, 6, 7)%11 == int(d[9])
}

func plREGON(d []byte) bool {
	return number(d) != 0 && weighted(d, 8, 9, 2, 3, 4, 5, 6, 7)%11%10 == int(d[8])
}

// ukUTR: the first digit is the check of the other nine.
func ukUTR(d []byte) bool {
	return number(d) != 0 && "21987654321"[weighted(d[1:], 6, 7, 8, 9, 10, 5, 4, 3, 2)%11] == '0'+d[0]
}

// usEIN: the campuses' prefixes; there is no check digit.
func usEIN(d []byte) bool {
	switch number(d[:2]) {
	case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97:
		return false
	}
	return notSame(d)
}

// balticID: sex and century, date, serial; two rounds of weights, modulus 11.
func balticID(d []byte) bool {
	s := weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if s == 10 {
		s = weighted(d, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	return d[0] >= 1 && d[0] <= 8 && yymmdd(d[1:]) && s == int(d[10])
}

// lvID: ddmmyy and a serial, or 32 and no date since 2017.
func lvID(d []byte) bool {
	if d[0] == 3 && d[1] == 2 {
		return notSame(d)
	}
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && (1101-weighted(d, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))%11%10 == int(d[10])
}

// jmbg: ddmmyyy, region, serial; weights 7 to 2 twice, modulus 11.
func jmbg(d []byte) bool {
	m := 11 - weighted(d, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && (m == int(d[12]) || m == 11 && d[12] == 0)
}

// isKT: ddmmyy, two digits, check, century 8, 9 or 0.
func isKT(d []byte) bool {
	return dayMonth(int(number(d[:2])), int(number(d[2:4]))) && (d[9] == 0 || d[9] >= 8) &&
		(11-weighted(d, 3, 2, 7, 6, 5, 4, 3, 2)%11)%11 == int(d[8])
}

// luCNS: yyyymmdd, serial, Luhn, Verhoeff.
func luCNS(d []byte) bool {
	v := append(append(make([]byte, 0, 12), d[:11]...), d[12])
	return number(d[:4]) >= 1870 && number(d[:4]) <= 2100 && dayMonth(int(number(d[6:8])), int(number(d[4:6]))) && luhn(d[:12]) && verhoeff(v)
}

// frSPI: the last three digits are the first ten modulo 511.
func frSPI(d []byte) bool { return d[0] <= 3 && number(d) != 0 && number(d[:10])%511 == number(d[10:]) }

func uaTax(d []byte) bool {
	return number(d) != 0 && (weighted(d, -1, 5, 7, 9, 4, 6, 10, 5, 7)%11+11)%11%10 == int(d[9])
}

// ruINN: ten digits of firms, twelve of persons with two checks.
func ruINN(d []byte) bool {
	if len(d) == 10 {
		return number(d) != 0 && weighted(d, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[9])
	}
	return number(d) != 0 && weighted(d, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[10]) && weighted(d, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[11])
}

func ruSNILS(d []byte) bool {
	return notSame(d[:9]) && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, 1)%101%100 == int(number(d[9:]))
}

// kzIIN: date, century, serial; two rounds of weights.
func kzIIN(d []byte) bool {
	s := weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) % 11
	if s == 10 {
		s = weighted(d, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2) % 11
	}
	return yymmdd(d) && s == int(d[11])
}

// trVKN: the tax number of firms and foreigners (Gelir İdaresi Başkanlığı).
func trVKN(d []byte) bool {
	sum := 0
	for i, x := range d[:9] {
		t := (int(x) + 9 - i) % 10
		u := t * (1 << (9 - i)) % 9
		if t != 0 && u == 0 {
			u = 9
		}
		sum += u
	}
	return number(d) != 0 && (10-sum%10)%10 == int(d[9])
}

func coNIT(d []byte) bool {
	s := weighted(d, 41, 37, 29, 23, 19, 17, 13, 7, 3) % 11
	if s > 1 {
		s = 11 - s
	}
	return number(d) != 0 && s == int(d[9])
}

func uyCI(d []byte) bool {
	return number(d) != 0 && weighted(d, 2, 9, 8, 7, 6, 3, 4, 1)%10 == 0
}

// ecCedula: province 1-24 or 30, Luhn.
func ecCedula(d []byte) bool {
	p := number(d[:2])
	return (p >= 1 && p <= 24 || p == 30) && d[2] < 6 && luhn(d)
}

// nzIRD: modulus 11 with a second round of weights where the first gives ten.
func nzIRD(d []byte) bool {
	if len(d) == 8 {
		d = append([]byte{0}, d...)
	}
	c := (11 - weighted(d, 3, 2, 7, 6, 5, 4, 3, 2)%11) % 11
	if c == 10 {
		c = (11 - weighted(d, 7, 4, 3, 2, 5, 2, 7, 6)%11) % 11
	}
	n := number(d)
	return n >= 10_000_000 && n <= 150_000_000 && c == int(d[8])
}

// saID: 1 for citizens, 2 for residents, Luhn.
func saID(d []byte) bool { return (d[0] == 1 || d[0] == 2) && luhn(d) }

// kwCivil: century, date, serial; weights 2 1 6 3 7 9 10 5 8 4 2.
func kwCivil(d []byte) bool {
	return (d[0] == 2 || d[0] == 3) && yymmdd(d[1:]) && 11-weighted(d, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)%11 == int(d[11])
}

// emirates: 784, the year of birth, Luhn.
func emirates(d []byte) bool {
	y := number(d[3:7])
	return number(d[:3]) == 784 && y >= 1900 && y <= 2100 && luhn(d)
}

// myKad: date and a place of birth that is in use.
func myKad(d []byte) bool {
	p := number(d[6:8])
	return yymmdd(d) && p >= 1 && p != 17 && p != 18 && p != 19 && p != 20 && p != 69 && p != 70 && p != 73 && p != 80 && p != 81
}

// vnID: province, century and sex, year.
func vnID(d []byte) bool { return d[0] == 0 && number(d[:3]) >= 1 && number(d[:3]) <= 96 && notSame(d) }

// idNIK: the area, and a date whose day is plus 40 for women.
func idNIK(d []byte) bool {
	day, month := int(number(d[6:8])), int(number(d[8:10]))
	return number(d[:2]) >= 11 && (dayMonth(day, month) || dayMonth(day-40, month)) && number(d[12:]) != 0
}

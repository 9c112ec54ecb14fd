package pii

import "slices"

// num is a group of digits with single separators between runs.
type num struct {
	d    [24]byte // digit values
	n    int
	runs [10]uint8 // digits per run
	nr   int
	sep  byte // the separator, 'x' if they differ, 0 if none
}

func (g *num) digits() []byte { return g.d[:g.n] }

// shape reports whether the runs have exactly these lengths.
func (g *num) shape(w ...uint8) bool {
	if g.nr != len(w) {
		return false
	}
	for i, x := range w {
		if g.runs[i] != x {
			return false
		}
	}
	return true
}

func isSep(c byte) bool {
	return c == ' ' || c == '-' || c == '.' || c == '/' || c == ':' || c == '\n' || c == 0xa0
}

// ends holds the positions after each run, with the group as it was there.
type ends struct {
	at  [10]int
	n   [10]int
	sep [10]byte
	k   int
}

// readNumber reads the group at b[i], which is a digit, and where its runs end.
func readNumber(b []byte, i int, g *num, e *ends) {
	g.n, g.nr, g.sep, e.k = 0, 0, 0, 0
	for i < len(b) && isDigit(b[i]) && g.nr < len(g.runs) {
		start := g.n
		for i < len(b) && isDigit(b[i]) {
			if g.n == len(g.d) {
				return
			}
			g.d[g.n] = b[i] - '0'
			g.n++
			i++
		}
		g.runs[g.nr] = uint8(g.n - start)
		e.at[g.nr], e.n[g.nr], e.sep[g.nr] = i, g.n, g.sep
		g.nr++
		e.k = g.nr
		if i+1 >= len(b) || !isSep(b[i]) || !isDigit(b[i+1]) {
			return
		}
		s := b[i]
		if s == '\n' {
			s = ' '
		}
		switch g.sep {
		case 0, s:
			g.sep = s
		default:
			g.sep = 'x'
		}
		i++
	}
}

// need says what a rule asks for beside its shape and check.
type need uint8

const (
	needNothing need = iota
	needGroup        // grouping as printed, or context
	needContext      // a word, a key, or nothing else in the text
	needWord         // a word or a key
)

// numRule is one identifier made of digits.
type numRule struct {
	n     uint8
	typ   Type
	sub   string
	c     ctx
	need  need
	score float64 // without context
	check func([]byte) bool
	group func(*num) bool // the groupings as printed; nil: one run, or any with one separator
}

var groups = struct{ ssn, three, four, card, cpf, nhs, sin, itin func(*num) bool }{
	ssn:   func(g *num) bool { return g.shape(3, 2, 4) && g.sep != 'x' && g.sep != ':' && g.sep != '/' },
	three: func(g *num) bool { return g.shape(3, 3, 3) && g.sep != 'x' },
	four:  func(g *num) bool { return g.shape(4, 4, 4) && g.sep != 'x' },
	card: func(g *num) bool {
		return g.sep != 'x' && g.sep != ':' && g.sep != '/' &&
			(g.shape(4, 4, 4, 4) || g.shape(4, 6, 5) || g.shape(4, 6, 4) || g.shape(4, 4, 4, 4, 3) || g.shape(4, 4, 4, 3) || g.shape(4, 4, 5))
	},
	cpf: func(g *num) bool { return g.shape(3, 3, 3, 2) },
	nhs: func(g *num) bool { return g.shape(3, 3, 4) && g.sep != 'x' && g.sep != '/' },
}

func yes([]byte) bool { return true }

// numRules is ordered by the number of digits; sources stand beside the checks
// in check.go. Scores follow the odds that a random number passes.
var numRules = []numRule{
	{9, SSN, "", cSSN, needGroup, 0.85, usSSN, groups.ssn},
	{9, TaxID, "US_ITIN", cITIN, needGroup, 0.85, usITIN, groups.ssn},
	{9, TaxID, "US_ITIN", cTIN, needWord, 0.8, usITIN, groups.ssn},
	{9, NationalID, "CA_SIN", cSIN, needGroup, 0.8, caSIN, groups.three},
	{9, TaxID, "AU_TFN", cTFN, needContext, 0.5, auTFN, nil},
	{9, CompanyID, "AU_ACN", cACN, needContext, 0.5, auACN, groups.three},
	{9, BankAccount, "", cABA, needContext, 0.55, usABA, nil},
	{9, NationalID, "NL_BSN", cBSN, needContext, 0.5, nlBSN, nil},
	{9, TaxID, "PT_NIF", cPTNIF, needWord, 0.5, ptNIF, nil},
	{9, NationalID, "IL_ID", cILID, needWord, 0.5, ilID, nil},
	{9, HealthID, "DE_LANR", cLANR, needContext, 0.52, deLANR, nil},
	{9, HealthID, "DE_BSNR", cBSNR, needWord, 0.5, deBSNR, nil},
	{10, HealthID, "US_NPI", cNPI, needContext, 0.55, usNPI, nil},
	{10, HealthID, "UK_NHS", cNHS, needContext, 0.55, ukNHS, groups.nhs},
	{10, HealthID, "AU_MEDICARE", cMedicare, needWord, 0.5, auMedicare, nil},
	{10, NationalID, "SE_PERSONNUMMER", cPNR, needGroup, 0.8, sePNR, func(g *num) bool { return g.shape(6, 4) && g.sep == '-' }},
	{10, CompanyID, "SE_ORGANISATIONSNUMMER", cSEOrg, needContext, 0.5, seOrg, func(g *num) bool { return g.shape(6, 4) && g.sep == '-' }},
	{10, NationalID, "DK_CPR", cCPR, needWord, 0.5, dkCPR, func(g *num) bool { return g.shape(6, 4) && g.sep == '-' }},
	{10, CompanyID, "KR_BRN", cKRBRN, needGroup, 0.8, krBRN, func(g *num) bool { return g.shape(3, 2, 5) && g.sep == '-' }},
	{11, TaxID, "DE_TAX_ID", cDETax, needContext, 0.6, deTaxID, nil},
	{11, NationalID, "PL_PESEL", cPESEL, needContext, 0.58, plPESEL, nil},
	{11, NationalID, "TR_NATIONAL_ID", cTCKN, needContext, 0.62, trID, nil},
	{11, NationalID, "BR_CPF", cCPF, needGroup, 0.8, brCPF, groups.cpf},
	{11, NationalID, "NO_FNR", cFNR, needContext, 0.62, noFNR, nil},
	{11, NationalID, "AR_CUIT", cCUIT, needGroup, 0.75, arCUIT, func(g *num) bool { return g.shape(2, 8, 1) && g.sep == '-' }},
	{11, NationalID, "BE_NN", cBENN, needGroup, 0.8, beNN, func(g *num) bool { return g.shape(2, 2, 2, 3, 2) }},
	{11, NationalID, "NG_NIN", cNIN, needWord, 0.4, yes, nil},
	{11, CompanyID, "AU_ABN", cABN, needGroup, 0.75, auABN, func(g *num) bool { return g.shape(2, 3, 3, 3) && g.sep == ' ' }},
	{11, CompanyID, "IT_VAT_CODE", cITVAT, needContext, 0.5, itVAT, nil},
	{10, TaxID, "DE_TAX_NUMBER", cDETaxNo, needGroup, 0.6, yes, func(g *num) bool {
		return g.sep == '/' && g.nr == 3 && g.runs[0] <= 3 && g.runs[0] >= 2 && g.runs[2] >= 4
	}},
	{11, TaxID, "DE_TAX_NUMBER", cDETaxNo, needGroup, 0.6, yes, func(g *num) bool { return g.sep == '/' && g.nr == 3 && g.runs[0] == 3 && g.runs[2] >= 4 }},
	{13, TaxID, "DE_TAX_NUMBER", cDETaxNo, needWord, 0.5, yes, nil},
	{12, NationalID, "IN_AADHAAR", cAadhaar, needGroup, 0.75, aadhaar, groups.four},
	{12, NationalID, "JP_MY_NUMBER", cMyNumber, needContext, 0.5, jpNumber, nil},
	{12, NationalID, "SE_PERSONNUMMER", cPNR, needGroup, 0.7, sePNR, func(g *num) bool { return g.shape(8, 4) && g.sep == '-' }},
	{12, TaxID, "PH_TIN", cPHTIN, needWord, 0.5, yes, func(g *num) bool { return g.shape(3, 3, 3, 3) }},
	{12, DriverLicense, "KR_DRIVER_LICENSE", cDriver, needGroup, 0.55, krLicense, func(g *num) bool { return g.shape(2, 2, 6, 2) && g.sep == '-' }},
	{13, NationalID, "KR_RRN", cRRN, needGroup, 0.7, krRRN, func(g *num) bool { return g.shape(6, 7) && g.sep == '-' }},
	{13, NationalID, "KR_FRN", cFRN, needGroup, 0.7, krFRN, func(g *num) bool { return g.shape(6, 7) && g.sep == '-' }},
	{13, NationalID, "ZA_ID_NUMBER", cZAID, needContext, 0.72, zaID, nil},
	{13, NationalID, "TH_TNIN", cTHID, needContext, 0.6, thID, func(g *num) bool { return g.shape(1, 4, 5, 2, 1) }},
	{13, NationalID, "CH_AHV", cAHV, needNothing, 0.9, chAHV, func(g *num) bool { return g.shape(3, 4, 4, 2) }},
	{14, CompanyID, "BR_CNPJ", cCNPJ, needGroup, 0.8, brCNPJ, func(g *num) bool { return g.shape(2, 3, 3, 4, 2) }},
	{15, NationalID, "FR_NIR", cNIR, needGroup, 0.78, frNIR, func(g *num) bool { return g.sep == ' ' && g.nr >= 6 && g.runs[0] == 1 }},
	{15, DeviceID, "IMEI", cIMEI, needWord, 0.6, luhn, nil},
	{18, NationalID, "CN_RIC", cCNID, needNothing, 0.9, cnID, nil},
}

// krLicense: region 11-28 and a year.
func krLicense(d []byte) bool { r := number(d[:2]); return r >= 11 && r <= 28 }

// numRuleBit is a rule with the bit of its type.
type numRuleBit struct {
	numRule
	bit typeSet
}

// numIndex gives the rules for each number of digits.
var numIndex = func() (t [25][]numRuleBit) {
	for _, r := range append(slices.Clone(numRules), worldRules...) {
		t[r.n] = append(t[r.n], numRuleBit{r, bitOf(r.typ)})
	}
	return t
}()

// boundary reports whether a value may begin at i: not inside a word, a decimal
// fraction, a uuid or a version.
func boundary(b []byte, i int) bool {
	if i == 0 {
		return true
	}
	p := b[i-1]
	if p >= 0x80 {
		return true
	}
	if isWord(p) {
		return false
	}
	if i == 1 {
		return true
	}
	pp := b[i-2]
	switch p {
	case '.', ',':
		return !isDigit(pp)
	case '-':
		return !isAlnum(pp)
	}
	return true
}

// closing reports whether a value may end at j.
func closing(b []byte, j int) bool {
	if j >= len(b) {
		return true
	}
	c := b[j]
	if c >= 0x80 {
		return true
	}
	if isWord(c) {
		return false
	}
	if (c == '.' || c == ',' || c == '-' || c == '/') && j+1 < len(b) && isAlnum(b[j+1]) {
		return c == ',' && !isDigit(b[j+1])
	}
	return true
}

// maxStarts bounds how many readings of one long row of numbers are tried.
const maxStarts = 4

// number tries every reading of the digit group at b[i] and returns its end, or
// i where nothing was found.
func (r *run) number(v *view, i int) int {
	if r.num == nil {
		r.num = new(num)
	}
	g, e := r.num, ends{}
	*g = num{}
	readNumber(v.b, i, g, &e)
	if i < r.groupEnd {
		if r.starts++; r.starts > maxStarts {
			return i
		}
	} else if e.k > 1 {
		r.starts, r.groupEnd = 0, e.at[e.k-1]
	}
	full, nr, sep := g.n, g.nr, g.sep
	for k := e.k - 1; k >= 0; k-- {
		g.n, g.nr, g.sep = e.n[k], k+1, e.sep[k]
		if g.n < 7 {
			break
		}
		j := e.at[k]
		if k < nr-1 {
			if v.b[j] != ' ' && v.b[j] != '\n' || g.runs[k+1] == g.runs[k] && k > 0 {
				continue
			}
		} else if !closing(v.b, j) {
			continue
		}
		if r.numeric(v, i, j, g) {
			return j
		}
	}
	g.n, g.nr, g.sep = full, nr, sep
	return i
}

// numeric weighs the rules for one reading and emits the best.
func (r *run) numeric(v *view, i, j int, g *num) bool {
	d := g.digits()
	r.near.set = ctxSet{}
	looked := false
	look := func() {
		if !looked {
			r.near.look(v, i, j)
			looked = true
		}
	}
	alone := v.bare && i == 0 && j == len(v.b)
	var best *numRule
	top := 0.0
	for k := range numIndex[g.n] {
		rule := &numIndex[g.n][k].numRule
		if r.s.want&numIndex[g.n][k].bit == 0 || !rule.check(d) {
			continue
		}
		grouped := rule.group != nil && g.nr > 1 && rule.group(g)
		if g.nr > 1 && !grouped && (g.sep == 'x' || rule.group == nil && !tidy(g)) {
			continue
		}
		look()
		s := r.weigh(rule, v, g, grouped, alone)
		if s > top {
			top, best = s, rule
		}
	}
	if r.want(creditCardBit) && g.n >= 12 && g.n <= 19 {
		if s := r.card(v, g, look, alone); s > top {
			r.emit(v, i, j, CreditCard, "", s, "card number, Luhn and issuer range")
			return true
		}
	}
	if best == nil {
		look()
		return r.phoneNumber(v, i, j, g) || r.keyedNumber(v, i, j, g)
	}
	if r.want(phoneBit) && !r.near.set.has(best.c) && (r.near.set.has(cPhone) || top < 0.65 && (d[0] == 0 || d[0] == 2 || d[0] == 5)) && r.phoneNumber(v, i, j, g) {
		return true
	}
	r.emit(v, i, j, best.typ, best.sub, top, "check of "+label(best.typ, best.sub))
	return true
}

func label(t Type, sub string) string {
	if sub != "" {
		return sub
	}
	return string(t)
}

// tidy reports whether a group with one separator looks like an identifier that
// somebody grouped at will: blanks or dashes, no run of one digit at the front.
func tidy(g *num) bool {
	return (g.sep == ' ' || g.sep == '-' || g.sep == '.' && g.nr > 2) && g.nr <= 5
}

// weigh scores a rule whose check holds, 0 for not enough.
func (r *run) weigh(rule *numRule, v *view, g *num, grouped, alone bool) float64 {
	s := rule.score
	near := r.near.set.has(rule.c)
	if !near && rule.typ == NationalID && r.near.set.has(cIDGeneric) && !r.near.set.has(cOrder) {
		if rule.need != needWord && !v.number {
			return max(s, 0.7) + 0.08
		}
	}
	if near {
		return min(0.99, max(s, 0.8)+0.15-float64(r.near.dist[rule.c])/1000)
	}
	if r.near.set.has(cVersion) && !alone {
		return 0
	}
	switch rule.need {
	case needNothing:
		return s
	case needGroup:
		if grouped && !(r.near.set.has(cOrder) && !v.bare || r.near.set.has(cOrder) && rule.score < 0.8) {
			if rule.typ == SSN && r.near.set.has(cOrder) {
				return 0
			}
			return s
		}
		if rule.typ == SSN && (alone || g.nr == 1 && len(v.b) <= maxBare && r.sentence(v)) {
			return 0.45
		}
		if alone {
			return s - 0.2
		}
	case needContext:
		if alone && !v.number {
			return s
		}
	}
	return 0
}

// maxBare is the length of a text in which nine digits without a word may still be
// a social security number: in longer ones they are mostly something else.
const maxBare = 64

// sentence reports whether the value just looked at stands in plain words, and none
// of them says what it is.
func (r *run) sentence(v *view) bool {
	return r.near.set == ctxSet{} && v.layers == 0 && !v.number && !v.opaque && v.hint == nil && count(v.b, ' ') >= 2 &&
		count(v.b, '=')+count(v.b, ':')+count(v.b, '/')+count(v.b, '{')+count(v.b, '_') == 0
}

// card scores a payment card number: Luhn, an issuer's range, and grouping or
// context. A number inside a UUID, a decimal or a longer token never gets here.
func (r *run) card(v *view, g *num, look func(), alone bool) float64 {
	d := g.digits()
	if allSame(d) || !luhn(d) {
		return 0
	}
	iin := cardIIN(d)
	grouped := g.nr > 1 && groups.card(g)
	if g.nr > 1 && !grouped && (g.sep == 'x' || g.sep == ':' || g.sep == '/' || g.nr > 6) {
		return 0
	}
	look()
	near := r.near.set.has(cCard)
	switch {
	case near && (iin || g.n >= 13):
		return 0.95
	case iin && grouped:
		return 0.9
	case iin && alone && !v.number:
		return 0.85
	case iin && g.nr == 1 && g.n >= 15 && !v.number && !v.opaque && (r.near.set.has(cBank) || r.near.set[0]|r.near.set[1] == 0):
		return 0.7
	}
	return 0
}

package pii

import "bytes"

// ctxSet is a set of context groups: what a word near a value, or the key above
// it, says the value is.
type ctxSet [2]uint64

type ctx uint8

func (s *ctxSet) add(c ctx)     { s[c>>6] |= 1 << (c & 63) }
func (s *ctxSet) drop(c ctx)    { s[c>>6] &^= 1 << (c & 63) }
func (s ctxSet) has(c ctx) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// issued reports whether the set has a number that an authority issues: "tax_id" is
// not the identifier of a record.
func (s ctxSet) issued() bool {
	s.drop(cRUT) // "run" in Chile, and elsewhere the run of a build
	s.drop(cNIN)
	return s[0]&(1<<cPassport-1) != 0 || s.has(cTIN) || s[1]>>(cSVNR-64) != 0
}

func (s ctxSet) or(o ctxSet) ctxSet { return ctxSet{s[0] | o[0], s[1] | o[1]} }

// The groups. cNone means that no word can speak for the rule.
const (
	cNone ctx = iota
	cSSN
	cITIN
	cDETax
	cDETaxNo
	cPHTIN
	cTFN
	cPTNIF
	cPAN
	cNPI
	cMBI
	cDEA
	cNHS
	cMedicare
	cKVNR
	cLANR
	cBSNR
	cMRN
	cNINO
	cDESV
	cNIR
	cITCF
	cITID
	cNIF
	cBSN
	cBENN
	cAHV
	cPESEL
	cPNR
	cFNR
	cCPR
	cHETU
	cAadhaar
	cCPF
	cRUT
	cCUIT
	cCURP
	cSIN
	cNRIC
	cRRN
	cFRN
	cMyNumber
	cCNID
	cZAID
	cTCKN
	cTHID
	cILID
	cHKID
	cTWID
	cNIN
	cABN
	cACN
	cSEOrg
	cKRBRN
	cVAT
	cITVAT
	cCNPJ
	cGSTIN
	cHRB
	cUEN
	cPassport
	cDriver
	cPlate
	cVIN
	cPhone
	cCard
	cIBAN
	cBank
	cABA
	cWallet
	cDOB
	cDate
	cAge
	cAddress
	cZIP
	cGeo
	cIMEI
	cIDGeneric
	cTIN
	cVersion // negative: version, build, port
	cOrder   // negative: order, invoice, ISBN, product, tracking

	// Numbers of more countries, in world.go.
	cSVNR
	cCNP
	cEGN
	cAMKA
	cAFM
	cRC
	cTAJ
	cHUTax
	cNIP
	cREGON
	cUTR
	cPPS
	cOIB
	cIK
	cLVPK
	cJMBG
	cKT
	cLUCNS
	cSPI
	cRNOKPP
	cSNILS
	cINN
	cIIN
	cRFC
	cDNI
	cCedula
	cNIT
	cMyKad
	cNIK
	cCNIC
	cCCCD
	cIRD
	cNHI
	cOHIP
	cRAMQ
	cEmirates
	cCivil
	cIqama
	cVKN
	cEIN
)

// ctxWords maps a word, or two joined by a space, to the group it speaks for.
// Words are lower case with Latin accents removed.
var ctxWords = buildWords(map[ctx]string{
	cSVNR:      "svnr|sv nummer|sozialversicherungsnummer|versicherungsnummer|e card",
	cCNP:       "cnp|cod numeric|numeric personal",
	cEGN:       "egn|edinen grazhdanski",
	cAMKA:      "amka",
	cAFM:       "afm|tax number|greek vat",
	cRC:        "rodne cislo|rodne|rodneho cisla",
	cTAJ:       "taj|tajszam|taj szam",
	cHUTax:     "adoazonosito|adoazonosito jel|adojel|ado",
	cNIP:       "nip",
	cREGON:     "regon",
	cUTR:       "utr|unique taxpayer|self assessment",
	cPPS:       "pps|ppsn|pps number",
	cOIB:       "oib",
	cIK:        "isikukood|asmens kodas|asmens|personal code",
	cLVPK:      "personas kods|personas",
	cJMBG:      "jmbg|emso|maticni|maticni broj|jedinstveni maticni",
	cKT:        "kennitala|kt",
	cLUCNS:     "matricule|cns|ccss",
	cSPI:       "spi|numero fiscal|reference fiscale|identifiant fiscal",
	cRNOKPP:    "rnokpp|ipn",
	cSNILS:     "snils",
	cINN:       "inn",
	cIIN:       "iin",
	cRFC:       "rfc",
	cDNI:       "dni|documento nacional|ci",
	cCedula:    "cedula",
	cNIT:       "nit",
	cMyKad:     "mykad|ic number|ic no|kad pengenalan|pengenalan|nric",
	cNIK:       "nik|ktp|kependudukan",
	cCNIC:      "cnic|nicop",
	cCCCD:      "cccd|can cuoc|cmnd",
	cIRD:       "ird|ird number|inland revenue",
	cNHI:       "nhi|nhi number",
	cOHIP:      "ohip|health card|health insurance number|health number",
	cRAMQ:      "ramq|assurance maladie|carte soleil|nam",
	cEmirates:  "emirates id|emirates",
	cCivil:     "civil id|civil number",
	cIqama:     "iqama|saudi id|saudi national|hawiya",
	cVKN:       "vkn|vergi|vergi kimlik|vergi no",
	cEIN:       "ein|fein|employer identification|federal ein|tax id|taxid|tin",
	cSSN:       "ssn|social security|seguro social|socialsecurity|ssn's|ss#|social sec",
	cITIN:      "itin|individual taxpayer|taxpayer identification",
	cTIN:       "tin|taxpayer|tax id|tax number|tax identification|taxid|tax no|tax ref|tax reference",
	cDETax:     "steuer|steuerid|steuerliche|idnr|steueridentifikationsnummer|steuer id|tax id|steueridnr|identifikationsnummer|idno",
	cDETaxNo:   "steuernummer|steuernr|finanzamt|steuer nr",
	cPHTIN:     "bir",
	cTFN:       "tfn|tax file|taxfile",
	cPTNIF:     "nif|contribuinte|nipc",
	cPAN:       "pan|permanent account|income tax",
	cNPI:       "npi|provider|prescriber|national provider",
	cMBI:       "mbi|medicare|beneficiary",
	cDEA:       "dea|prescriber|physician|certificate|medical license|registrant",
	cNHS:       "nhs|national health|patient number",
	cMedicare:  "medicare",
	cKVNR:      "kvnr|krankenkasse|krankenversicherung|egk|versichertennummer|krankenversichertennummer|gesundheitskarte",
	cLANR:      "lanr|arztnummer|arzt nr|arztnr",
	cBSNR:      "bsnr|betriebsstattennummer|betriebsstatte",
	cMRN:       "mrn|medical record|patient id|patientid|member id|memberid|patientennummer|fallnummer|dossier|historia clinica|chart number|patient no|insurance id|policy number|beneficiary number|health plan|patient number|subscriber id|record number",
	cNINO:      "nino|national insurance|ni number",
	cDESV:      "rentenversicherung|rvnr|svnr|sozialversicherungsnummer|rentenversicherungsnummer|sozialversicherung|sv nummer",
	cNIR:       "nir|securite sociale|insee|numero de securite|secu",
	cITCF:      "codice fiscale|cf|fiscale",
	cITID:      "carta d'identita|carta identita|carta",
	cNIF:       "dni|nif|nie|identidad|extranjero",
	cBSN:       "bsn|burgerservicenummer|sofinummer|burgerservice",
	cBENN:      "rijksregister|registre national|rijksregisternummer|numero national|nationaal nummer|insz|niss",
	cAHV:       "ahv|avs|ahvn13|navs13|sozialversicherungsnummer",
	cPESEL:     "pesel",
	cPNR:       "personnummer|pnr|personal number|samordningsnummer",
	cFNR:       "fodselsnummer|fnr|personnummer|d nummer",
	cCPR:       "cpr|personnummer|cpr nr|cpr nummer",
	cHETU:      "hetu|henkilotunnus|personal identity|identity code|personbeteckning",
	cAadhaar:   "aadhaar|aadhar|uid|uidai|adhaar",
	cCPF:       "cpf",
	cRUT:       "rut|run|rol unico",
	cCUIT:      "cuit|cuil",
	cCURP:      "curp",
	cSIN:       "sin|nas|social insurance|assurance sociale",
	cNRIC:      "nric|fin",
	cRRN:       "rrn|resident registration|jumin",
	cFRN:       "frn|foreigner registration|alien registration",
	cMyNumber:  "my number|mynumber|individual number|kojin bango",
	cCNID:      "id card|identity card|resident identity|shenfenzheng|sfz",
	cZAID:      "south african|id number|sa id|permanent resident|rsa id|identity number",
	cTCKN:      "tckn|kimlik|tc kimlik|tc no",
	cTHID:      "tnin|thai id|thai national",
	cILID:      "teudat zehut|zehut|israeli id",
	cHKID:      "hkid|hong kong",
	cTWID:      "taiwan id|national id",
	cNIN:       "nin|national identification",
	cABN:       "abn|business number",
	cACN:       "acn|company number",
	cSEOrg:     "orgnr|org nr|organisationsnummer|organization number|company identity|org.nr",
	cKRBRN:     "brn|business registration",
	cVAT:       "vat|ust id|ustid|umsatzsteuer|ust idnr|ustidnr|umsatzsteuer id|mwst",
	cITVAT:     "partita iva|p iva|piva|vat|partita",
	cCNPJ:      "cnpj",
	cGSTIN:     "gstin|gst",
	cHRB:       "handelsregister|hrb|hra|amtsgericht",
	cUEN:       "uen|unique entity",
	cPassport:  "passport|reisepass|passeport|pasaporte|passaporto|pass nr|passnummer|pass|paspoort|paszport|passports|passport no",
	cDriver:    "license|licence|driver|driver's|drivers|driving|fuhrerschein|permis|patente|dl|fuhrerscheinnummer|rijbewijs|carnet de conducir|dln|patente di",
	cPlate:     "plate|plates|kennzeichen|immatriculation|matricula|targa|registration|car reg|license plate|licence plate|plaka|plakasi|kfz|vehicle registration|reg|nummernschild|rego|number plate",
	cVIN:       "vin|chassis|fahrgestell|fahrgestellnummer|vehicle identification",
	cPhone:     "phone|tel|telephone|mobile|fax|telefon|telefono|cell|call|handy|whatsapp|sms|phone number|contact|mob|cep|telefone|mobil|celular|movil|portable|hotline|dial|text me|cellphone|tlf|rufnummer|mobilnummer|telefonnummer|phones|ring|reach me|my number|japanese number|answering|reach|voicemail|calling|called|text|line",
	cCard:      "card|credit|debit|visa|mastercard|amex|karte|kreditkarte|carte|tarjeta|carta|cc|pan|cartao|karta|discover|diners|cardnumber|jcb|maestro|cards|kreditkort|ccn|credit card",
	cIBAN:      "iban|konto|compte|cuenta|rekening|kontonummer|bank",
	cBank:      "account|acct|konto|kontonummer|bank account|account number|acc|a/c|cuenta|compte|conto|rekeningnummer|checking|savings|beneficiary account|bankkonto|deposit|accounts|acc no",
	cABA:       "routing|aba|rtn|routing number|transit",
	cWallet:    "wallet|btc|eth|bitcoin|ethereum|crypto|address|coin|monero|tron|from|to|payout|withdraw|usdt|erc20",
	cDOB:       "dob|born|birth|birthday|birthdate|geboren|geburtsdatum|geb|naissance|nacimiento|nascita|geboortedatum|ne le|nee le|nacido|nacida|nato|nata|birth date|date of birth|urodzenia|nascimento|fodelsedatum|d.o.b",
	cDate:      "date|on|since|dated|until|from|datum|fecha|expires|admitted|discharged|seen",
	cAge:       "age|aged|alter|edad|eta|years old|jahre alt|ans|leeftijd|idade|wiek",
	cAddress:   "address|street|strasse|rue|calle|via|straat|ulica|adresse|anschrift|direccion|indirizzo|adres|lives|wohnhaft|residence|wohnt|addr|ship|deliver|located|residing",
	cZIP:       "zip|postcode|plz|postal|code postal|cap|cp|zip code|zipcode|postleitzahl|post code|postal code|cep|pincode|postnummer",
	cGeo:       "lat|lon|lng|latitude|longitude|geo|coordinates|coords|gps|location|breite|lange|position",
	cIMEI:      "imei|device id|serial|seriennummer|device|imeisv|udid|serial number|handset",
	cIDGeneric: "id|identity|identification|ausweis|national id|personalausweis|id number|identifier|citizen id|identificacion",
	cVersion:   "section|sections|sec|chapter|clause|appendix|annex|version|v|build|release|port|rev|revision|semver|ver|py|firmware",
	cOrder:     "order|invoice|isbn|ean|sku|upc|tracking|rechnung|kundennummer|article|issue|ticket|bestellung|commit|ref|timestamp|epoch|duration|bytes|size|product|item|asin|issn|doi|hash|checksum|trace|span|request|session|build|count|total|amount|price|bestellnummer|auftrag|artikel|factura|facture|colissimo|po|unix",
})

// native holds context in scripts that do not part words with spaces, or that
// the folding of Latin letters does not reach.
var native = []struct {
	text string
	c    ctx
}{
	{"ЕГН", cEGN}, {"СНИЛС", cSNILS}, {"ИНН", cINN}, {"ИИН", cIIN}, {"ЖСН", cIIN}, {"РНОКПП", cRNOKPP}, {"ІПН", cRNOKPP},
	{"ΑΜΚΑ", cAMKA}, {"ΑΦΜ", cAFM}, {"ЈМБГ", cJMBG}, {"الهوية", cIqama}, {"الإقامة", cIqama}, {"الرقم المدني", cCivil}, {"الهوية الإماراتية", cEmirates},
	{"マイナンバー", cMyNumber}, {"個人番号", cMyNumber}, {"身份证", cCNID}, {"公民身份", cCNID}, {"주민등록번호", cRRN},
	{"외국인등록번호", cFRN}, {"여권", cPassport}, {"사업자등록번호", cKRBRN}, {"운전면허", cDriver}, {"전화", cPhone},
	{"บัตรประชาชน", cTHID}, {"ประจำตัวประชาชน", cTHID}, {"תעודת זהות", cILID}, {"身分證", cTWID}, {"身份證", cHKID},
	{"電話", cPhone}, {"电话", cPhone}, {"手机", cPhone}, {"携帯", cPhone}, {"телефон", cPhone}, {"паспорт", cPassport},
	{"護照", cPassport}, {"护照", cPassport}, {"パスポート", cPassport}, {"هاتف", cPhone}, {"信用卡", cCard}, {"カード", cCard},
	{"生年月日", cDOB}, {"出生", cDOB}, {"생년월일", cDOB}, {"дата рождения", cDOB}, {"銀行", cBank}, {"口座", cBank},
}

func buildWords(m map[ctx]string) map[string]ctxSet {
	out := make(map[string]ctxSet, 800)
	for c, list := range m {
		for len(list) > 0 {
			word := list
			if i := indexByte(list, '|'); i >= 0 {
				word, list = list[:i], list[i+1:]
			} else {
				list = ""
			}
			s := out[word]
			s.add(c)
			out[word] = s
		}
	}
	return out
}

func indexByte(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// Windows in bytes: how far before and after a value words are read.
const (
	ctxBefore = 64
	ctxAfter  = 28
)

// nearby holds the groups around one value and how close their words are.
type nearby struct {
	set  ctxSet
	dist [128]uint8 // bytes between word and value, 255 at most
}

// look reads the words around b[i:j] into n, and adds the key's groups.
func (n *nearby) look(v *view, i, j int) {
	n.set = v.key
	lo := max(0, i-ctxBefore)
	for lo > 0 && lo < i && class[v.b[lo-1]]&cWord != 0 {
		lo++
	}
	n.words(v.b[lo:i], i-lo, true)
	hi := min(len(v.b), j+ctxAfter)
	n.words(v.b[j:hi], 0, false)
	for lo, hi := max(0, i-ctxBefore), hi; lo < hi; lo++ {
		if v.b[lo] >= 0xd0 {
			n.scripts(v.b[max(0, i-ctxBefore):hi])
			break
		}
	}
}

func (n *nearby) scripts(b []byte) {
	for i := range native {
		if contains(b, native[i].text) {
			n.add(native[i].c, 10)
		}
	}
}

func (n *nearby) add(c ctx, d int) {
	if !n.set.has(c) || int(n.dist[c]) > d {
		n.set.add(c)
		n.dist[c] = uint8(min(d, 255))
	}
}

func (n *nearby) addSet(s ctxSet, d int) {
	for k := range s {
		for w, base := s[k], ctx(k*64); w != 0; w, base = w>>1, base+1 {
			if w&1 != 0 {
				n.add(base, d)
			}
		}
	}
}

// words looks up each word and each pair of neighbours. Words are letters and
// digits; camel case is split; a dot or apostrophe inside a word is dropped.
func (n *nearby) words(b []byte, end int, before bool) {
	var text [2*ctxWord + 8]byte // the word before, a blank, the word
	last, lastHash := 0, uint32(fnvBase)
	for i := 0; i < len(b); {
		if class[b[i]]&cWord == 0 || b[i] == '_' {
			i++
			continue
		}
		j := i + 1
		for j < len(b) && class[b[j]]&cWord != 0 && b[j] != '_' && !camel(b, j) {
			j++
		}
		d := i
		if before {
			d = end - j
		}
		at := last
		if last > 0 {
			text[last], at = ' ', last+1
		}
		both := text[:at+foldWord(text[at:at], b[i:j], ctxWord)]
		word := both[at:]
		one, two := uint32(fnvBase), (lastHash^' ')*fnvPrime
		for _, c := range word {
			one, two = (one^uint32(c))*fnvPrime, (two^uint32(c))*fnvPrime
		}
		n.known(word, one, d)
		if last > 0 {
			n.known(both, two, d)
		}
		last, lastHash = copy(text[:], word), one
		i = j
	}
}

// ctxWord bounds the words that are looked up, in bytes.
const ctxWord = 32

// known adds the groups of a word or pair with that hash.
func (n *nearby) known(word []byte, hash uint32, d int) {
	if h := hash ^ hash>>16; ctxHashes[h>>6&1023]&(1<<(h&63)) == 0 {
		return
	}
	if s, ok := ctxWords[string(word)]; ok {
		n.addSet(s, d)
	}
}

// ctxHashes has a bit for the hash of each of ctxWords: nearly all words of a text
// are none of them.
var ctxHashes = func() (t [1024]uint64) {
	for w := range ctxWords {
		h := hashBytes([]byte(w))
		h ^= h >> 16
		t[h>>6&1023] |= 1 << (h & 63)
	}
	return t
}()

// camel reports whether a new word begins at b[j] in camel case.
func camel(b []byte, j int) bool {
	return class[b[j]]&cUpper != 0 && class[b[j-1]]&cLower != 0
}

// foldWord appends w in lower case without Latin accents, at most limit bytes.
func foldWord(dst, w []byte, limit int) int {
	for i := 0; i < len(w) && len(dst) < limit; i++ {
		c := w[i]
		switch {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c|0x20)
		case c == 0xc3 && i+1 < len(w):
			i++
			if w[i] == 0x9f { // sharp s
				dst = append(dst, 's')
			}
			dst = append(dst, latin1[w[i]&0x3f])
		case (c == 0xc4 || c == 0xc5) && i+1 < len(w):
			dst = append(dst, latinA[int(c&1)<<6|int(w[i+1]&0x3f)])
			i++
		default:
			dst = append(dst, c)
		}
	}
	return len(dst)
}

// latin1 and latinA are the base letters of U+00C0-U+00FF and U+0100-U+017F.
const (
	latin1 = "aaaaaaaceeeeiiiidnooooo*ouuuuypsaaaaaaaceeeeiiiidnooooo/ouuuuypy"
	latinA = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll" +
		"lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
)

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

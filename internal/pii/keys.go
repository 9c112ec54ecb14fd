package pii

import (
	"encoding/binary"
	"sync"
)

// mode is how a key's value is judged.
type mode uint8

const (
	mWhole   mode = iota // all of the value
	mName                // if it looks like a person's name
	mMaybe               // a name, if it looks like one and something else agrees
	mSecret              // if it may be a secret
	mPass                // any password
	mDate                // a date of birth
	mCode                // letters and digits with at least one digit
	mDigits              // at least four digits
	mAge                 // a number to 130
	mPlace               // words
	mAddress             // anything with a letter and of some length
	mCoord               // a decimal number
	mPhone               // seven digits or more
	mOpaque              // a machine's identifier: do not look inside
	mText                // nothing special, but prose is likely
	mOrg                 // an organisation's name
)

// keyRule is what a key says about its value.
type keyRule struct {
	typ  Type
	sub  string
	mode mode
	why  string
}

// keyRules maps normalised keys (words in lower case without accents, one
// blank between) to rules. Lists are divided by "|".
var keyRules = func() map[string]*keyRule {
	m := map[string]*keyRule{}
	add := func(t Type, sub string, k mode, list string) {
		rule := &keyRule{t, sub, k, "key for " + label(t, sub)}
		for len(list) > 0 {
			w := list
			if i := indexByte(list, '|'); i >= 0 {
				w, list = list[:i], list[i+1:]
			} else {
				list = ""
			}
			m[w] = rule
		}
	}
	add(Person, "", mName, "family|given|full name|fullname|first name|firstname|last name|lastname|surname|given name|givenname|family name|familyname|middle name|maiden name|"+
		"patient name|customer name|employee name|contact name|vorname|nachname|familienname|nom|prenom|nom de famille|nombre|apellido|apellidos|cognome|naam|voornaam|achternaam|imie|nazwisko|"+
		"fname|lname|real name|realname|legal name|cardholder|cardholder name|card holder|account holder|kontoinhaber|beneficiary name|recipient name|sender name|author name|patient|insured|policyholder|"+
		"mother|father|spouse|doctor|physician|nurse|ansprechpartner|name of patient|guest name|emergency contact|next of kin|signatory|subscriber name|passenger|passenger name|holder|tenant name|landlord|student name|teacher|nome|sobrenome|fornavn|etternavn|efternamn|fornamn|nimi|sukunimi|etunimi")
	add(Person, "", mMaybe, "name|display name|displayname|author|owner|assignee|reporter|creator|created by|updated by|requester|requested by|reviewer|sender|recipient|customer|client|employee|contact|user|member|manager|approver|committer|attendee|organizer|speaker|from name|to name|username display|agent|lead|assigned to|submitted by|closed by|merged by")
	add(Email, "", mText, "email|e mail|mail|correo|courriel|email address|mailto")
	add(DateTime, "DATE_OF_BIRTH", mDate, "dob|birth date|birthdate|date of birth|dateofbirth|birthday|born|geburtsdatum|geburtstag|date de naissance|naissance|fecha de nacimiento|nacimiento|data di nascita|nascita|geboortedatum|data urodzenia|data de nascimento|nascimento|birth|geboren|fodselsdato|fodelsedatum|d o b|patient dob")
	add(Phone, "", mPhone, "phone|phone number|phonenumber|telephone|tel|mobile|mobile number|mobile phone|cell|cell phone|fax|fax number|telefon|telefonnummer|telefono|handy|handynummer|mobil|gsm|whatsapp|home phone|work phone|contact number|contact phone|msisdn|celular|movil|portable|telefone|telefoon|phone 1|phone 2|dialed|caller|caller id|callee")
	add(Location, "STREET_ADDRESS", mAddress, "address|street|street address|address line 1|address line 2|address 1|address 2|address line|home address|billing address|shipping address|mailing address|strasse|anschrift|adresse|rue|calle|via|straat|ulica|direccion|indirizzo|adres|wohnort|residence|full address|addr|hausnummer|postal address|street 1|street 2|line 1|delivery address|adr|endereco|postanschrift|domicile|domicilio")
	add(Location, "", mPlace, "city|town|birthplace|place of birth|ort|stadt|ville|ciudad|citta|stad|miasto|county|district|village|hometown|geburtsort|lieu de naissance|lugar de nacimiento|cidade|home town|suburb|locality|kommune")
	add(Location, "ZIP_CODE", mDigits, "zip|zip code|zipcode|postcode|postal code|postalcode|post code|plz|postleitzahl|code postal|cap|cp|pincode|codigo postal|postnummer|kod pocztowy")
	add(Location, "GEO", mCoord, "lat|lon|lng|latitude|longitude|breitengrad|langengrad")
	add(Organization, "", mOrg, "company|employer|organization|organisation|company name|arbeitgeber|firma|societe|empresa|azienda|employer name|org name|organization name|institution|hospital|clinic|krankenhaus|business name|vendor name|supplier|insurer|bank name|employeur|werkgever")
	add(Age, "", mAge, "age|alter|edad|eta|patient age|leeftijd|idade|wiek|age years")
	add(NRP, "", mPlace, "nationality|religion|ethnicity|race|political party|political affiliation|staatsangehorigkeit|nationalite|nacionalidad|konfession|croyance|party affiliation|ethnic group|religious affiliation|citizenship")
	add(HealthID, "MRN", mCode, "mrn|medical record number|medical record|patient id|patientid|patient number|patient no|member id|memberid|patientennummer|fallnummer|health plan id|insurance id|policy number|subscriber id|beneficiary id|medical record no|chart number|dossier|historia clinica|versichertennummer|health record|hospital number|insurance number|insurance member id|group number")
	add(BankAccount, "", mDigits, "account number|accountnumber|acct|acct number|acct no|account no|bank account|kontonummer|konto nr|rekeningnummer|numero de cuenta|bank account number|numero de compte|nr konta|beneficiary account|account num|iban or account")
	add(BankAccount, "", mDigits, "routing|routing number|aba|aba number|rtn|routing no|aba routing")
	add(BankAccount, "", mCode, "bic|swift|swift code|bic swift|sort code|blz|bankleitzahl|ifsc|ifsc code|bsb")
	add(CreditCard, "", mDigits, "pan|card number|cardnumber|credit card|credit card number|creditcard|card no|kreditkarte|kreditkartennummer|numero de carte|numero de tarjeta|cc number|ccn|debit card")
	add(SSN, "", mDigits, "ssn|social security number|social security|socialsecuritynumber|ssn number|social security no|ssn last 4|ssn last4|ssn4")
	add(Passport, "", mCode, "passport|passport number|passportnumber|passport no|reisepass|reisepassnummer|passeport|pasaporte|passaporto|passnummer|numero de passeport|passport id|travel document")
	add(DriverLicense, "", mCode, "driver license|drivers license|driver licence|drivers licence|driving licence|driving license|driver license number|drivers license number|license number|licence number|dl number|fuhrerschein|fuhrerscheinnummer|permis|permis de conduire|patente|dln|dl|drivers license no")
	add(VehicleID, "", mCode, "plate|license plate|licence plate|plate number|number plate|kennzeichen|immatriculation|matricula|targa|registration plate|vehicle registration|kfz kennzeichen|nummernschild|reg plate|license plate number|car plate")
	add(VehicleID, "VIN", mCode, "vin|vehicle identification number|chassis number|fahrgestellnummer|fin")
	add(DeviceID, "IMEI", mDigits, "imei|imei number|meid|imeisv")
	add(DeviceID, "", mCode, "device id|deviceid|serial number|serialnumber|udid|seriennummer|device serial|android id|advertising id|idfa|gaid|hardware id|imsi|iccid")
	add(OtherID, "", mCode, "customer number|customer no|kundennummer|employee id|employee number|personalnummer|student id|matrikelnummer|badge number|case number|certificate number|customer id")
	add(Secret, "PASSWORD", mPass, "password|passwd|pwd|passwort|kennwort|passphrase|mot de passe|contrasena|senha|haslo|wachtwoord|db password|user password|admin password|root password|pass|passcode|otp secret|pin code")
	add("", "", mOpaque, "uuid|guid|sha|sha1|sha256|md5|hash|digest|commit|commit sha|commit id|etag|checksum|trace id|span id|request id|correlation id|node id|revision|tree|parent sha|blob|cursor|next cursor|"+
		"integrity|fingerprint sha|version|trace|span|build id|run id|job id|event id|transaction hash|tx hash|object id|isbn|ean|upc|gtin|sku|color|colour|mime type|content hash|image id|layer|"+
		"created at|updated at|timestamp|ts|created|updated|modified|expires|expires at|mtime|ctime|atime|duration|duration ns|duration ms|elapsed|size|bytes|port|pid|offset|column|count|total|price|amount|width|height|semver|tag|branch|oid|release|kernel|epoch|unix time|last modified|date created|merged at|closed at|pushed at|start time|end time|started at|finished at|latency")
	return m
}()

// keyInfo is what one key says.
type keyInfo struct {
	rule   *keyRule
	set    ctxSet
	secret int  // strength from secretName
	person bool // the members below describe a person
	value  bool // "value" and the like: its sibling names it
	namer  bool // "type", "name" and the like: names its sibling "value"
	quiet  bool // identifiers and code: no names inside
}

var personKeys = map[string]bool{"patient": true, "customer": true, "user": true, "employee": true, "contact": true, "person": true, "author": true, "sender": true,
	"recipient": true, "owner": true, "assignee": true, "reporter": true, "member": true, "client": true, "subject": true, "applicant": true, "guest": true, "student": true,
	"passenger": true, "creator": true, "committer": true, "requester": true, "kunde": true, "mitarbeiter": true, "beneficiary": true, "doctor": true, "profile": true, "people": true,
	"customers": true, "users": true, "contacts": true, "employees": true, "patients": true, "members": true, "attendees": true, "guests": true, "users list": true, "lead": true, "leads": true, "persona": true, "individual": true, "insured": true, "subscriber": true, "participants": true}

var namerKeys = map[string]bool{"type": true, "name": true, "key": true, "label": true, "field": true, "system": true, "code": true, "header": true, "id": true, "question": true, "property": true, "attribute": true, "kind": true, "column": true}
var valueKeys = map[string]bool{"value": true, "val": true, "content": true, "data": true, "answer": true, "value string": true, "text": true, "number": true}
var quietKeys = map[string]bool{"id": true, "sha": true, "path": true, "code": true, "url": true, "html url": true, "href": true, "file": true, "filename": true, "ref": true, "type": true, "uri": true, "mime": true, "status": true, "state": true, "key": true, "kind": true, "version": true, "branch": true, "command": true, "language": true, "icon": true, "class": true, "method": true, "event": true, "level": true, "logger": true, "function": true, "module": true, "sql": true, "query": true}

// plainKeys are keys under which anything stands: the content blocks of every
// tool have the key "text". As words near a value they say something; as its key
// they do not.
var plainKeys = map[string]bool{"text": true, "line": true, "lines": true, "call": true, "calls": true, "called": true, "calling": true, "answer": true,
	"reach": true, "ring": true, "content": true, "message": true, "body": true, "number": true, "numero": true}

// readKey judges a key's raw bytes.
func readKey(raw []byte) keyInfo {
	var k keyInfo
	if len(raw) > 64 {
		return k
	}
	var w words
	w.split(raw)
	n := w.n
	if n == 0 {
		return k
	}
	all := w.joined(0)
	k.rule = keyRules[string(all)]
	for i := 1; k.rule == nil && i < n; i++ {
		if rule := keyRules[string(w.joined(i))]; rule != nil && (rule.mode != mMaybe && rule.mode != mOpaque || i == n-1 && rule.mode == mOpaque) {
			k.rule = rule
		}
	}
	if plainKeys[string(all)] {
		n = 0
	}
	for i := range n {
		if s, ok := ctxWords[string(w.at(i))]; ok {
			k.set = k.set.or(s)
		}
		if i+1 < n {
			if s, ok := ctxWords[string(w.pair(i))]; ok {
				k.set = k.set.or(s)
			}
		}
	}
	k.secret = secretName(raw)
	if k.secret > 0 && k.rule != nil && k.rule.typ != Secret && k.rule.mode != mOpaque {
		k.secret = 0
	}
	last := w.at(max(n-1, 0))
	k.person = personKeys[string(all)] || n > 1 && personKeys[string(last)]
	k.value, k.namer, k.quiet = valueKeys[string(all)], namerKeys[string(all)], quietKeys[string(all)] || n > 1 && quietEnd(last) && !(string(last) == "id" && k.set.issued())
	return k
}

// quietEnd reports whether keys that end in w hold identifiers.
func quietEnd(w []byte) bool {
	switch string(w) {
	case "id", "url", "path", "sha":
		return true
	}
	return false
}

// keyCache remembers the keys of one scan: JSON repeats few of them. A key has
// eight slots where it may be. What a key says is never written over, for it may
// still be asked for: the key gives way to another alone (TestManyKeysHideNoPassword).
type keyCache struct {
	raw  [128][]byte
	info [128]*keyInfo
	own  [128]keyInfo // of the first key in each slot
	lost bool         // a key has given way to another
}

// keyCaches holds scratch memory between scans, and no key of them.
var keyCaches = sync.Pool{New: func() any { return new(keyCache) }}

// giveBack forgets the keys, which belong to the text that was scanned.
func (c *keyCache) giveBack() {
	clear(c.raw[:])
	clear(c.info[:])
	c.lost = false
	keyCaches.Put(c)
}

func (c *keyCache) get(raw []byte) *keyInfo { return c.info[c.slot(raw)] }

// slot returns where the key is remembered now.
func (c *keyCache) slot(raw []byte) uint32 {
	first := hashKey(raw)
	i := first
	for range 8 {
		if c.raw[i] == nil {
			c.raw[i], c.info[i], c.own[i] = raw[:len(raw):len(raw)], &c.own[i], readKey(raw)
			return i
		}
		if string(c.raw[i]) == string(raw) {
			return i
		}
		i = (i + 1) & 127
	}
	k := readKey(raw)
	c.raw[first], c.info[first], c.lost = raw[:len(raw):len(raw)], &k, true
	return first
}

// hashKey mixes the length and both ends of a key.
func hashKey(raw []byte) uint32 {
	h := uint32(len(raw))
	if n := len(raw); n >= 4 {
		h ^= binary.LittleEndian.Uint32(raw)*0x85ebca6b ^ binary.LittleEndian.Uint32(raw[n-4:])
	} else {
		for _, x := range raw {
			h = (h ^ uint32(x)) * fnvPrime
		}
	}
	return h * 0x9e3779b1 >> 25
}

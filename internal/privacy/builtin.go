package privacy

import "ostiary.dev/ostiary/internal/pii"

// builtin is a profile as it ships: one table, and what it demands of profiles
// that extend it.
type builtin struct {
	name  string
	acts  map[pii.Type]Action
	subs  map[fine]Action // fine labels that differ from their type
	keyed bool            // pseudonyms by HMAC
	scope []string
	// strict is 45 CFR 164.514(b)(2) and (c): nothing that is derived from the
	// person, nothing that is a part of an identifier.
	strict bool
}

// fine is a type with a fine label.
type fine struct {
	typ pii.Type
	sub string
}

// secretsOnly breaks nothing and leaks no credential. A type that is not in a
// table is kept, and not looked for.
var secretsOnly = builtin{
	name:  "secrets-only",
	acts:  map[pii.Type]Action{pii.Secret: Block},
	scope: []string{"tenant", "session"},
}

// gdprMinimal: direct identifiers become pseudonyms, numbers that national law
// guards (Art. 87) and cards are redacted, special categories (Art. 9) dropped,
// places and addresses of devices generalized.
var gdprMinimal = builtin{
	name: "gdpr-minimal",
	acts: map[pii.Type]Action{
		pii.Secret: Block,
		pii.Person: Token, pii.Email: Token, pii.Phone: Token, pii.DeviceID: Token, pii.MACAddress: Token,
		pii.IBAN: Token, pii.BankAccount: Token, pii.Crypto: Token, pii.VehicleID: Token,
		pii.NRP:      Drop,
		pii.Location: Generalize, pii.IPAddress: Generalize,
		pii.URL:        Generalize, // user info and secret queries go, the rest stays
		pii.HealthID:   Token,      // of no fixed form: medical records, members
		pii.CreditCard: Redact, pii.SSN: Redact, pii.NationalID: Redact, pii.TaxID: Redact,
		pii.Passport: Redact, pii.DriverLicense: Redact,
	},
	subs: map[fine]Action{
		{pii.DateTime, "DATE_OF_BIRTH"}: Generalize,
		// Of patients, beside those of physicians and of hospitals' own.
		{pii.HealthID, "US_MBI"}: Redact, {pii.HealthID, "UK_NHS"}: Redact, {pii.HealthID, "AU_MEDICARE"}: Redact,
		{pii.HealthID, "DE_HEALTH_INSURANCE"}: Redact, {pii.HealthID, "DE_LANR"}: Redact, {pii.HealthID, "DE_BSNR"}: Redact,
	},
	keyed: true,
	scope: []string{"tenant", "server", "purpose"},
}

// hipaaSafeHarbor has the letters of 45 CFR 164.514(b)(2)(i) beside its lines.
var hipaaSafeHarbor = builtin{
	name: "hipaa-safe-harbor",
	acts: map[pii.Type]Action{
		pii.Secret:        Block,
		pii.Person:        Token,      // A; relatives and household members too
		pii.Organization:  Token,      // A, employers
		pii.Location:      Redact,     // B
		pii.DateTime:      Generalize, // C
		pii.Age:           Generalize, // C
		pii.Phone:         Token,      // D, and E: fax numbers look the same
		pii.Email:         Token,      // F
		pii.SSN:           Token,      // G
		pii.HealthID:      Token,      // H and I
		pii.IBAN:          Token,      // J
		pii.BankAccount:   Token,      // J
		pii.CreditCard:    Token,      // J
		pii.Passport:      Token,      // K
		pii.DriverLicense: Token,      // K
		pii.VehicleID:     Token,      // L
		pii.DeviceID:      Token,      // M
		pii.MACAddress:    Token,      // M
		pii.URL:           Redact,     // N
		pii.IPAddress:     Redact,     // O; P and Q are media, which types allow or not
		pii.NationalID:    Token,      // R
		pii.TaxID:         Token,      // R
		pii.Crypto:        Token,      // R
		pii.OtherID:       Token,      // R
		pii.CompanyID:     Flag,
		pii.NRP:           Flag,
	},
	subs:   map[fine]Action{{pii.Location, "ZIP_CODE"}: Generalize},
	scope:  []string{"tenant", "session"},
	strict: true,
}

// builtins are the profiles that ship.
var builtins = []*builtin{&secretsOnly, &gdprMinimal, &hipaaSafeHarbor}

// Names returns the names of the profiles that ship.
func Names() []string {
	var out []string
	for _, b := range builtins {
		out = append(out, b.name)
	}
	return out
}

func builtinOf(name string) *builtin {
	for _, b := range builtins {
		if b.name == name {
			return b
		}
	}
	return nil
}

// act is the table's action. User patterns, whose names stand in sub, are there
// because somebody wants to hide what they match.
func (b *builtin) act(typ pii.Type, sub string, pattern bool) Action {
	if a, ok := b.subs[fine{typ, sub}]; ok {
		return a
	}
	a, ok := b.acts[typ]
	switch {
	case ok && a != Keep:
		return a
	case pattern:
		return Redact
	case typ.Known():
		return Keep
	}
	return Block // a type that the tables have not heard of
}

// narrow is what the receiver's zone makes of an action of the table.
func narrow(a Action, z Zone, typ pii.Type) Action {
	if a == Keep {
		return Keep
	}
	switch z {
	case ZoneClear:
		return Keep
	case ZoneToken:
		return a
	case ZoneSealed:
		if typ == pii.URL && a == Generalize {
			return a // an address of a page is not personal, what is hidden in it goes
		}
		return Block
	}
	return minimal(a, typ)
}

// minimal leaves nothing by which two messages can be linked.
func minimal(a Action, typ pii.Type) Action {
	switch a {
	case Token, Hash, SIV, FF1, Surrogate, Mask, Shift:
		if typ == pii.DateTime || typ == pii.Age || typ == pii.IPAddress || typ == pii.Location {
			return Generalize
		}
		return Redact
	}
	return a
}

// strength orders actions by how little they let through.
func strength(a Action) int {
	switch a {
	case Keep:
		return 0
	case Flag:
		return 1
	case Mask:
		return 2
	case FF1, SIV, Shift, Surrogate:
		return 3
	case Token, Hash:
		return 4
	case Generalize:
		return 5
	case Replace, Redact:
		return 6
	case Drop:
		return 7
	}
	return 8
}

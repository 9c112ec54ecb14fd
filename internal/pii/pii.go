// Package pii finds personal data and secrets in text: text in, spans out.
//
// One pass over the bytes looks for shapes (digit groups, tokens with digits,
// "@", "://", secret prefixes), verifies check digits, and weighs key names and
// context words; a second stage tags names in prose. JSON is walked in place so
// that a member's key is context for its value. Escapes, percent encoding, HTML
// entities, base64, hex and nested JSON are looked into, at most three layers
// deep, and every finding is mapped back to bytes of the source.
//
// The package is pure: no clock, no files, no network, no goroutines, and no
// state that changes after New. It may import only fault. It deliberately does
// not decide what happens to a finding (protect does), does not verify that a
// credential is live, and does not judge whole documents. What it cannot catch
// is listed in docs/privacy-limits.md; where its word lists and weights come
// from is in docs/pii-data.md. Identifiers follow the rules of their issuers,
// named beside each check.
package pii

import (
	"slices"

	"ostiary.dev/ostiary/internal/fault"
)

// Type is the closed set of kinds of findings. It may appear in logs and
// metrics: it says nothing about the value.
type Type string

// The types, as they are written in policies, reports and metrics.
const (
	Person        Type = "PERSON"
	Organization  Type = "ORGANIZATION"
	Location      Type = "LOCATION"
	NRP           Type = "NRP" // nationality, religion, politics
	Title         Type = "TITLE"
	Age           Type = "AGE"
	DateTime      Type = "DATE_TIME"
	Email         Type = "EMAIL"
	Phone         Type = "PHONE"
	URL           Type = "URL"
	IPAddress     Type = "IP_ADDRESS"
	MACAddress    Type = "MAC_ADDRESS"
	DeviceID      Type = "DEVICE_ID"
	CreditCard    Type = "CREDIT_CARD"
	IBAN          Type = "IBAN"
	BankAccount   Type = "BANK_ACCOUNT"
	Crypto        Type = "CRYPTO"
	SSN           Type = "US_SSN"
	NationalID    Type = "NATIONAL_ID"
	TaxID         Type = "TAX_ID"
	HealthID      Type = "HEALTH_ID"
	Passport      Type = "PASSPORT"
	DriverLicense Type = "DRIVER_LICENSE"
	VehicleID     Type = "VEHICLE_ID"
	CompanyID     Type = "COMPANY_ID"
	OtherID       Type = "OTHER_ID" // a user pattern or a customer number under a key
	Secret        Type = "SECRET"
)

// allTypes orders the types; a type's index is its bit in a typeSet.
var allTypes = [...]Type{Person, Organization, Location, NRP, Title, Age, DateTime, Email, Phone, URL,
	IPAddress, MACAddress, DeviceID, CreditCard, IBAN, BankAccount, Crypto, SSN, NationalID, TaxID,
	HealthID, Passport, DriverLicense, VehicleID, CompanyID, OtherID, Secret}

// Types returns every type in a fixed order.
func Types() []Type { return slices.Clone(allTypes[:]) }

// Known reports whether t is one of the types.
func (t Type) Known() bool { return slices.Contains(allTypes[:], t) }

// typeSet has the bit 1<<i for allTypes[i].
type typeSet uint32

func bitOf(t Type) typeSet {
	for i := range allTypes {
		if allTypes[i] == t {
			return 1 << i
		}
	}
	return 0
}

var (
	secretBit     = bitOf(Secret)
	personBit     = bitOf(Person)
	orgBit        = bitOf(Organization)
	placeBit      = bitOf(Location)
	titleBit      = bitOf(Title)
	nrpBit        = bitOf(NRP)
	dateBit       = bitOf(DateTime)
	ageBit        = bitOf(Age)
	urlBit        = bitOf(URL)
	emailBit      = bitOf(Email)
	creditCardBit = bitOf(CreditCard)
	cryptoBit     = bitOf(Crypto)
	ipBit         = bitOf(IPAddress)
	macBit        = bitOf(MACAddress)
	phoneBit      = bitOf(Phone)
	vehicleIDBit  = bitOf(VehicleID)
	proseBits     = personBit | orgBit | placeBit | titleBit | nrpBit
)

// Span is one finding. Offsets are bytes into the scanned UTF-8 text, half-open.
type Span struct {
	Start, End int
	Type       Type
	Sub        string  // fine label such as "ES_NIF"; empty where there is none
	Score      float64 // 0 to 1: how sure, not how harmful
	Why        string  // the rule, never the value; fit for logs
}

// Pattern is an operator's own expression in RE2 syntax.
type Pattern struct {
	Name string // stands in Span.Sub and Span.Why
	Type Type   // OTHER_ID if empty
	Expr string
}

// Limits of user patterns and of one text.
const (
	maxPatterns    = 64
	maxPatternSize = 1000    // bytes of one expression
	maxText        = 1 << 31 // bytes; offsets are kept as int32 inside
)

// Config chooses what a Scanner looks for. The zero value finds nothing and New
// refuses it: a scanner that looks for nothing is a mistake in a policy.
type Config struct {
	Types    []Type // the types to find
	All      bool   // every type, for measuring and "privacy scan"
	Patterns []Pattern
}

// Scanner finds spans. It is safe for concurrent use.
type Scanner struct {
	want     typeSet
	patterns *patterns // nil without any
	model    *model    // nil if no names are wanted
	slow     bool      // no way past clean text, no memory: for tests that compare
}

// New makes a Scanner. Unknown types and expressions that RE2 refuses are
// fault.BadParams errors whose sentence names the entry's position, not its text.
func New(cfg Config) (*Scanner, error) {
	s := &Scanner{}
	for i, t := range cfg.Types {
		b := bitOf(t)
		if b == 0 {
			return nil, fault.Newf(fault.BadParams, "type %d of the detector is unknown", i+1)
		}
		s.want |= b
	}
	if cfg.All {
		s.want = 1<<len(allTypes) - 1
	}
	if len(cfg.Patterns) > 0 {
		p, err := newPatterns(cfg.Patterns)
		if err != nil {
			return nil, err
		}
		s.patterns = p
	}
	if s.want == 0 && s.patterns == nil {
		return nil, fault.Newf(fault.BadParams, "the detector looks for nothing")
	}
	if s.want&proseBits != 0 {
		s.model = loadModel()
	}
	return s, nil
}

// secretsOnly reports whether nothing but secrets are looked for.
func (s *Scanner) secretsOnly() bool { return s.want == secretBit && s.patterns == nil }

// passes reports whether the scan of raw can be left out.
func (s *Scanner) passes(raw []byte) bool {
	return s.secretsOnly() && !s.slow && !mayHoldSecret(raw)
}

// Wants reports whether the scanner looks for t.
func (s *Scanner) Wants(t Type) bool { return s.want&bitOf(t) != 0 }

// Scan finds spans in text, sorted and without overlaps. Text that is a JSON
// object or array is walked as JSON. The scanner reads text and keeps nothing.
func (s *Scanner) Scan(text []byte) []Span {
	r := run{s: s, src: text}
	r.text(&view{b: text, bare: true})
	return r.finish()
}

// ScanJSON finds spans in one JSON value; keys are context. Offsets are into raw:
// inside a string they lie between its quotes and cover whole escapes. Input that
// is not JSON is scanned as text.
func (s *Scanner) ScanJSON(raw []byte) []Span {
	if s.passes(raw) {
		return nil
	}
	r := run{s: s, src: raw}
	v := view{b: raw}
	if !r.json(&v) {
		r.text(&v)
	}
	return r.finish()
}

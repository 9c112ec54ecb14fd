package privacy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/pii"
)

// dice are numbers that follow from a seed (splitmix64). The seed is the secret,
// an HMAC of the value: what they look like need not be.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

func (d *dice) digits(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte('0' + d.below(10))
	}
	return string(out)
}

// tries bounds how many candidates are held against a schema.
const tries = 32

// invent returns a value that looks like one of the type and is nobody's: the
// same for the same seed. It may be another person's invented value; a pseudonym
// is what tells people apart.
func invent(f Finding, seed uint64) (string, error) {
	for i := range uint64(tries) {
		d := &dice{seed + i<<32}
		if v := candidate(f, d, int(i)); f.shape.fits(v) {
			return v, nil
		}
	}
	if v, ok := f.shape.build(&dice{seed}); ok {
		return v, nil
	}
	return "", ErrShape
}

// candidate makes the n-th value to be tried: of the type, then of the schema's
// format, then of the old value's form.
func candidate(f Finding, d *dice, n int) string {
	switch {
	case f.Schema.Numeric:
		return f.number(d)
	case f.Schema.Format != "":
		if v := ofFormat(f.Schema.Format, d); v != "" {
			return v
		}
	case n%2 == 1:
		return likeness(f.Value, d)
	}
	return ofType(f, d)
}

// number makes as many digits as the old value has.
func (f Finding) number(d *dice) string {
	if f.Type == pii.Age {
		return fmt.Sprint(20 + d.below(50))
	}
	n := min(max(len(onlyDigits(f.Value)), 1), 15)
	for {
		if v := strings.TrimLeft(d.digits(n), "0"); v != "" && !(f.Type == pii.CreditCard && luhn(v)) {
			return v
		}
	}
}

func ofFormat(format string, d *dice) string {
	switch format {
	case "email", "idn-email":
		return email(d)
	case "date":
		return day(d).Format(time.DateOnly)
	case "date-time":
		return day(d).Format(time.RFC3339)
	case "time":
		return day(d).Format("15:04:05Z07:00")
	case "uri", "iri", "url":
		return page(d)
	case "hostname":
		return letters(d, 10) + ".pseudonym.invalid"
	case "ipv4":
		return address(false, d)
	case "ipv6":
		return address(true, d)
	case "uuid":
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(d.next()), d.next()>>16)
	}
	return ""
}

// ofType makes a value of the type, in the old value's form where types have
// several.
func ofType(f Finding, d *dice) string {
	switch f.Type {
	case pii.Person:
		return fmt.Sprintf("%s %c. %s", givenNames[d.below(len(givenNames))], 'A'+d.below(26), family(d.next()))
	case pii.Organization:
		return nameHalves[d.below(len(nameHalves))] + companyEnds[d.below(len(companyEnds))]
	case pii.Location:
		return place(f, d)
	case pii.Email:
		return email(d)
	case pii.Phone:
		// Area codes N9X are kept free for the day when numbers get longer.
		return fmt.Sprintf("+1 %d9%d %d%02d %04d", 2+d.below(8), d.below(10), 2+d.below(8), d.below(100), d.below(10_000))
	case pii.URL:
		return page(d)
	case pii.IPAddress:
		return address(strings.Contains(f.Value, ":"), d)
	case pii.MACAddress:
		return fmt.Sprintf("02:00:5e:%02x:%02x:%02x", d.below(256), d.below(256), d.below(256)) // locally administered
	case pii.CreditCard:
		return card(f.Value, d)
	case pii.SSN:
		return withDigits(orForm(f.Value, 9, "000-00-0000"), fmt.Sprintf("000%02d%04d", 1+d.below(99), 1+d.below(9999)))
	case pii.Age:
		return fmt.Sprint(20 + d.below(50))
	case pii.DateTime:
		return someDay(f.Value, d)
	}
	return likeness(orForm(f.Value, 6, "000000000"), d)
}

// orForm returns value if it has n digits or more, and form otherwise.
func orForm(value string, n int, form string) string {
	if len(onlyDigits(value)) >= n {
		return value
	}
	return form
}

// email is at a domain that RFC 2606 promises never to exist. 60 bits tell people
// apart.
func email(d *dice) string { return "p" + letters(d, 12) + "@pseudonym.invalid" }

func page(d *dice) string { return "https://" + letters(d, 10) + ".pseudonym.invalid/" }

func letters(d *dice, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = "23456789abcdefghjkmnpqrstuvwxyz"[d.below(31)]
	}
	return string(out)
}

// address is of a network where nobody is: the one for benchmarks (RFC 2544), and
// a corner of the one for documentation (RFC 3849). Not all of the latter: people
// write samples from it, and want to see them hidden.
func address(v6 bool, d *dice) string {
	if v6 {
		b := nobodys[1].Addr().As16()
		for i := 8; i < 16; i++ {
			b[i] = byte(d.next())
		}
		return netip.AddrFrom16(b).String()
	}
	return netip.AddrFrom4([4]byte{198, byte(18 + d.below(2)), byte(d.below(256)), byte(1 + d.below(254))}).String()
}

var nobodys = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8:5eed::/48")}

// card is Luhn-invalid: no card has the number.
func card(form string, d *dice) string {
	form = orForm(form, 12, "0000 0000 0000 0000")
	number := "4" + d.digits(len(onlyDigits(form))-2)
	wrong := check(number) + byte(1+d.below(9))
	if wrong > '9' {
		wrong -= 10
	}
	return withDigits(form, number+string(wrong))
}

// place is in no atlas. Postcodes and coordinates are where nobody lives.
func place(f Finding, d *dice) string {
	switch f.Sub {
	case "ZIP_CODE", "DE_PLZ":
		return "000" + d.digits(2)
	case "UK_POSTCODE":
		return fmt.Sprintf("ZZ%d %dZZ", d.below(10), d.below(10)) // ONS: no fixed abode
	case "GEO":
		return fmt.Sprintf("0.%s, 0.%s", d.digits(4), d.digits(4))
	}
	town := nameHalves[d.below(len(nameHalves))] + placeEnds[d.below(len(placeEnds))]
	if f.Sub == "STREET_ADDRESS" {
		return fmt.Sprintf("%d %s Street", 1+d.below(199), town)
	}
	return town
}

// day is some day between 1970 and 2019.
func day(d *dice) time.Time {
	return time.Date(1970, 1, 1+d.below(18262), 0, 0, 0, 0, time.UTC)
}

// someDay is a day in the old date's form.
func someDay(form string, d *dice) string {
	t := day(d)
	if old, ok := readDate(form); ok {
		return old.written(t.Year(), int(t.Month()), t.Day())
	}
	return t.Format(time.DateOnly)
}

// likeness has a digit where form has one, a letter where it has one, and the
// rest unchanged. Of many digits the first three are noughts: no number of people
// that we know begins so.
func likeness(form string, d *dice) string {
	var out strings.Builder
	noughts := 0
	if len(onlyDigits(form)) >= 6 {
		noughts = 3
	}
	for _, r := range form {
		switch {
		case '0' <= r && r <= '9' && noughts > 0:
			out.WriteByte('0')
			noughts--
		case '0' <= r && r <= '9':
			out.WriteByte(byte('0' + d.below(10)))
		case 'A' <= r && r <= 'Z':
			out.WriteByte(byte('A' + d.below(26)))
		case r < 0x80 && (r < 'a' || r > 'z'):
			out.WriteRune(r)
		default:
			out.WriteByte(byte('a' + d.below(26)))
		}
	}
	return out.String()
}

var freePhone = regexp.MustCompile(`^\+1 [2-9]9[0-9] [2-9][0-9]{2} [0-9]{4}$`)

// Ours reports whether a value of typ is one that Surrogate or Replace makes:
// what a second pass leaves alone. No person's value is: domains that never
// exist, area 000, names of nobody. Ranges from which people take samples are not
// among them. Whoever writes such a value on purpose shows what is nobody's.
func Ours(typ pii.Type, value string) bool {
	switch typ {
	case pii.Email:
		return strings.HasSuffix(value, "@pseudonym.invalid")
	case pii.URL:
		rest, ok := strings.CutPrefix(value, "https://")
		return ok && strings.HasSuffix(strings.TrimSuffix(rest, "/"), ".pseudonym.invalid") && !strings.ContainsAny(rest[:len(rest)-1], "/?#@")
	case pii.Person:
		return invented(value[strings.LastIndexByte(value, ' ')+1:], nameEnds)
	case pii.Organization:
		return invented(value, companyEnds)
	case pii.Location:
		if lat, lon, ok := strings.Cut(value, ", "); ok && strings.HasPrefix(lat, "0.") && strings.HasPrefix(lon, "0.") {
			return true // off the coast of Ghana
		}
		words := strings.Fields(value)
		return len(words) == 1 && invented(words[0], placeEnds) || len(words) == 3 && words[2] == "Street" && invented(words[1], placeEnds)
	case pii.SSN:
		return strings.HasPrefix(value, "000")
	case pii.Phone:
		return freePhone.MatchString(value)
	case pii.MACAddress:
		return strings.HasPrefix(value, "02:00:5e:")
	case pii.IPAddress:
		a, err := netip.ParseAddr(value)
		return err == nil && slices.ContainsFunc(nobodys, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return false
}

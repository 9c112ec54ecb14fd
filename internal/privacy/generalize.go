package privacy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// oldest is the age from which people are few: 45 CFR 164.514(b)(2)(i)(C).
const oldest = 90

// codeYear stands in for a clock that nobody gave.
const codeYear = 2026

// sparse are the first three digits of ZIP codes of areas with 20,000 people or
// fewer, which 45 CFR 164.514(b)(2)(i)(B) demands to be 000: the 17 of HHS,
// "Guidance Regarding Methods for De-identification" (2012), question 2.4, from
// the census of 2000. The rule means the census of the day: whoever has a newer
// list redacts ZIP codes by a rule of their own.
var sparse = strings.Fields("036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893")

// generalize returns a less exact value, and "" where the type has none.
func (p *Profile) generalize(f Finding) string {
	switch f.Type {
	case pii.DateTime:
		return p.years(f)
	case pii.Age:
		return band(f.Value)
	case pii.Location:
		return p.region(f)
	case pii.IPAddress:
		return network(f.Value)
	case pii.URL:
		return bareURL(f.Value)
	}
	return ""
}

// now is the current year.
func (p *Profile) now() int {
	if p.cfg.Year != nil {
		return p.cfg.Year()
	}
	return codeYear
}

// years leaves the year of a date. A year that tells that somebody is 90 or
// older goes too: of a date of birth everywhere, of any date in Safe Harbor, for
// nobody said whose date it is.
func (p *Profile) years(f Finding) string {
	if year, ok := strings.CutPrefix(f.Value, "before "); ok && len(onlyDigits(year)) == 4 && len(year) == 4 {
		return f.Value // made here
	}
	year := 0
	if d, ok := readDate(f.Value); ok {
		if d.y.end == d.y.start || p.base.strict && d.y.end-d.y.start == 2 {
			return "" // of two digits, nobody knows the century
		}
		year = d.full(p.now())
	} else if year = onlyYear(f.Value); year == 0 {
		return ""
	}
	if born := f.Sub == "DATE_OF_BIRTH"; (born || p.base.strict) && year <= p.now()-oldest {
		return fmt.Sprintf("before %d", p.now()-oldest+1)
	}
	return fmt.Sprintf("%04d", year)
}

// onlyYear returns the one number of four digits in a text that could not be read
// as a date, such as "Monday the 3rd of May 1999 at noon"; 0 if there are more.
func onlyYear(s string) int {
	year := 0
	for i := 0; i < len(s); {
		n, f, ok := number(s, i, 1, 9)
		if f.end == i {
			i++
			continue
		}
		if ok && f.end-i == 4 {
			if year != 0 || n < 1800 || n > 2199 {
				return 0
			}
			year = n
		}
		i = f.end
	}
	return year
}

// band makes 42 into 40-49 and everything from 90 on into 90+. Whatever else
// stands beside the number stays: "40-49 years old".
func band(s string) string {
	start := strings.IndexAny(s, "0123456789")
	if start < 0 {
		return ""
	}
	n, f, ok := number(s, start, 1, 3)
	rest := s[f.end:]
	if !ok || start > 0 && (s[start-1] == '.' || s[start-1] == '-') || strings.ContainsAny(rest, "0123456789") {
		return banded(s, f)
	}
	if n >= oldest {
		return s[:start] + "90+" + strings.TrimPrefix(rest, "+")
	}
	return fmt.Sprintf("%s%d-%d%s", s[:start], n/10*10, n/10*10+9, rest)
}

// banded returns s if it is a band already.
func banded(s string, f field) string {
	low, err := strconv.Atoi(f.of(s))
	if err == nil && low%10 == 0 && low < oldest && strings.HasPrefix(s[f.end:], fmt.Sprintf("-%d", low+9)) &&
		!strings.ContainsAny(s[f.end+1+len(strconv.Itoa(low+9)):], "0123456789") {
		return s
	}
	return ""
}

// region leaves the part of a postcode that many people share, and of a place on
// the globe about ten kilometres. Safe Harbor knows ZIP codes only. Other places
// would need a map.
func (p *Profile) region(f Finding) string {
	s := strings.TrimSpace(f.Value)
	switch f.Sub {
	case "ZIP_CODE":
		return zip3(s)
	case "DE_PLZ":
		if _, f, ok := number(s, 0, 5, 5); ok && f.end == len(s) && !p.base.strict {
			return s[:2]
		}
	case "UK_POSTCODE":
		end := strings.IndexAny(s, "0123456789")
		if end > 0 && end <= 2 && !p.base.strict {
			return s[:end]
		}
	case "GEO":
		if !p.base.strict {
			return coarse(s)
		}
	}
	return ""
}

func zip3(s string) string {
	_, f, ok := number(s, 0, 3, 9)
	rest := s[f.end:]
	switch {
	case !ok || f.end != 3 && f.end != 5 && f.end != 9, rest != "" && rest[0] != '-' && rest[0] != ' ':
		return ""
	case slices.Contains(sparse, s[:3]):
		return "000"
	}
	return s[:3]
}

// coarse leaves one decimal of both numbers of a place.
func coarse(s string) string {
	out := strings.Builder{}
	for i := 0; i < len(s); {
		_, f, _ := number(s, i, 1, 15)
		if f.end == i {
			if strings.IndexByte(" ,;.+-NSEWnsew", s[i]) < 0 {
				return ""
			}
			out.WriteByte(s[i])
			i++
			continue
		}
		digits := f.of(s)
		if i > 0 && s[i-1] == '.' {
			digits = digits[:1]
		}
		out.WriteString(digits)
		i = f.end
	}
	return out.String()
}

// network leaves the /24 of an IPv4 address and the /48 of an IPv6 address.
func network(s string) string {
	text, _, cidr := strings.Cut(s, "/")
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return ""
	}
	a = a.WithZone("").Unmap()
	bits := 24
	if a.Is6() {
		bits = 48
	}
	if cidr {
		if prefix, err := netip.ParsePrefix(a.String() + s[len(text):]); err == nil {
			bits = min(bits, prefix.Bits())
		}
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}

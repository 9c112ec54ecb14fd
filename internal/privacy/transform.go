package privacy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// Errors of Transform. None holds the value.
var (
	// ErrShape says that no value which the action may make fits the schema: drop
	// the member if it is optional, refuse the message otherwise.
	ErrShape = errors.New("privacy: no value of that action fits the schema")
	// ErrAction says that the action does not make a value, or is not allowed
	// for this type or in this profile.
	ErrAction = errors.New("privacy: not an action that makes a value here")
	// ErrKey says that the key is missing from which the value would be derived.
	ErrKey = errors.New("privacy: no key to derive a value from")
)

// maxValue bounds one value. What is longer is redacted.
const maxValue = 64 << 10

// Transform returns what takes the place of a finding's value. Keep, Flag,
// Block, Drop and Token do not make values and are errors. Where the schema is
// not free, the value fits it or there is an error. The value is valid UTF-8 and
// not longer than three times the old one and 256 bytes. What FF1 or a shift
// cannot make in its place is an invented value.
func (p *Profile) Transform(a Action, f Finding, s Secrets) (string, error) {
	f.Value, f.shape = strings.ToValidUTF8(f.Value, "\uFFFD"), p.shape(f.Schema)
	if len(f.Value) > maxValue && a != Redact && a != Replace {
		a = Redact
	}
	if p.base.strict && slices.Contains(underived, a) && (a != Surrogate || f.Seed == 0) {
		return "", fmt.Errorf("%s in %s: %w", a, p.base.name, ErrAction)
	}
	if f.Type == pii.Secret && !slices.Contains(ofSecrets, a) && a != Replace {
		return "", fmt.Errorf("%s of a secret: %w", a, ErrAction)
	}
	if s == nil && slices.Contains(keyed, a) && (a != Surrogate || f.Seed == 0) {
		return "", ErrKey
	}
	out, err := p.make(a, f, s)
	if (a == FF1 || a == Shift) && (errors.Is(err, ErrShape) || err == nil && !f.shape.fits(out)) {
		out, err = p.make(Surrogate, f, s)
	}
	if err != nil {
		return "", err
	}
	if !f.shape.fits(out) {
		return "", ErrShape
	}
	return out, nil
}

// keyed are the actions that need a Secrets.
var keyed = []Action{Hash, SIV, FF1, Shift, Surrogate}

// make carries an action out. What it returns may not fit the schema.
func (p *Profile) make(a Action, f Finding, s Secrets) (string, error) {
	switch a {
	case Redact:
		return redacted(f.Type), nil
	case Mask:
		return mask(f.Value), nil
	case Replace:
		return p.replaced(f)
	case Generalize:
		return p.generalized(f)
	case Hash:
		return code(f.Type, "#", s.Hash(f.Scope, string(f.Type), f.Value))
	case SIV:
		text, err := s.SIV(f.Scope, string(f.Type), f.Value)
		if err != nil {
			return "", fmt.Errorf("siv: %w", errors.Join(ErrKey, err))
		}
		return code(f.Type, "~", text)
	case FF1:
		return encrypted(f, s)
	case Shift:
		return p.moved(f, s)
	case Surrogate:
		seed := f.Seed
		if seed == 0 {
			seed = s.Surrogate(f.Scope, string(f.Type), f.Value)
		}
		if seed == 0 {
			return "", ErrKey
		}
		if p.base.strict {
			f.Value = "" // not even its form
		}
		return invent(f, seed)
	}
	return "", fmt.Errorf("%q: %w", a, ErrAction)
}

// redacted is the type in brackets: no scanner takes it for a value.
func redacted(t pii.Type) string { return "[" + string(t) + "]" }

// code puts what was derived from a value beside its type.
func code(t pii.Type, mark, text string) (string, error) {
	if text == "" {
		return "", ErrKey
	}
	return "[" + string(t) + mark + text + "]", nil
}

// constant is the seed of values that are the same for everybody.
const constant = 1

// replaced is the operator's fixed value, or ours: the same for every value of
// a type, so that nothing follows from it.
func (p *Profile) replaced(f Finding) (string, error) {
	if text, ok := p.fixed[f.Type]; ok {
		return text, nil
	}
	if f.Schema.Free() && f.Type == pii.Secret {
		return redacted(f.Type), nil
	}
	f.Value = "" // not even its form
	return invent(f, constant)
}

// generalized is redaction where a type has nothing more general, and where the
// schema leaves no room for it a value with the same year or the same for all.
func (p *Profile) generalized(f Finding) (string, error) {
	out := p.generalize(f)
	if out == "" {
		out = redacted(f.Type)
	}
	if f.shape.fits(out) {
		return out, nil
	}
	if f.Type == pii.DateTime {
		if p.base.strict {
			return "", ErrShape // no day is better than a wrong one that may be right
		}
		for _, day := range []string{out + "-01-01", out + "-01-01T00:00:00Z"} {
			if len(out) == 4 && f.shape.fits(day) {
				return day, nil
			}
		}
	}
	if low, _, band := strings.Cut(strings.TrimSuffix(out, "+"), "-"); f.Type == pii.Age && band || strings.HasSuffix(out, "+") {
		if f.shape.fits(low) {
			return low, nil
		}
	}
	return p.replaced(f)
}

// moved shifts a date by the days of its subject.
func (p *Profile) moved(f Finding, s Secrets) (string, error) {
	if f.Type != pii.DateTime {
		return "", fmt.Errorf("shift of %s: %w", f.Type, ErrAction)
	}
	subject := f.Subject
	if subject == "" {
		subject = f.Scope
	}
	days := s.Shift(f.Scope, subject)
	if days == 0 {
		return "", ErrKey
	}
	d, ok := readDate(f.Value)
	if !ok {
		return redacted(f.Type), nil
	}
	out, ok := d.shifted(days, p.now())
	if !ok {
		return redacted(f.Type), nil
	}
	return out, nil
}

// numberLike reports whether a value is digits, but for what parts them and two
// letters at most, such as a country's. FF1 leaves letters as they are: those of a
// vehicle or of an encoded text would say who it is (TestFF1LeavesNoLetters).
func numberLike(s string) bool {
	letters := 0
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9' || strings.ContainsRune(" -./()+", r):
		case 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z':
			letters++
		default:
			return false
		}
	}
	return letters <= 2
}

// encrypted puts the digits of a value through FF1 and leaves all else where it
// was. A value that FF1 cannot take is ErrShape. A card's last digit is its check: the others are encrypted, and the check
// is made wrong by five, so that the number is nobody's.
func encrypted(f Finding, s Secrets) (string, error) {
	if !slices.Contains(digits, f.Type) {
		return "", fmt.Errorf("ff1 of %s: %w", f.Type, ErrAction)
	}
	if !numberLike(f.Value) {
		return "", fmt.Errorf("ff1 of a value with letters: %w", ErrShape)
	}
	plain := onlyDigits(f.Value)
	card := f.Type == pii.CreditCard && luhn(plain)
	if card {
		plain = plain[:len(plain)-1]
	}
	out, err := walked(plain, func(digits string) (string, error) { return s.FF1(f.Scope, string(f.Type), digits) })
	if err != nil {
		return "", fmt.Errorf("ff1: %w", errors.Join(ErrShape, err))
	}
	if card {
		out += string('0' + (check(out)-'0'+5)%10)
	}
	if looksInvented(out) {
		return "", fmt.Errorf("ff1 of a value that would look invented: %w", ErrShape) // which has no way back
	}
	return withDigits(f.Value, out), nil
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// withDigits puts digits in place of those of s.
func withDigits(s, digits string) string {
	out := []byte(s)
	for i, at := 0, 0; i < len(out) && at < len(digits); i++ {
		if '0' <= out[i] && out[i] <= '9' {
			out[i] = digits[at]
			at++
		}
	}
	return string(out)
}

// check is the digit that ISO/IEC 7812-1 puts behind digits.
func check(digits string) byte {
	sum := 0
	for i := range len(digits) {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return byte('0' + (10-sum%10)%10)
}

func luhn(digits string) bool {
	return len(digits) > 1 && check(digits[:len(digits)-1]) == digits[len(digits)-1]
}

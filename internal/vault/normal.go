package vault

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normal is the form of a value that decides which token it has: two ways to
// write the same address or number have one. The table keeps the bytes of the
// first one that was met.
func normal(typ, value string) string {
	value = strings.TrimSpace(norm.NFC.String(value))
	switch typ {
	case "EMAIL":
		if at := strings.LastIndexByte(value, '@'); at >= 0 {
			return value[:at] + strings.ToLower(value[at:])
		}
	case "PHONE":
		return phone(value)
	case "IBAN":
		return strings.ToUpper(without(value, " \t\u00a0-"))
	case "CREDIT_CARD", "US_SSN":
		return without(value, " \t\u00a0-.")
	case "MAC_ADDRESS":
		return strings.ToLower(strings.ReplaceAll(value, "-", ":"))
	}
	return value
}

// phone keeps the digits and a plus at the front, which 00 stands for.
func phone(value string) string {
	var out strings.Builder
	for _, r := range value {
		if r >= '0' && r <= '9' || r == '+' && out.Len() == 0 {
			out.WriteRune(r)
		}
	}
	text := out.String()
	if rest, ok := strings.CutPrefix(text, "00"); ok {
		return "+" + rest
	}
	if strings.TrimPrefix(text, "+") == "" {
		return value
	}
	return text
}

// without leaves the characters of cut out.
func without(value, cut string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(cut, r) {
			return -1
		}
		return r
	}, value)
}

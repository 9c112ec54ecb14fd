package pii

import "bytes"

const maxSecret = 4096 // bytes of one token

// prefixed matches the token that begins at b[i] with the vendors' forms; j is
// the end of its first run of word bytes.
func (r *run) prefixed(v *view, i, j int) int {
	if k := r.vain.jwt(v.b, i); k > i {
		r.emit(v, i, k, Secret, "jwt", 0.96, "JSON Web Token")
		return k
	}
	if f, k := r.vain.form(v.b, i); f != nil {
		r.emit(v, i, k, Secret, f.name, 0.96, "prefix of "+f.name)
		return k
	}
	return j
}

// capitals accepts the key identifiers that are capitals and digits, of which one
// in a hundred has no digit.
func capitals(f *secretForm, b []byte) bool {
	if len(f.prefix) != 4 || len(b) != 20 || f.name != "AWS_ACCESS_KEY" || !noLower(b) {
		return false
	}
	var seen [256]bool
	distinct := 0
	for _, c := range b[4:] {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
	}
	return distinct >= 9
}

// exact applies the stricter rules of short prefixes, where words and numbers
// would otherwise match.
func exact(f *secretForm, b []byte) bool {
	rest := b[len(f.prefix):]
	switch f.prefix {
	case "AKIA", "ASIA", "ABIA", "ACCA", "A3T", "LTAI":
		return len(b) == 20 && noLower(b)
	case "SK", "AC":
		return len(b) == 34 && allHex(rest)
	case "key-", "dapi":
		return allHex(rest[:min(32, len(rest))])
	case "re_", "fw_", "oy2", "sdk-", "mob-", "DO00":
		return mixedCase(rest) && count(rest, '-') <= 5 && (f.prefix != "DO00" || noLower(b)) && (f.prefix != "oy2" || len(b) == 46)
	case "API-":
		return len(rest) >= 26 && noLower(rest) && !allHex(rest)
	case "YC", "AQVN":
		return len(b) == 40
	case "sk-":
		return count(rest, '-') <= 2
	case "pat", "patz", "pk.", "t1.", "pat.", "sat.", "00D":
		return count(b, '.')+count(b, '!') > 0 || f.prefix == "patz"
	case "GR1348941":
		return len(b) >= 29 && mixedCase(rest)
	case "EAA":
		return len(b) >= 80
	case "A3-":
		return noLower(b) && count(b, '-') >= 5
	case "SCW":
		return len(b) == 20 && noLower(b)
	}
	return true
}

func hasPrefix(b []byte, p string) bool { return len(b) >= len(p) && string(b[:len(p)]) == p }

func count(b []byte, c byte) (n int) {
	for _, x := range b {
		if x == c {
			n++
		}
	}
	return n
}

func noLower(b []byte) bool {
	for _, c := range b {
		if class[c]&cLower != 0 {
			return false
		}
	}
	return true
}

func mixedCase(b []byte) bool {
	var m uint8
	for _, c := range b {
		m |= class[c]
	}
	return m&cDigit != 0 && m&(cUpper|cLower) != 0
}

func allHex(b []byte) bool {
	for _, c := range b {
		if class[c]&cHex == 0 {
			return false
		}
	}
	return len(b) > 0
}

// random reports whether b looks generated: enough different bytes, a digit or
// both cases, and no long run of one byte.
func random(b []byte) bool {
	var seen [256]bool
	distinct, runLen, longest, rising := 0, 0, 0, 0
	var m uint8
	for i, c := range b {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		if i > 0 && b[i-1] == c {
			runLen++
		} else {
			runLen = 1
		}
		if i > 0 && c == b[i-1]+1 {
			rising++ // an alphabet is no secret
		}
		longest = max(longest, runLen)
		m |= class[c]
	}
	if rising*2 > len(b) {
		return false
	}
	least := 6
	if len(b) < 14 {
		least = 5
	}
	return distinct >= least && longest*3 < len(b)+6 && (m&cDigit != 0 || m&cUpper != 0 && m&cLower != 0)
}

// pem reads a private key block from "-----BEGIN" at i to its footer, or to the
// end of the text if the footer is missing: half a key is still a key.
func (r *run) pem(v *view, i int) int {
	b := v.b
	if !hasPrefix(b[i:], "-----BEGIN ") {
		return i
	}
	head := i + 11
	k := head
	for k < len(b) && k-head < 40 && b[k] != '-' {
		k++
	}
	if !hasPrefix(b[k:], "-----") || !contains(b[head:k], "PRIVATE KEY") {
		return i
	}
	for e := k + 5; e < len(b); e++ {
		if b[e] == '-' && hasPrefix(b[e:], "-----END ") {
			for f := e + 9; f < len(b) && f-e < 60; f++ {
				if hasPrefix(b[f:], "-----") {
					r.emit(v, i, f+5, Secret, "PRIVATE_KEY", 0.98, "PEM private key")
					return f + 5
				}
			}
		}
	}
	if len(b)-k < 40 {
		return i
	}
	r.emit(v, i, len(b), Secret, "PRIVATE_KEY", 0.9, "PEM private key without an end")
	return len(b)
}

// hooks are the addresses under which a path lets anybody write.
var hooks = []string{"hooks.slack.com/services/", "hooks.slack.com/workflows/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", officeHook}

const officeHook = "webhook.office.com/webhookb2/" // behind a tenant's name

// hookSecret reports whether a URL without its scheme is a secret by itself.
func hookSecret(b []byte) bool {
	for _, p := range hooks {
		if p != officeHook && len(b) >= len(p)+30 && bytes.EqualFold(b[:len(p)], []byte(p)) {
			return true
		}
	}
	return len(b) > 80 && contains(bytes.ToLower(b[:64]), "."+officeHook)
}

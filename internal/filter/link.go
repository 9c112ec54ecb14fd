package filter

import (
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// link strips user info, and the parameters that carry secrets, from a URI.
func (j *job) link(v wire.Value) {
	text, ok := v.Text()
	if !ok {
		return
	}
	if bare := bareLink(text); bare != text {
		j.Fields++
		j.edits = append(j.edits, wire.Replace(v, wire.Quote(bare)))
	}
}

// bareLink returns a URI without user info and without parameters that name a
// secret. It is cut as RFC 3986 appendix B does, and never decoded as a whole,
// so that nothing else of it changes.
func bareLink(uri string) string {
	front, fragment, hash := strings.Cut(uri, "#")
	front, query, asked := strings.Cut(front, "?")
	if i := strings.Index(front, "//"); i >= 0 && (i == 0 || front[i-1] == ':') {
		end := strings.IndexAny(front[i+2:], `/\`)
		if end < 0 {
			end = len(front) - i - 2
		}
		if at := strings.LastIndexByte(front[i+2:i+2+end], '@'); at >= 0 {
			front = front[:i+2] + front[i+2+at+1:]
		}
	}
	if asked {
		if query = bareQuery(query); query != "" {
			front += "?" + query
		}
	}
	if hash {
		// OAuth's implicit grant puts tokens there.
		if fragment = bareQuery(fragment); fragment != "" {
			front += "#" + fragment
		}
	}
	return front
}

// bareQuery drops the parameters that name a secret.
func bareQuery(query string) string {
	var kept strings.Builder
	for part := range strings.SplitAfterSeq(query, "&") {
		for piece := range strings.SplitAfterSeq(part, ";") {
			name, _, _ := strings.Cut(piece, "=")
			if !secretParameter(name) {
				kept.WriteString(piece)
			}
		}
	}
	if out := kept.String(); out != query {
		return strings.Trim(out, "&;")
	}
	return query
}

// secretWords are what names of parameters that carry secrets hold, without
// signs between words.
var secretWords = []string{"token", "secret", "password", "passwd", "pwd", "apikey", "accesskey", "signature", "credential", "authorization", "sessionid", "jwt", "assertion"}

// secretNames are names that are such only as a whole.
var secretNames = []string{"key", "sig", "auth", "pass", "pw", "code", "sid", "session", "hmac", "sas", "se", "sp", "sv"}

func secretParameter(name string) bool {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, unescapePercent(name))
	for _, w := range secretWords {
		if strings.Contains(plain, w) {
			return true
		}
	}
	for _, w := range secretNames {
		if plain == w {
			return true
		}
	}
	return false
}

// unescapePercent decodes %XX, and leaves what is none.
func unescapePercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(byte(hexDigits([]byte(s[i+1 : i+3]))))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// hexDigits reads valid hexadecimal digits.
func hexDigits(b []byte) rune {
	var r rune
	for _, c := range b {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

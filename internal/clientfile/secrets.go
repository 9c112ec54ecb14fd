package clientfile

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SecretAt says where a value stands that looks like a credential. It never
// holds the value or a part of it.
type SecretAt struct {
	Where  string // env.NAME, headers.NAME, args[0], url
	Key    string // the variable, header or flag
	Reason string // "by name" or "by shape"
}

func argName(i int) string { return "args[" + strconv.Itoa(i) + "]" }

// Secrets returns the values of an entry that look like credentials in clear
// text. A value that only refers to one (${NAME}) is none. A finding is a
// hint for a person: what is sealed is decided by place, not by this.
func Secrets(e Entry) []SecretAt {
	var all []SecretAt
	e.walk(func(where, value string) string {
		key := where
		if _, name, ok := strings.Cut(where, "."); ok {
			key = name
		}
		if r := secretReason(key, value, strings.Contains(where, ".")); r != "" {
			all = append(all, SecretAt{Where: where, Key: key, Reason: r})
		}
		return value
	})
	return append(all, secretFlags(e.Args, all)...)
}

// secretFlags finds --api-key=VALUE and --api-key VALUE.
func secretFlags(args []string, found []SecretAt) []SecretAt {
	var all []SecretAt
	for i, a := range args {
		flag, value, joined := strings.Cut(a, "=")
		at := i
		if !joined {
			if !strings.HasPrefix(a, "-") || i+1 == len(args) || strings.HasPrefix(args[i+1], "-") {
				continue
			}
			at, value = i+1, args[i+1]
		}
		known := slices.ContainsFunc(found, func(s SecretAt) bool { return s.Where == argName(at) })
		if !known && secretReason(strings.TrimLeft(flag, "-"), value, true) != "" {
			all = append(all, SecretAt{Where: argName(at), Key: flag, Reason: "by name"})
		}
	}
	return all
}

// secretReason says why a value looks like a credential, "" if it does not.
func secretReason(key, value string, named bool) string {
	if named && secretName(key) && onlyReference(value) == "" && len(value) >= 4 && !plainWord(value) {
		return "by name"
	}
	if secretShape(value) {
		return "by shape"
	}
	return ""
}

// onlyReference returns value if it holds nothing but a reference, perhaps
// after a scheme such as Bearer.
func onlyReference(value string) string {
	v := value
	if _, rest, ok := strings.Cut(value, " "); ok {
		v = rest
	}
	if strings.HasPrefix(v, "${") && strings.IndexByte(v, '}') == len(v)-1 && !strings.Contains(v, ":-") {
		return value
	}
	if strings.HasPrefix(v, "$") && len(v) > 1 && envName(v[1:]) == v[1:] {
		return value
	}
	return ""
}

// plainWord reports values that switch something rather than keep it secret,
// and files: a path to a key is not the key.
func plainWord(v string) bool {
	switch strings.ToLower(v) {
	case "true", "false", "none", "null", "auto", "required", "optional", "disabled", "enabled":
		return true
	}
	return strings.HasPrefix(v, "/") || strings.HasPrefix(v, "~/") || strings.HasPrefix(v, "./")
}

// secretWords are parts of names that stand for credentials; a name is split
// at case changes and punctuation.
var secretWords = []string{"token", "tokens", "secret", "secrets", "password", "passwd", "passphrase", "pwd", "pass",
	"apikey", "credential", "credentials", "creds", "authorization", "auth", "cookie", "pat", "bearer", "dsn", "jwt", "signature"}

// secretName reports whether a variable, header or flag names a credential.
func secretName(name string) bool {
	words := nameWords(name)
	for i, w := range words {
		if slices.Contains(secretWords, w) {
			return true
		}
		if w == "key" && (len(words) == 1 || i > 0 && words[i-1] != "public") {
			return true
		}
	}
	joined := strings.Join(words, "")
	return strings.HasSuffix(joined, "apikey") || strings.HasSuffix(joined, "connectionstring") || strings.HasSuffix(joined, "databaseurl")
}

// nameWords splits API_KEY, apiKey and X-Api-Key into lower-case words.
func nameWords(name string) []string {
	var words []string
	start := 0
	flush := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(name[start:end]))
		}
	}
	for i := range len(name) {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		switch {
		case !upper && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			flush(i)
			start = i + 1
		case upper && i > start && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush(i)
			start = i
		}
	}
	flush(len(name))
	return words
}

// secretPrefixes start credentials of well-known issuers.
var secretPrefixes = []string{"sk-", "sk_live_", "sk_test_", "rk_live_", "pk_live_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
	"glpat-", "xoxb-", "xoxp-", "xoxa-", "xapp-", "AKIA", "ASIA", "AIza", "ya29.", "npm_", "pypi-", "hf_", "dop_v1_", "lin_api_",
	"ntn_", "secret_", "figd_", "shpat_", "SG.", "tvly-", "pplx-", "gsk_", "r8_", "eyJ", "Bearer ", "Basic ", "Token "}

// secretShape reports whether a value has the form of a credential.
func secretShape(v string) bool {
	if strings.Contains(v, "-----BEGIN ") && strings.Contains(v, "PRIVATE KEY") {
		return true
	}
	for _, p := range secretPrefixes {
		if strings.HasPrefix(v, p) && len(v) >= len(p)+12 && onlyReference(v) == "" && !strings.Contains(v[len(p):], " ") {
			return true
		}
	}
	if strings.Contains(v, "://") {
		return secretURL(v)
	}
	return randomText(v)
}

// secretURL reports a password or a credential in the query of a URL.
func secretURL(v string) bool {
	u, err := url.Parse(v)
	if err != nil {
		return strings.Contains(v, "@")
	}
	if p, ok := u.User.Password(); ok && p != "" && onlyReference(p) == "" {
		return true
	}
	for name, values := range u.Query() {
		for _, value := range values {
			if value != "" && onlyReference(value) == "" && (secretName(name) || secretShape(value)) {
				return true
			}
		}
	}
	return false
}

// randomText reports 32 or more characters of base64 or hexadecimal that mix
// letters and digits. Names in lower case with dashes, such as those of
// packages and UUIDs, are none.
func randomText(v string) bool {
	if len(v) < 32 || len(v) > 4096 {
		return false
	}
	digits, upper, lower := 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		case c != '+' && c != '=' && c != '_' && c != '-' && c != '/':
			return false
		}
	}
	separators := len(v) - digits - upper - lower
	if upper == 0 || lower == 0 { // hexadecimal and base32
		return digits >= 6 && separators == 0
	}
	return digits >= 3 && separators <= len(v)/10
}

package pii

// Secrets without a form of their own: what stands beside a name that says so.

// maxValue bounds a secret without a form of its own, in bytes.
const maxValue = 512

// assigned handles ":", "=", "," and ">" at i: a name before, a value after.
func (r *run) assigned(v *view, i int) int {
	b := v.b
	if b[i] == ':' {
		if k := r.telegram(v, i); k > i {
			return k
		}
	}
	lo, hi := nameBefore(b, i)
	if hi-lo < 3 {
		return i
	}
	if letterCount(b[lo:hi]) < 3 {
		return i
	}
	strength := secretName(b[lo:hi])
	if strength == 0 {
		return i
	}
	k, quoted := valueStart(b, i)
	if k == len(b) || !r.vain.mayValue(k) {
		return i
	}
	e := valueEnd(b, k, quoted)
	if past := scheme(b, k); past > k {
		k, e = past, valueEnd(b, past, quoted)
	}
	if !secretValue(b[k:e], strength) || quoted == 0 && len(b[k:e]) > 1 && codeLike(b[k:e]) {
		r.vain.noSecret(k, e)
		return i
	}
	if quoted != 0 && b[k] == '+' && (e == len(b) || b[e] != quoted) {
		return i // what looked like an opening quote ended a text that is added to
	}
	if b[i] == ',' && !mixed(b[k:e]) || quoted == 0 && (indexes(b[k:e]) || lettersOnly(b[k:e]) && variable(b, lo, i, k, e)) {
		return i // names in a list, an element of a list, the name of a variable
	}
	sub := "generic-api-key"
	if strength == 2 {
		sub = "PASSWORD"
	}
	r.emit(v, k, e, Secret, sub, 0.85, "value beside the name of a secret")
	return e
}

// scheme returns where the credential behind a scheme of HTTP begins; i if b[i:] names
// none.
func scheme(b []byte, i int) int {
	for _, s := range []string{"bearer ", "basic ", "token ", "digest "} {
		k := 0
		for k < len(s) && i+k < len(b) && b[i+k]|0x20 == s[k] {
			k++
		}
		if k == len(s) {
			return i + k
		}
	}
	return i
}

// telegram reads a bot token: the bot's number, a colon, "A" and 34 characters.
func (r *run) telegram(v *view, i int) int {
	b := v.b
	if i+36 > len(b) || b[i+1] != 'A' || i < 6 || !isDigit(b[i-1]) {
		return i
	}
	lo := i
	for lo > 0 && i-lo < 17 && isDigit(b[lo-1]) {
		lo--
	}
	k := i + 1
	for k < len(b) && k-i < 60 && (isAlnum(b[k]) || b[k] == '-' || b[k] == '_') {
		k++
	}
	if i-lo < 5 || i-lo > 16 || k-i-1 != 35 || !random(b[i+2:k]) || lo > 0 && isWord(b[lo-1]) && !(lo > 2 && string(b[lo-3:lo]) == "bot") {
		return i
	}
	r.emit(v, lo, k, Secret, "telegram-bot-api-token", 0.95, "number, colon and token of a bot")
	return k
}

// nameBefore finds the identifier that an operator at i assigns to.
func nameBefore(b []byte, i int) (lo, hi int) {
	hi = i
	for hi > 0 && i-hi < 6 && (b[hi-1] == ' ' || b[hi-1] == '"' || b[hi-1] == '\'' || b[hi-1] == ':' || b[hi-1] == '?' || b[hi-1] == '.' || b[hi-1] == '\\' || b[hi-1] == '\t') {
		hi--
	}
	if b[i] == ',' && (hi == i || b[hi] != '"' && b[hi] != '\'') {
		return 0, 0
	}
	lo = nameStart(b, hi)
	if typeWord(b[lo:hi]) && lo > 1 && b[lo-1] == ' ' {
		hi = lo - 1
		lo = nameStart(b, hi)
	}
	if b[i] == '>' && (lo == 0 || b[lo-1] != '<') {
		return 0, 0
	}
	return lo, hi
}

// typeWord reports whether w is a type that stands between a name and its value.
func typeWord(w []byte) bool {
	switch string(w) {
	case "string", "String", "str", "const", "text":
		return true
	}
	return false
}

func nameStart(b []byte, hi int) int {
	lo := hi
	for lo > 0 && hi-lo < 64 && nameByte[b[lo-1]] {
		lo--
	}
	return lo
}

// valueStart skips the operator and blanks, and an opening quote.
func valueStart(b []byte, i int) (k int, quoted byte) {
	k = i + 1
	for k < len(b) && k-i < 5 && (b[k] == '=' || b[k] == ':' || b[k] == '>') {
		k++
	}
	for s := k; k < len(b) && k-s < 12 && (b[k] == ' ' || b[k] == '\t' || b[k] == '\n' || b[k] == '\\'); {
		k++
	}
	if k < len(b) && (b[k] == '"' || b[k] == '\'' || b[k] == '`') {
		return k + 1, b[k]
	}
	return k, 0
}

func valueEnd(b []byte, k int, quoted byte) int {
	e := k
	for e < len(b) && e-k < maxValue {
		c := b[e]
		if c == quoted && quoted != 0 || c <= ' ' && c != ' ' || c == '"' || c == '`' || c == '<' {
			break
		}
		if c == '\\' && e+1 < len(b) && (b[e+1] == 'n' || b[e+1] == '"') && quoted == 0 {
			break
		}
		if quoted == 0 && (c == ' ' || c == ';' || c == ',' || c == '\'' || c == ')' || c == '}' || c == ']' || c == '&' && !inValue(b, e)) {
			break
		}
		e++
	}
	if quoted == 0 {
		for e > k && (b[e-1] == '.' || b[e-1] == ',') {
			e--
		}
	}
	return e
}

// inValue reports whether the "&" at e is a sign of the value: a letter or digit
// follows, and no name of a further value ("&next=") or of a character ("&amp;").
func inValue(b []byte, e int) bool {
	k := e + 1
	for k < len(b) && k-e < 40 && nameByte[b[k]] {
		k++
	}
	return k > e+1 && (k == len(b) || b[k] != '=' && b[k] != ';' && b[k] != '[')
}

// secretName tells whether a name is that of a secret: 0 no, 1 a token or key,
// 2 a password.
func secretName(name []byte) int {
	if !mayNameSecret(name) {
		return 0
	}
	return nameStrength(name)
}

func nameStrength(name []byte) int {
	var w words
	w.split(name)
	strength := 0
	for k := range w.n {
		word := w.at(k)
		for len(word) > 3 && isDigit(word[len(word)-1]) {
			word = word[:len(word)-1]
		}
		s, last := secretWord(word), k >= w.n-2
		switch {
		case notSecret(word):
			if k > 0 || s == 0 {
				return 0
			}
		case s == 3: // "key" needs a word before it
			if k > 0 && keyBefore(w.at(k-1)) && last {
				strength = max(strength, 1)
			}
		case s > 0 && (last || s == 2 || string(word) == "secret"):
			strength = max(strength, s)
		}
	}
	return strength
}

// acronymEnd parts "APIToken" before the "T".
func acronymEnd(b []byte, i, j int) bool {
	return j > i+1 && j+1 < len(b) && class[b[j]]&cUpper != 0 && class[b[j-1]]&cUpper != 0 && class[b[j+1]]&cLower != 0
}

func secretWord(w []byte) int {
	switch string(w) {
	case "password", "passwd", "pwd", "passwort", "kennwort", "passphrase", "contrasena", "senha", "haslo", "pass", "wachtwoord", "passcode":
		return 2
	case "token", "secret", "apikey", "apitoken", "accesstoken", "authtoken", "secretkey", "accesskey", "credential", "credentials",
		"jeton", "authorization", "auth", "bearer", "clientsecret", "privatekey", "accesskeyid", "apisecret", "accessid", "tok", "dsn", "secrets", "sessionid", "cookie":
		return 1
	case "key":
		return 3
	}
	return 0
}

func keyBefore(w []byte) bool {
	switch string(w) {
	case "api", "access", "secret", "private", "encryption", "signing", "account", "storage", "auth", "master", "service", "webhook", "deploy", "license", "ssh", "shared", "hmac", "session":
		return true
	}
	return false
}

// notSecret holds words that make a name harmless: max_tokens, token_type, ...
func notSecret(w []byte) bool {
	switch string(w) {
	case "nr", "no", "number", "nummer", "tokens", "count", "type", "limit", "max", "min", "url", "uri", "path", "file", "expires", "expiry", "length", "page", "next",
		"cursor", "continuation", "progress", "sync", "pagination", "delta", "resume", "policy", "hint", "reset", "usage", "budget", "prompt", "completion", "at", "field", "label", "hash", "public", "pub", "endpoint", "size", "header", "author", "name", "total":
		return true
	}
	return false
}

// secretValue reports whether b may be a secret of that strength.
func secretValue(b []byte, strength int) bool {
	if placeholder(b) {
		return false
	}
	if strength == 2 {
		return len(b) >= 4 && len(b) <= 200 && count(b, ' ') == 0
	}
	if len(b) < 8 || count(b, ' ') > 0 || count(b, '(') > 0 {
		return false
	}
	if onlyDigits(b) {
		return len(b) >= 16 && !allSame(b)
	}
	return random(b) && plausible(b)
}

// placeholder reports whether b stands for a secret without being one.
func placeholder(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] == '$' && len(b) > 1 && (b[1] == '{' || b[1] == '(' || noLower(b) && !mixedCase(b)) || b[0] == '{' || b[0] == '<' || b[0] == '`' {
		return true
	}
	if count(b, '*')*2 >= len(b) || count(b, 'x')*2 >= len(b) && len(b) > 3 || count(b, 'X')*2 >= len(b) && len(b) > 3 || count(b, '.') == len(b) {
		return true
	}
	var low [40]byte
	n := foldWord(low[:0], b, 32)
	s := string(low[:n])
	switch s {
	case "null", "none", "nil", "true", "false", "undefined", "changeme", "password", "passwort", "secret", "token", "required", "string", "redacted",
		"hidden", "todo", "test", "example", "placeholder", "empty", "invalid", "unset", "expired", "missing", "optional", "reset", "prompt", "basic", "bearer":
		return true
	}
	for _, p := range []string{"your", "my_", "example", "<", "[redacted", "change", "insert", "env:", "file:", "kms:", "vault:", "{{", "%s", "%v", "process.env", "os.environ", "[", "redacted"} {
		if len(s) >= len(p) && s[:len(p)] == p {
			return true
		}
	}
	return contains(b, "${") || contains(b, "{{") || contains(b, "EXAMPLEKEY")
}

package pii

// What beside the name of a secret is a piece of a program.

// mixed reports whether b has both a letter and a digit.
func mixed(b []byte) bool {
	var m uint8
	for _, c := range b {
		m |= class[c]
	}
	return m&cDigit != 0 && m&(cUpper|cLower|cHigh) != 0
}

// lettersOnly reports whether b is a name as programs have it.
func lettersOnly(b []byte) bool {
	for _, c := range b {
		if class[c]&(cUpper|cLower|cLine) == 0 && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// variable reports whether the name in b[k:e], to which the operator at i leads, is
// a variable's rather than a password: a program goes on after it, or puts it on a
// line of its own, or writes blanks around its operators.
func variable(b []byte, lo, i, k, e int) bool {
	if e < len(b) && (b[e] == ',' || b[e] == ')' || b[e] == '}' || b[e] == ';' || b[e] == '[' || b[e] == '(') {
		return true
	}
	if b[i] == ':' {
		return i+1 < len(b) && b[i+1] == '=' || count(b[i:k], '\n') > 0
	}
	return b[i] == '=' && i > lo && (b[i-1] == ':' || b[i-1] == ' ' && !noLower(b[lo:i]))
}

// indexes reports whether b is an element of a list or the start of an expression:
// a name and a bracket, or a bracket.
func indexes(b []byte) bool {
	for i, c := range b {
		switch {
		case c == '(' && i == 0 || c == '[' && i > 0 && (i < len(b)-1 || b[i-1] != ']'):
			return true
		case class[c]&(cUpper|cLower|cLine) == 0 && c != '.':
			return false
		}
	}
	return false
}

// codeLike reports whether b is an expression of a program: a call, a number in
// hexadecimal, a path of names.
func codeLike(b []byte) bool {
	if b[0] == '0' && len(b) < 10 && b[1] == 'x' {
		return true
	}
	names := true
	for i, c := range b {
		if c == '(' && i > 2 && names {
			return true
		}
		names = names && (class[c]&(cUpper|cLower|cLine) != 0 || c == '.')
	}
	return names && count(b, '.') > 0
}

// plausible refuses values that are words, paths or identifiers of code.
func plausible(b []byte) bool {
	var m uint8
	digits, slashes := 0, 0
	for _, c := range b {
		m |= class[c]
		if isDigit(c) {
			digits++
		}
		if c == '/' {
			slashes++
		}
	}
	if slashes > 1 && len(b) < 60 && (b[0] == '/' || b[0] == '.' || hasPrefix(b, "http")) || hasPrefix(b, "http") {
		return false
	}
	if digits == 0 {
		return len(b) >= 32 && m&cUpper != 0 && m&cLower != 0 && count(b, '.') == 0 && count(b, '_') == 0
	}
	return true
}

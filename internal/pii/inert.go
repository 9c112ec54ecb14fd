package pii

// inert reports whether a machine's identifier, such as a hash, a UUID, a version or
// a time, has no form in it that the scan would find: nothing but digits, words that
// begin no form, dashes, dots before digits and the colons of a time. It may say no
// where there is nothing; TestInertChangesNothing holds it to the scan.
func inert(b []byte) bool {
	colons := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case class[c]&(cDigit|cUpper|cLower|cLine) != 0:
			j := i + 1
			m := class[c]
			for j < len(b) && class[b[j]]&cWord != 0 {
				m |= class[b[j]]
				j++
			}
			if m&cHigh != 0 || prefixStart(b, i) || opening(b, i, j, m) || j-i >= longToken && mayDecode(b, i) {
				return false
			}
			i = j - 1
		case c == '-' || c == ' ':
		case c == ':' && i > 0 && i+1 < len(b) && isDigit(b[i-1]) && isDigit(b[i+1]) && colons < 2:
			colons++
		case c == '.' && i+1 < len(b) && isDigit(b[i+1]):
		default:
			return false
		}
	}
	return true
}

// opening reports whether the word at b[i:j] may begin a form: of letters alone it
// must be long and in lower case, and no country's letters may stand before digits.
func opening(b []byte, i, j int, m uint8) bool {
	if m&cDigit == 0 {
		return j-i <= 3 || class[b[i]]&cUpper != 0
	}
	return class[b[i]]&(cUpper|cLower) != 0 && class[b[i+1]]&(cUpper|cLower) != 0
}

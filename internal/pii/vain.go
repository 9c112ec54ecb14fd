package pii

// vain remembers what was read in vain in a view: a text made of one beginning
// over and over must not be read to its end from each of them
// (TestC13PrefixesOverAndOver, TestC13RunsOverAndOver).
type vain struct {
	forms  map[*secretForm]int // the end of the last long run that began as such a token
	dots   int                 // the end of the last run with too few dots for a JWT
	run    int                 // the end of the last run that decodes to nothing
	runs   int                 // beginnings in it that misled
	value  int                 // the end of the last value that was no secret
	values int                 // beginnings of values in it
	read   int                 // bytes that were read, for the tests
}

const (
	longRun  = 256 // in a shorter run of a token's bytes all prefixes are tried
	maxHeads = 8   // beginnings inside one run, and values inside one, that are tried
	maxBrief = 128 // a shorter value is as quickly read
)

// mayRun reports whether a run of base64 that begins at i is worth reading.
func (n *vain) mayRun(i int) bool { return i >= n.run || n.runs < maxHeads }

// misled notes that the run from i to k decodes to nothing.
func (n *vain) misled(i, k int) {
	n.read += k - i
	n.runs++
	if i >= n.run {
		n.runs = 1
	}
	n.run = max(n.run, k)
}

// mayValue reports whether a value that begins at i is worth judging.
func (n *vain) mayValue(i int) bool { return i >= n.value || n.values < maxHeads }

// noSecret notes that the value from i to e is none.
func (n *vain) noSecret(i, e int) {
	n.read += e - i
	if e-i < maxBrief && i < n.value {
		return // it costs little, and a password may follow (TestBriefValuesHideNoPassword)
	}
	n.values++
	if i >= n.value {
		n.values = 1
	}
	n.value = max(n.value, e)
}

// form returns the vendor's form that a token at b[i] has, and the token's end;
// nil if it has none.
func (n *vain) form(b []byte, i int) (*secretForm, int) {
	forms := secretForms[[2]byte{b[i], b[i+1]}]
	for x := range forms {
		f := &forms[x]
		if len(b)-i < f.least || !hasPrefix(b[i:], f.prefix) || i < n.forms[f] {
			continue
		}
		k := i + len(f.prefix)
		for k < len(b) && k-i < maxSecret && (isAlnum(b[k]) || indexByte(f.extra, b[k]) >= 0) {
			k++
		}
		n.read += k - i
		for k > i && (b[k-1] == '.' || b[k-1] == ',') {
			k--
		}
		if k-i >= f.least && (k == len(b) || b[k] != '_') && (random(b[i+len(f.prefix):k]) || capitals(f, b[i:k])) && exact(f, b[i:k]) {
			return f, k
		}
		if k-i >= longRun {
			if n.forms == nil {
				n.forms = map[*secretForm]int{}
			}
			n.forms[f] = k
		}
	}
	return nil, i
}

// jwt returns where the token of three base64url parts ends that begins at b[i]
// and whose header is JSON (RFC 7519), or i.
func (n *vain) jwt(b []byte, i int) int {
	if !hasPrefix(b[i:], "eyJ") || i < n.dots {
		return i
	}
	dots, k := 0, i
	var at [2]int
	for k < len(b) && k-i < 2*maxSecret && (isAlnum(b[k]) || b[k] == '-' || b[k] == '_' || b[k] == '.' || b[k] == '=') {
		if b[k] == '.' {
			if dots == 2 {
				break
			}
			at[dots] = k
			dots++
		}
		k++
	}
	if dots == 2 && k == at[1]+1 {
		k--
	}
	n.read += k - i
	if dots < 2 {
		n.dots = k
		if k-i == 2*maxSecret { // the run goes on
			n.dots = k - maxSecret
		}
	}
	if dots < 2 || at[0]-i < 12 || at[1]-at[0] < 8 {
		return i
	}
	head, ok := decode64(b[i:at[0]], nil)
	if !ok || len(head) == 0 || head[0] != '{' || !contains(head, `"alg"`) && !contains(head, `"typ"`) && !contains(head, `"enc"`) {
		return i
	}
	return k
}

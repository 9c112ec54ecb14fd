package pii

// words are those of a name such as "dbUserPassword", folded, one blank between.
// It is a value that needs no memory of its own: names are split by the thousand.
type words struct {
	buf        [192]byte
	start, end [12]uint8
	n          int
}

// split splits camel, snake and kebab case. What does not fit is left out.
func (w *words) split(name []byte) {
	buf := w.buf[:0]
	for i := 0; i < len(name) && w.n < len(w.start); {
		if !isAlnum(name[i]) && name[i] < 0x80 {
			i++
			continue
		}
		j := i + 1
		for j < len(name) && (isAlnum(name[j]) || name[j] >= 0x80) && !camel(name, j) && !acronymEnd(name, i, j) {
			j++
		}
		if len(buf)+2*(j-i)+1 > cap(buf) {
			return
		}
		if w.n > 0 {
			buf = append(buf, ' ')
		}
		from := len(buf)
		buf = buf[:foldWord(buf, name[i:j], cap(buf))]
		w.start[w.n], w.end[w.n] = uint8(from), uint8(len(buf))
		w.n++
		i = j
	}
}

// at returns word k.
func (w *words) at(k int) []byte { return w.buf[w.start[k]:w.end[k]] }

// pair returns words k and k+1.
func (w *words) pair(k int) []byte { return w.buf[w.start[k]:w.end[k+1]] }

// joined returns word k and all after it.
func (w *words) joined(k int) []byte { return w.buf[w.start[k]:w.end[w.n-1]] }

// secretParts has three letters of every word that secretWord and spoken know, in
// lower case. A name without any is none of a secret, which is quick to see.
const secretParts = "pas pwd ken con sen has wac tok sec api acc aut cre jet bea cli pri dsn ses coo key"

// partAt has a bit per entry of secretParts, for its first, second and third letter.
var partAt = func() (t [3][256]uint32) {
	for k := 0; k*4 < len(secretParts); k++ {
		for n := range 3 {
			c := secretParts[4*k+n]
			t[n][c] |= 1 << k
			t[n][c-0x20] |= 1 << k
		}
	}
	return t
}()

// mayNameSecret reports whether secretName could be anything but zero for name.
func mayNameSecret(name []byte) bool {
	if len(name) < 3 {
		return false
	}
	a, b := partAt[0][name[0]], partAt[1][name[1]]
	for i, c := range name {
		if c >= 0x80 {
			return true // accents fold away
		}
		if i < 2 {
			continue
		}
		if a&b&partAt[2][c] != 0 {
			return true
		}
		a, b = partAt[0][name[i-1]], partAt[1][c]
	}
	return false
}

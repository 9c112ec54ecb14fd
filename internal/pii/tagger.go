package pii

// The tagger: greedy logistic regression over words, with word shapes, affixes,
// neighbours and the gazetteer as features.

// Tags. The order is that of the columns of the weights.
const (
	tagO = iota
	tagBPer
	tagIPer
	tagBLoc
	tagILoc
	tagBOrg
	tagIOrg
	tags
)

const (
	featureRows = 1 << 19
	featureCap  = 32 // features of one word, at most
)

// Shapes of a word.
const (
	shLower = iota
	shTitle // Title
	shUpper // UPPER
	shMixed // miXed
	shDigit
	shDigitMix
	shPunct
	shInitial // "J"
	shNone    // beyond the text
)

// word is one token of prose.
type word struct {
	start, end int32
	h          uint32 // of the folded word
	pre, suf   uint32 // of the first and last three letters
	suf2       uint32
	gaz        uint16
	place      uint8 // 1 begins, 2 continues a place of several words; 3, 4 an organisation
	shape      uint8
	first      bool  // begins a sentence or line
	rule       bool  // on a list of the rules, see inSet
	raw        byte  // of punctuation, the byte
	margin     int32 // how far its tag is above no name, set by tag
	rival      int32 // and how far above the best tag of another kind of name
}

// words splits b into words and single punctuation marks, appending to dst.
func (m *model) words(dst []word, b []byte) []word {
	first := true
	for i := 0; i < len(b); {
		c := b[i]
		if c <= ' ' {
			if c == '\n' {
				first = true
			}
			i++
			continue
		}
		if class[c]&(cDigit|cUpper|cLower|cHigh) == 0 {
			dst = append(dst, word{start: int32(i), end: int32(i + 1), h: uint32(c), shape: shPunct, raw: c, first: first})
			if c == '.' || c == '!' || c == '?' || c == '|' {
				first = true
			}
			i++
			continue
		}
		j := i + 1
		for j < len(b) && (class[b[j]]&(cDigit|cUpper|cLower|cHigh) != 0 || b[j] == '\'' && j+1 < len(b) && class[b[j+1]]&(cUpper) != 0 && j-i <= 2) {
			j++
		}
		w := word{start: int32(i), end: int32(j), first: first}
		m.describe(&w, b[i:j])
		dst = append(dst, w)
		first = false
		i = j
	}
	m.phrases(dst)
	return dst
}

// describe fills the hashes, shape and gazetteer bits of a word.
func (m *model) describe(w *word, t []byte) {
	var buf [40]byte
	n := foldWord(buf[:0], t, 38)
	f := buf[:n]
	w.h = hashBytes(f)
	w.pre = hashBytes(f[:min(3, n)])
	w.suf = hashBytes(f[max(0, n-3):])
	w.suf2 = hashBytes(f[max(0, n-2):])
	var all uint8
	for _, c := range t {
		all |= class[c]
	}
	firstUp := class[t[0]]&cUpper != 0 || t[0] == 0xc3 && len(t) > 1 && t[1] < 0x9f || (t[0] == 0xc4 || t[0] == 0xc5) && len(t) > 1 && t[1]&1 == 0
	switch {
	case all&cDigit != 0 && all&(cUpper|cLower|cHigh) == 0:
		w.shape = shDigit
	case all&cDigit != 0:
		w.shape = shDigitMix
	case len(t) == 1 && firstUp:
		w.shape = shInitial
	case firstUp && all&cLower == 0 && all&cHigh == 0:
		w.shape = shUpper
	case firstUp:
		w.shape = shTitle
		for _, c := range t[1:] {
			if class[c]&cUpper != 0 {
				w.shape = shMixed
			}
		}
		if all&cLower == 0 {
			w.shape = shUpper
		}
	case all&cUpper != 0:
		w.shape = shMixed
	case t[0] >= 0xce: // scripts beyond Latin: no telling
		w.shape = shTitle
	default:
		w.shape = shLower
	}
	bits := m.gaz.get(w.h)
	w.gaz, w.rule = bits&^gRule, bits&gRule != 0
}

// phrases marks places and organisations of two to four words.
func (m *model) phrases(ws []word) {
	for i := range ws {
		if ws[i].gaz&gPhrase == 0 || ws[i].shape == shLower || ws[i].place == 2 || ws[i].place == 4 {
			continue
		}
		h, last, mark := ws[i].h, -1, uint8(0)
		for k := i + 1; k < len(ws) && k < i+6; k++ {
			if ws[k].shape == shPunct && ws[k].raw != '-' && ws[k].raw != '\'' && ws[k].raw != '.' {
				break
			}
			if ws[k].shape == shPunct {
				continue
			}
			h = joinHash(h, ws[k].h)
			switch g := m.gaz.get(h); {
			case g&(gCity|gLand) != 0:
				last, mark = k, 1
			case g&gBrand != 0:
				last, mark = k, 3
			}
		}
		if last > 0 {
			ws[i].place = mark
			for k := i + 1; k <= last; k++ {
				ws[k].place = mark + 1
			}
		}
	}
}

// joinHash is the hash of a phrase from those of its words.
func joinHash(a, b uint32) uint32 { return (a*31 ^ b) * fnvPrime }

var noWord = word{shape: shNone}

func at2(ws []word, i int) *word {
	if i < 0 || i >= len(ws) {
		return &noWord
	}
	return &ws[i]
}

// features appends the hashes of the features of word i with the tag before it.
func features(dst []uint32, ws []word, i int, prev, prev2 uint8, caps uint32) []uint32 {
	w, p, n := at2(ws, i), at2(ws, i-1), at2(ws, i+1)
	p2, n2 := at2(ws, i-2), at2(ws, i+2)
	add := func(k, a, b uint32) {
		h := (k+1)*0x9e3779b1 ^ a*0x85ebca6b ^ b*0xc2b2ae35
		h ^= h >> 15
		h *= 0x2c1b3c6d
		h ^= h >> 13
		dst = append(dst, h)
	}
	gz, pz, nz := uint32(w.gaz)|uint32(w.place)<<12, uint32(p.gaz)|uint32(p.place)<<12, uint32(n.gaz)|uint32(n.place)<<12
	sh := uint32(w.shape)
	fs := sh
	if w.first {
		fs |= 16
	}
	add(0, w.h, sh)
	add(1, w.suf, sh)
	add(2, w.pre, sh)
	add(3, w.suf2, sh)
	add(4, p.h, 0)
	add(5, n.h, 0)
	add(6, p.h, w.h)
	add(7, w.h, n.h)
	add(8, uint32(prev), uint32(prev2))
	add(9, uint32(prev), w.h)
	add(10, gz, fs)
	add(11, gz, uint32(prev)|uint32(p.shape)<<4)
	add(12, gz, nz|uint32(n.shape)<<16)
	add(13, gz, pz|uint32(prev)<<16)
	add(14, uint32(p.shape)<<8|sh<<4|uint32(n.shape), uint32(prev))
	add(15, p2.h, sh)
	add(16, n2.h, sh)
	add(17, p.h, gz)
	add(18, n.h, gz)
	add(19, p.h, sh|uint32(prev)<<4)
	add(20, fs, caps)
	add(21, p2.h, p.h)
	add(22, n.h, n2.h)
	add(23, gz, uint32(n2.gaz)|nz<<16)
	add(24, uint32(p.raw)<<8|uint32(n.raw), sh|uint32(prev)<<4)
	add(25, 0, 0)
	add(26, w.h, 0)
	add(27, n.h, uint32(prev)|sh<<4)
	add(28, w.suf, fs|uint32(prev)<<5)
	add(29, p2.h, p.h^n.h)
	return dst
}

// capsLevel tells how much of a text is capitalised: titles and shouting differ
// from prose.
func capsLevel(ws []word) uint32 {
	up, low := 0, 0
	for i := range ws {
		switch ws[i].shape {
		case shLower:
			low++
		case shTitle, shUpper, shMixed:
			up++
		}
	}
	switch {
	case up == 0:
		return 0
	case low == 0:
		return 3
	case up > low:
		return 2
	}
	return 1
}

// tag writes a tag per word. bias is taken from the score of "no name": more of
// it finds more names and more mistakes.
func (m *model) tag(out []uint8, ws []word, bias int32) []uint8 {
	var feats [featureCap]uint32
	prev, prev2 := uint8(tagO), uint8(tagO)
	caps := capsLevel(ws)
	for i := range ws {
		t := uint8(tagO)
		if !ws[i].barrier() && (prev != tagO || ws[i].namelike() || ws[i].shape != shPunct && i+1 < len(ws) && ws[i+1].namelike()) {
			s := m.score(features(feats[:0], ws, i, prev, prev2, caps))
			s[tagO] -= bias
			s[tagBLoc] += placeBias
			s[tagBOrg] += orgBias
			t = best(&s, prev)
			ws[i].margin, ws[i].rival = s[t]-s[tagO], rivalOf(&s, t)
		}
		out = append(out, t)
		prev2, prev = prev, t
	}
	return out
}

// score adds up the weights of the features. Their rows are far apart in memory:
// the owners are compared first, without a branch, so that the loads overlap.
func (m *model) score(feats []uint32) (s [8]int32) {
	var owned [featureCap]uint32
	n := 0
	for _, f := range feats {
		at := f & (featureRows - 1) * 8
		owned[n%featureCap] = at
		if uint8(m.rows[at+tags]) == print8(f) {
			n++
		}
	}
	for _, at := range owned[:n] {
		row := m.rows[at : at+8 : at+8]
		for k := range tags {
			s[k] += int32(row[k])
		}
	}
	return s
}

// barrier reports whether no name has w in it: marks of code and addresses, and
// identifiers such as an IBAN.
func (w *word) barrier() bool {
	switch w.shape {
	case shPunct:
		return indexByte("<>@|{}[]=_\\", w.raw) >= 0
	case shDigitMix:
		return w.end-w.start > 10
	}
	return false
}

// namelike reports whether a name may begin with w, or with the word before it as
// in "von Neumann". Most words of a text are in lower case and on no list of names.
func (w *word) namelike() bool {
	switch w.shape {
	case shPunct, shDigit:
		return false
	case shLower:
		return w.gaz&(gFirst|gLast|gCity|gLand|gBrand) != 0 || w.place != 0
	case shTitle:
		return !w.first || w.gaz&(gCommon|gWord) == 0 || w.gaz&(gFirst|gCity|gLand) != 0
	}
	return true
}

// rivalOf is how far tag t is above the best tag of another kind of name.
func rivalOf(s *[8]int32, t uint8) int32 {
	top := int32(-1 << 20)
	for k := uint8(1); k < tags; k++ {
		if (k+1)/2 != (t+1)/2 {
			top = max(top, s[k])
		}
	}
	return s[t] - top
}

// print8 is the fingerprint by which a row knows the one feature that owns it.
func print8(f uint32) uint8 { return uint8(f>>24) | 1 }

// best picks the tag with the highest score that may follow prev.
func best(s *[8]int32, prev uint8) uint8 {
	t := uint8(tagO)
	for k := uint8(1); k < tags; k++ {
		if k%2 == 0 && prev != k && prev != k-1 {
			continue // I follows B or I of its kind
		}
		if s[k] > s[t] {
			t = k
		}
	}
	return t
}

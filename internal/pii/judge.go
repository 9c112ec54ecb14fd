package pii

import "math/bits"

// The judge: logistic regression over the names that the tagger proposes. The tagger
// decides word by word; the judge sees a whole name, the text around it and what else
// was found there, and says how sure it is. It learns from sentences that the tagger
// has not seen in training, so that it knows how far the tagger is to be believed.

const (
	judgeRows  = 1 << 13
	judgeScale = 100 // units of one nat
	judgeMost  = 40  // features of one name, at most

	// What is asked, in units of judgeScale: 0 is a probability of one half.
	leastSure = -230 // of a name, so that it is reported at all
	codeSure  = 250  // of a name in a text of code
	certain   = 1000 // the margin of a name that its words alone prove
)

// loneSure is what is asked of one name at least in a text of several words, by kind:
// most texts whose best name is doubtful have none.
var loneSure = [4]int32{1: 80, 2: 50, 3: 130}

// candidate is a name proposed by the tagger: words i to j.
type candidate struct {
	i, j int32
	kind uint8
	sure int32
}

// judge emits the candidates that are sure enough.
func (r *run) judge(m *model, v *view, ws []word) {
	if len(r.found) == 0 || m.sure == nil {
		return // sure is nil while the judge itself is trained
	}
	if len(ws) <= 2 {
		for k := range r.found { // a value of its own: nothing to judge by
			r.emitName(v, ws, &r.found[k])
		}
		return
	}
	t := surroundings(v.b, ws, r.found)
	least := int32(leastSure)
	if programLike(ws) {
		least = codeSure
	}
	var buf [judgeMost]uint32
	enough := false
	for k := range r.found {
		c := &r.found[k]
		for _, f := range judgeFeatures(buf[:0], &t, ws, c) {
			c.sure += int32(m.sure[f&(judgeRows-1)])
		}
		enough = enough || c.sure >= loneSure[c.kind]
	}
	if !enough && !r.personal(v) {
		return
	}
	for k := range r.found {
		if c := &r.found[k]; c.sure >= least {
			r.emitName(v, ws, c)
		}
	}
}

// programLike reports whether a text is a program: many of its words are braces,
// signs of assignment, calls such as f(x), or members such as a.b.
func programLike(ws []word) bool {
	marks := 0
	for i := 1; i < len(ws)-1; i++ {
		w := &ws[i]
		if w.shape != shPunct {
			continue
		}
		joined, follows := ws[i-1].end == w.start && ws[i-1].shape != shPunct, ws[i+1].start == w.end
		switch w.raw {
		case '{', '}', '\\':
			marks++
		case ';', '=':
			if !follows { // else it may be the query of an address
				marks++
			}
		case '(', '[':
			if joined {
				marks++
			}
		case '.':
			if joined && follows && ws[i+1].shape != shDigit {
				marks++
			}
		}
	}
	return len(ws) >= 12 && 6*marks > len(ws)
}

// personal reports whether personal data of another kind was found in the text: then
// its doubtful names are likelier right. What other members of a document hold does
// not count, for a value found clean once is remembered as clean.
func (r *run) personal(v *view) bool {
	at := v.src(0)
	for k := len(r.spans) - 1; k >= 0 && k >= len(r.spans)-8; k-- {
		s := &r.spans[k]
		if s.Start < at {
			return false
		}
		switch s.Type {
		case Email, Phone, CreditCard, IBAN, BankAccount, SSN, NationalID, TaxID, HealthID, Passport, DriverLicense, Age, Location:
			return true
		}
	}
	return false
}

func (r *run) emitName(v *view, ws []word, c *candidate) {
	score, sub := 0.55, ""
	if ws[c.i].gaz&^gCommon != 0 {
		score = 0.65
	}
	if c.j-c.i > 1 {
		score += 0.1
	}
	if c.kind == 2 {
		sub = "PLACE"
	}
	r.emit(v, int(ws[c.i].start), int(ws[c.j-1].end), nameTypes[c.kind], sub, score, "name in prose")
}

// around is what the judge knows of a text as a whole.
type around struct {
	b       []byte
	caps    uint32
	unknown uint32 // share of words in lower case that are in no list, of 4; 5 where there are none
	length  uint32
	names   uint32
	kinds   uint32
	blog    bool // has the marks of microblogs
}

func surroundings(b []byte, ws []word, found []candidate) around {
	t := around{b: b, caps: capsLevel(ws), length: uint32(bits.Len(uint(len(ws)))), names: uint32(min(len(found), 4)), unknown: 5}
	low, unknown := 0, 0
	for i := range ws {
		w := &ws[i]
		switch {
		case w.shape == shLower:
			low++
			if w.gaz&(gCommon|gWord) == 0 {
				unknown++
			}
		case w.raw == '@' || w.raw == '#':
			t.blog = true
		}
	}
	if low > 0 {
		t.unknown = uint32(4 * unknown / low)
	}
	for k := range found {
		t.kinds |= 1 << found[k].kind
	}
	return t
}

// judgeFeatures appends the hashes of the features of a candidate.
func judgeFeatures(dst []uint32, t *around, ws []word, c *candidate) []uint32 {
	i, j := int(c.i), int(c.j)
	kind := uint32(c.kind)
	add := func(k, a, b uint32) {
		h := (k*4+kind+1)*0x9e3779b1 ^ a*0x85ebca6b ^ b*0xc2b2ae35
		h ^= h >> 15
		h *= 0x2c1b3c6d
		h ^= h >> 13
		dst = append(dst, h)
	}
	first, last, p, n := &ws[i], &ws[j-1], at2(ws, i-1), at2(ws, j)
	most, least, rival := int32(-10000), int32(10000), int32(10000)
	var gaz, all uint32
	shapes := uint32(0)
	for k := i; k < j; k++ {
		if ws[k].shape == shPunct {
			shapes |= 1 << shPunct
			continue
		}
		most, least, rival = max(most, ws[k].margin), min(least, ws[k].margin), min(rival, ws[k].rival)
		gaz |= uint32(ws[k].gaz)
		all++
		shapes |= 1 << ws[k].shape
	}
	length := min(all, 4)
	add(0, 0, 0)
	add(1, step(most), 0)
	add(2, step(least), 0)
	add(3, step(first.margin), min(length, 2))
	add(4, step(rival), 0)
	add(5, length, t.caps)
	add(6, uint32(first.gaz)&^gPhrase, uint32(min(length, 2)))
	add(7, uint32(last.gaz)&^gPhrase, uint32(min(length, 2)))
	add(8, shapes, 0)
	add(9, uint32(first.shape), bit01(first.first))
	add(10, uint32(first.place), uint32(last.place))
	add(11, t.unknown, bit01(gaz&(gFirst|gLast|gCity|gLand|gBrand) != 0))
	add(12, t.names, 0)
	add(13, t.kinds, 0)
	add(14, t.length, t.caps)
	add(15, uint32(p.raw), uint32(p.shape))
	add(16, uint32(n.raw), uint32(n.shape))
	add(17, p.h, 0)
	add(18, n.h, 0)
	add(19, bit01(t.blog), min(length, 2))
	add(20, step(most), gaz&(gFirst|gLast|gCity|gLand|gBrand|gCommon|gWord))
	add(21, step(most), t.names)
	add(22, last.suf, 0)
	add(23, uint32(p.shape), uint32(n.shape)<<4|uint32(first.shape))
	for b := uint32(1); b <= gWord; b <<= 1 {
		if gaz&b != 0 {
			add(24, b, min(length, 2))
		}
	}
	return dst
}

// step puts a margin in steps of half a nat, finer where it matters.
func step(x int32) uint32 { return uint32(max(-6, min(20, x/50)) + 8) }

func bit01(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

package pii

import "strings"

// Street addresses: a number and a street word, then the parts that follow.

var streetAfter = wordSet(`street st road rd avenue ave lane ln drive dr court ct place pl way boulevard blvd terrace ter crescent cres
close square sq circle cir highway hwy parkway pkwy trail alley grove gardens row hill walk mews loop plaza point ridge quay wharf
pike turnpike expressway freeway nw ne`)

var streetBefore = wordSet(`rue via calle avenida rua ulica ul piazza plaza avenue boulevard chemin allee quai place viale corso
travessa praca carrera paseo camino strada largo route impasse cours am an im auf`)

// plainBefore are those of streetBefore that are ordinary words when they begin
// with a small letter, or before these words.
var plainBefore = wordSet("am an im auf place plaza route cours camino avenue largo impasse")

var noStreet = wordSet(`jahr jahre monat vergleich alter zeitraum durchschnitt januar februar marz april mai juni juli august september oktober
november dezember montag dienstag mittwoch donnerstag freitag samstag sonntag morgen abend nachmittag vormittag wochenende tag ende anfang
rahmen sommer herbst winter fruhjahr band kapitel schnitt laufe spiel quartal halbjahr saison`)

var streetEnds = strings.Fields("strasse straße strabe strase straat gasse weg platz allee damm ring ufer gatan vagen gade vej veien katu tie kuja laan plein gracht utca steig stieg chaussee promenade kade dreef singel backa")

var unitWords = wordSet("suite apt apartment unit floor room flat po box ste bldg building fl postfach c/o")

// streets finds addresses among the words and emits them.
func (r *run) streets(v *view, ws []word, ts []uint8) {
	if !r.want(placeBit) {
		return
	}
	for i := 0; i < len(ws); i++ {
		lo, hi := r.street(v, ws, i)
		if lo == hi {
			continue
		}
		hi = extend(v, ws, ts, hi)
		r.emit(v, int(ws[lo].start), int(ws[hi-1].end), Location, "STREET_ADDRESS", 0.75, "street address")
		for k := lo; k < hi; k++ {
			ts[k] = tagO
		}
		i = hi
	}
}

// street returns the words of a street and number around word i, or an empty range.
func (r *run) street(v *view, ws []word, i int) (lo, hi int) {
	w := &ws[i]
	switch w.shape {
	case shDigit, shDigitMix:
		if w.end-w.start > 6 || !isDigit(v.b[w.start]) || i > 0 && (ws[i-1].raw == '$' || ws[i-1].raw == '/' || ws[i-1].raw == '.' && ws[i-1].end == w.start) {
			return 0, 0
		}
		if lo, hi := numberFirst(v, ws, i); hi > lo {
			return lo, hi
		}
		return unitAfter(v, ws, i)
	case shTitle, shUpper, shMixed, shLower:
		if lo, hi := unitFirst(v, ws, i); hi > lo {
			return lo, hi
		}
		return streetFirst(v, ws, i)
	}
	return 0, 0
}

// numberFirst reads "6 Chestnut Road" and "152 rue de la République".
func numberFirst(v *view, ws []word, i int) (lo, hi int) {
	k := i + 1
	if k < len(ws) && ws[k].raw == ',' {
		k++
	}
	if k < len(ws) && inSet(streetBefore, v.b, &ws[k]) && ws[k].end-ws[k].start > 2 {
		e := k + 1
		for e < len(ws) && e < k+6 && (ws[e].shape != shPunct && ws[e].shape != shDigit || ws[e].raw == '\'') {
			e++
		}
		if e > k+1 {
			return i, e
		}
	}
	for e := k; e < len(ws) && e < k+6; e++ {
		s := ws[e].shape
		if s == shDigit || s == shDigitMix {
			if e > k && streetNumbered(v, ws, e) {
				continue
			}
			if e == k {
				continue
			}
			return 0, 0
		}
		if s == shPunct && ws[e].raw != '.' && ws[e].raw != '\'' && ws[e].raw != '-' || s == shLower && e > k {
			return 0, 0
		}
		if s == shLower {
			return 0, 0
		}
		var buf [40]byte
		f := buf[:foldWord(buf[:0], v.b[ws[e].start:ws[e].end], 38)]
		if e > k && streetAfter[string(f)] || s != shPunct && hasStreetEnd(f) && e > k-1 && len(f) > 5 {
			e++
			if e < len(ws) && ws[e].raw == '.' && ws[e].start == ws[e-1].end {
				e++
			}
			for e < len(ws) && e < k+7 && inSet(directions, v.b, &ws[e]) {
				e++
			}
			if e < len(ws) && houseNumber(&ws[e]) && ws[e].shape == shDigit {
				e++
			}
			return i, e
		}
	}
	return 0, 0
}

func streetNumbered(v *view, ws []word, e int) bool {
	t := v.b[ws[e].start:ws[e].end]
	return len(t) > 2 && (t[len(t)-1] == 'h' || t[len(t)-1] == 't' || t[len(t)-1] == 'd')
}

var directions = wordSet("n s e w nw ne sw se north south east west")

// military are the post offices of the armed forces: "FPO AE 12345".
var military = wordSet("fpo apo dpo")

var units = wordSet("suite apt apartment flat")

// unitFirst reads "Suite 292" and "Apt. 050" with the street before it, if a
// number and capitalised words stand there.
func unitFirst(v *view, ws []word, i int) (lo, hi int) {
	if ws[i].shape == shUpper && i+2 < len(ws) && ws[i+1].shape == shUpper && ws[i+2].shape == shDigit && inSet(military, v.b, &ws[i]) {
		return i, i + 3
	}
	if ws[i].shape == shLower || !inSet(units, v.b, &ws[i]) {
		return 0, 0
	}
	k := i + 1
	if k < len(ws) && ws[k].raw == '.' {
		k++
	}
	if k >= len(ws) || !houseNumber(&ws[k]) {
		return 0, 0
	}
	return i, k + 1
}

// unitAfter reads "4923 Parmova 109" where a unit follows, at the number i.
func unitAfter(v *view, ws []word, i int) (lo, hi int) {
	for e := i + 1; e < len(ws) && e < i+7; e++ {
		switch {
		case e > i+1 && ws[e].shape == shDigit && e+1 < len(ws) && ws[e+1].shape != shLower && inSet(units, v.b, &ws[e+1]):
			return i, e + 1
		case e > i+1 && ws[e].shape == shDigit && houseNumber(&ws[e]) && (addressBefore(v, ws, i) || ws[e-1].shape != shPunct && wholeLine(v.b, ws, i, e+1)):
			return i, e + 1
		case e > i+1 && ws[e].shape != shLower && inSet(units, v.b, &ws[e]):
			return i, e
		case e > i+1 && lineBreak(v.b, &ws[e-1], &ws[e]):
			return 0, 0
		case ws[e].shape == shLower && e == i+1, ws[e].shape == shPunct && ws[e].raw != '.' && ws[e].raw != '\'':
			return 0, 0
		}
	}
	return 0, 0
}

// wholeLine reports whether words i to j are a line of a text of several lines, but
// for a bullet.
func wholeLine(b []byte, ws []word, i, j int) bool {
	return bulleted(b, ws, i) && j < len(ws) && lineBreak(b, &ws[j-1], &ws[j])
}

// addressBefore reports whether a word for an address stands just before i.
func addressBefore(v *view, ws []word, i int) bool {
	for k := i - 1; k >= 0 && k > i-4; k-- {
		if inSet(addressWords, v.b, &ws[k]) {
			return true
		}
	}
	return false
}

var addressWords = wordSet("address adresse anschrift direccion indirizzo adres addr")

// streetFirst reads "Bahnhofstraße 25" and "Via Roma 12".
func streetFirst(v *view, ws []word, i int) (lo, hi int) {
	w := &ws[i]
	if w.shape != shLower && i+1 < len(ws) && houseNumber(&ws[i+1]) {
		var buf [40]byte
		f := buf[:foldWord(buf[:0], v.b[w.start:w.end], 38)]
		if len(f) > 5 && hasStreetEnd(f) {
			return i, i + 2
		}
		if i+2 < len(ws) && i > 0 && (string(f) == "str" || string(f) == "strasse") {
			return i - 1, i + 2
		}
	}
	if !inSet(streetBefore, v.b, w) || w.end-w.start < 2 || inSet(plainBefore, v.b, w) && (w.shape == shLower || plainAfter(v.b, ws, i+1)) {
		return 0, 0
	}
	for e := i + 1; e < len(ws) && e < i+6; e++ {
		if houseNumber(&ws[e]) {
			if e > i+1 && ws[i+1].shape != shLower || e > i+2 {
				return i, e + 1
			}
			return 0, 0
		}
		if ws[e].shape == shPunct && ws[e].raw != '.' && ws[e].raw != '\'' && ws[e].raw != ',' || ws[e].shape == shLower && ws[e].end-ws[e].start > 3 {
			return 0, 0
		}
	}
	return 0, 0
}

// plainAfter reports whether word k makes "Im" or "Am" before it no street: "Im Jahr
// 2050", "Am Wochenende vom 24."
func plainAfter(b []byte, ws []word, k int) bool {
	if k < len(ws) && ws[k].shape == shLower {
		k++ // "An der Halde 5"
	}
	return k >= len(ws) || ws[k].shape == shLower || inSet(noStreet, b, &ws[k])
}

// houseNumber: one to four digits, perhaps with a letter.
func houseNumber(w *word) bool {
	return (w.shape == shDigit || w.shape == shDigitMix) && w.end-w.start <= 5
}

func hasStreetEnd(f []byte) bool {
	for _, e := range streetEnds {
		if len(f) > len(e)+1 && string(f[len(f)-len(e):]) == e {
			return true
		}
	}
	return false
}

// extend takes in what follows a street: units, postcodes and places, joined by
// commas and line ends.
func extend(v *view, ws []word, ts []uint8, hi int) int {
	for k, most := hi, hi+24; k < len(ws) && k < most; k++ {
		w := &ws[k]
		switch {
		case w.shape == shPunct && k > 0 && (lineBreak(v.b, &ws[k-1], w) || bullets(v.b, ws, k)):
			continue // a bullet
		case w.raw == ',' || w.raw == '-' || w.raw == '.':
			if w.raw == '.' && (k+1 >= len(ws) || !lineBreak(v.b, w, &ws[k+1]) && !inSet(unitWords, v.b, &ws[k-1])) {
				return hi
			}
			continue
		case w.shape == shDigit && w.end-w.start >= 3 && w.end-w.start <= 6,
			w.shape == shDigitMix && w.end-w.start <= 5,
			ts[k] == tagBLoc, ts[k] == tagILoc, w.shape != shLower && w.gaz&(gCity|gLand) != 0,
			w.shape != shLower && inSet(unitWords, v.b, w),
			w.shape == shUpper && w.end-w.start == 2,
			w.shape == shDigit && k > 0 && inSet(unitWords, v.b, &ws[k-1]),
			(w.shape == shTitle || w.shape == shUpper) && k > 0 && ws[k-1].shape == shDigit && ws[k-1].end-ws[k-1].start >= 4,
			(w.shape == shTitle || w.shape == shUpper) && bulleted(v.b, ws, k),
			w.shape == shLower && bulleted(v.b, ws, k) && (k+1 == len(ws) || lineBreak(v.b, w, &ws[k+1])):
			hi = k + 1
		default:
			return hi
		}
	}
	return hi
}

// bullets reports whether the punctuation at k continues a bullet of several marks.
func bullets(b []byte, ws []word, k int) bool {
	for k > 0 && ws[k].shape == shPunct && ws[k-1].raw == ws[k].raw {
		if k--; k > 0 && lineBreak(b, &ws[k-1], &ws[k]) {
			return true
		}
	}
	return false
}

// bulleted reports whether w begins a line, but for a bullet.
func bulleted(b []byte, ws []word, k int) bool {
	for k > 0 {
		if lineBreak(b, &ws[k-1], &ws[k]) {
			return true
		}
		if k--; ws[k].shape != shPunct || ws[k].raw == ',' || ws[k].raw == '.' {
			return false
		}
	}
	return false
}

func lineBreak(b []byte, p, w *word) bool {
	for _, c := range b[p.end:w.start] {
		if c == '\n' {
			return true
		}
	}
	return false
}

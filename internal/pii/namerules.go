package pii

// Rules about names that need no weights.

// fullName reports whether two words are a given and a family name by the lists,
// and the second is no word for a kind of place: "Sofia Costa", but not "Jordan
// Valley".
func fullName(b []byte, x, y *word) bool {
	return x.gaz&gFirst != 0 && y.gaz&gLast != 0 && y.gaz&(gOrg|gLand) == 0 && y.shape != shLower && !inSet(landWords, b, y)
}

// cell reports whether two words are a full name and alone between the bars of a
// table, where no sentence tells a person from a firm.
func cell(b []byte, x, y *word) bool {
	i, j := int(x.start), int(y.end)
	for i > 0 && b[i-1] == ' ' {
		i--
	}
	for j < len(b) && b[j] == ' ' {
		j++
	}
	return i > 0 && j < len(b) && b[i-1] == '|' && b[j] == '|' && x.gaz&gFirst != 0 && y.gaz&gLast != 0 && y.gaz&gOrg == 0
}

// constant reports whether a name is one of a program: LOG_LEVEL, BEGIN:VEVENT.
func constant(b []byte, ws []word) bool {
	lo, hi := int(ws[0].start), int(ws[len(ws)-1].end)
	return count(b[lo:hi], '_') > 0 || len(ws) == 1 && ws[0].shape == shUpper && lo > 1 && b[lo-1] == ':' && class[b[lo-2]]&cUpper != 0
}

// scriptWords bounds how far around a name strange looks for Latin words.
const scriptWords = 64

// strange reports whether words i to j are a name in a text all of a script for
// which there is no list, or small words alone: what the weights say of these is a
// guess. A foreign script amid Latin words is another matter.
func strange(b []byte, ws []word, i, j int) bool {
	if j == i+1 && ws[i].end-ws[i].start <= 2 && ws[i].shape != shUpper || ws[i].shape == shLower && ws[j-1].shape == shLower && ws[i].end-ws[i].start <= 2 {
		return true
	}
	if b[ws[i].start] < 0xce {
		return false
	}
	for k := max(0, i-scriptWords); k < min(len(ws), j+scriptWords); k++ {
		if c := b[ws[k].start]; (k < i || k >= j) && ws[k].shape != shPunct && ws[k].shape != shDigit && c < 0xce {
			return false
		}
	}
	return true
}

// titled tags the word after a title as a person's name: "Mrs. Okafor".
func titled(b []byte, ws []word, ts []uint8) {
	for i := range ws {
		if ws[i].shape != shTitle || ws[i].end-ws[i].start > 10 || !inSet(titleWords, b, &ws[i]) {
			continue
		}
		k := i + 1
		if k < len(ws) && ws[k].raw == '.' {
			k++
		}
		if k >= len(ws) || ws[k].shape != shTitle || lineBreak(b, &ws[i], &ws[k]) || ws[k].gaz&(gFirst|gLast) == 0 && ws[k].gaz&(gCommon|gWord) != 0 {
			continue
		}
		ws[k].margin = certain
		if ts[k] != tagBPer && ts[k] != tagIPer {
			ts[k] = tagBPer
		}
	}
}

// addressBlock tags the last lines of a postal address: a country that is a line by itself,
// and the line above it, if that is no more than a few words with capitals.
func addressBlock(b []byte, ws []word, ts []uint8) {
	for i := 1; i < len(ws); i++ {
		if ws[i].gaz&gLand == 0 && ws[i].place != 1 || !bulleted(b, ws, i) {
			continue
		}
		j := i + 1
		for j < len(ws) && ws[j].place == 2 {
			j++
		}
		if j < len(ws) && !lineBreak(b, &ws[j-1], &ws[j]) || j == i+1 && ws[i].gaz&gLand == 0 {
			continue
		}
		place(ws, ts, i, j)
		end := i
		for end > 0 && ws[end-1].shape == shPunct {
			end--
		}
		k := end
		for k > 0 && end-k < 4 && ws[k-1].shape != shLower && ws[k-1].shape != shPunct && ws[k-1].shape != shDigit && (k == end || !lineBreak(b, &ws[k-1], &ws[k])) {
			k--
		}
		if k < end && k > 0 && bulleted(b, ws, k) {
			place(ws, ts, k, end)
		}
		i = j
	}
}

// place tags words i to j as one place.
func place(ws []word, ts []uint8, i, j int) {
	for k := i; k < j; k++ {
		ts[k] = tagILoc
		ws[k].margin = certain
	}
	ts[i] = tagBLoc
}

var landWords = wordSet(`valley harbor harbour square park river lake hill hills beach county bay island islands springs falls heights station
bridge creek mountain mountains city street road forest point rock rocks wood woods field fields town village castle church cross ford
gate green grove hall house land lane mill moor port ridge shore spring well wells tal see berg burg dorf stadt bad insel wald`)

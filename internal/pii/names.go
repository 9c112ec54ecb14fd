package pii

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of the tagger.
const (
	minProse  = 3
	maxProse  = 20000 // bytes of one string; longer text is cut at blanks
	nameBias  = 160   // of the O tag, in units of the weights: found by measuring
	placeBias = 20    // in favour of places
	orgBias   = 80    // in favour of organisations
	maxSweeps = 64    // names of one scan whose parts are searched for
)

// names tags persons, places and organisations in a view that looks like prose.
func (r *run) names(v *view) {
	if !proseLike(v) {
		return
	}
	m := r.s.model
	if m == nil {
		return
	}
	b := v.b
	for lo := 0; lo < len(b); {
		hi := min(len(b), lo+maxProse)
		for hi < len(b) && hi > lo+1 && b[hi-1] > ' ' {
			hi--
		}
		if hi <= lo+1 {
			hi = min(len(b), lo+maxProse)
		}
		w := v.sub(lo, hi)
		r.tagged(m, &w)
		lo = hi
	}
}

// proseLike is a cheap test: a blank or a name's key, a capital letter or a
// script without capitals.
func proseLike(v *view) bool {
	b := v.b
	if len(b) < minProse || v.number {
		return false
	}
	if !v.bare && bytes.IndexByte(b, ' ') < 0 {
		return false
	}
	for _, c := range b {
		if class[c]&(cUpper|cHigh) != 0 {
			return true
		}
	}
	return false
}

// tagged tags one piece and emits what was found and is sure enough.
func (r *run) tagged(m *model, v *view) {
	ws := m.words(r.ws[:0], v.b)
	r.ws = ws
	if len(ws) == 0 {
		return
	}
	ts := m.tag(r.ts[:0], ws, nameBias)
	r.ts = ts
	knownOrgs(v.b, ws, ts)
	titled(v.b, ws, ts)
	addressBlock(v.b, ws, ts)
	r.streets(v, ws, ts)
	if r.want(titleBit | nrpBit) {
		r.titles(v, ws, ts)
	}
	r.found = r.found[:0]
	for i := 0; i < len(ws); {
		if ts[i] == tagO {
			i = r.untagged(v, ws, i)
			continue
		}
		i = r.spanAt(v, ws, ts, i)
	}
	r.judge(m, v, ws)
}

// spanAt proposes the name that begins at word i and returns the word after it.
func (r *run) spanAt(v *view, ws []word, ts []uint8, i int) int {
	j := i + 1
	kind := (ts[i] + 1) / 2
	for j < len(ws) && ts[j] == kind*2 && !lineBreak(v.b, &ws[j-1], &ws[j]) {
		j++
	}
	for j < len(ws) && kind != 3 && ws[j].gaz&gOrg != 0 && (ws[j].shape == shTitle || ws[j].shape == shUpper) && !lineBreak(v.b, &ws[j-1], &ws[j]) {
		kind = 3 // "Lindqvist Consulting", "Montreal Hockey Club"
		for j < len(ws) && ws[j].gaz&gOrg != 0 && ws[j].shape != shLower {
			j++
		}
	}
	if kind == 2 && ws[i].margin == certain {
		r.name(v, ws, i, j, kind)
		return j
	}
	if kind != 2 && j == i+1 && ws[i].gaz&gLand != 0 && ws[i].gaz&(gFirst|gLast|gCommon|gWord|gBrand|gOrg) == 0 {
		kind = 2 // a country, state or river by its own name
	}
	if j == i+2 && ws[i].place == 0 && (kind == 2 && fullName(v.b, &ws[i], &ws[i+1]) || kind == 3 && cell(v.b, &ws[i], &ws[i+1])) {
		kind = 1
	}
	r.name(v, ws, i, j, kind)
	return j
}

// untagged names countries and the like that the weights missed, and short forms
// in parentheses after a name; it returns the word to go on with.
func (r *run) untagged(v *view, ws []word, i int) int {
	w := &ws[i]
	switch {
	case w.place == 1 && w.shape != shLower && w.gaz&gCommon == 0:
		j := i + 1
		for j < len(ws) && ws[j].place == 2 {
			j++
		}
		if ws[j-1].shape != shLower || ownLine(v.b, ws, i, j) {
			r.name(v, ws, i, j, 2)
			return j
		}
	case w.gaz&gLand != 0 && w.gaz&(gCommon|gFirst|gLast) == 0 && (w.shape == shTitle || w.shape == shLower && w.end-w.start > 4),
		w.gaz&(gCity|gLand) != 0 && w.shape != shLower && ownLine(v.b, ws, i, i+1):
		r.name(v, ws, i, i+1, 2)
	case w.shape == shUpper && i > 1 && i+1 < len(ws) && ws[i-1].raw == '(' && ws[i+1].raw == ')' && ws[i-2].shape == shTitle && w.end-w.start <= 6:
		r.name(v, ws, i, i+1, 3)
	}
	return i + 1
}

// ownLine reports whether words i to j are all of a line, in a text of several.
func ownLine(b []byte, ws []word, i, j int) bool {
	return i > 0 && lineBreak(b, &ws[i-1], &ws[i]) && (j >= len(ws) || lineBreak(b, &ws[j-1], &ws[j]))
}

// ordinary reports whether one word in capitals names a kind of value, such as VIN
// or IBAN, or is written like an ordinary word.
func ordinary(v *view, ws []word) bool {
	lower := true
	for i := range ws {
		lower = lower && (ws[i].shape == shLower || ws[i].shape == shPunct)
	}
	if lower {
		for i := range ws {
			if ws[i].gaz&(gFirst|gLast|gCity|gLand) != 0 && ws[i].gaz&gCommon == 0 {
				return false
			}
		}
		return true
	}
	if len(ws) != 1 {
		return false
	}
	var buf [40]byte
	f := buf[:foldWord(buf[:0], v.b[ws[0].start:ws[0].end], 38)]
	if ws[0].shape != shUpper && ws[0].gaz&(gFirst|gLast|gCity|gLand) != 0 && ws[0].gaz&gCommon == 0 {
		return false
	}
	_, word := ctxWords[string(f)]
	return word || groupWord(f) || techWords[string(f)] || secretWord(f) > 0 || keyRules[string(f)] != nil
}

// techWords are capitalised words of software that are names of nobody.
var techWords = wordSet(`api apis sdk cli gui http https json yaml xml html css csv pdf sql url uri dns ssl tls tcp udp ip ssh ftp vpn lan wan nat cpu gpu ram rom ssd
usb os vm ci cd pr mr id ids ui ux db orm rpc grpc rest jwt oauth saml sso mfa otp uuid guid sha md5 rsa aes hmac pem crc utf ascii eof eol etl
log logs info warn warning error debug trace fatal todo fixme note readme changelog license get post put patch delete head options select insert
update from where join table index view null true false none yes no ok utc gmt cet est pst am pm kb mb gb tb ms ns http2 node env prod dev test
staging main master docker kubernetes linux ubuntu debian windows macos android ios python java javascript typescript golang rust node npm git
github gitlab jenkins ansible terraform nginx apache redis postgres postgresql mysql sqlite mongodb kafka excel word powerpoint chrome firefox
safari edge markdown latex regex unicode base64 gzip zip tar exe dll jar pid uid gid cron bash shell stdin stdout stderr ascii ml ai llm nlp
ocr faq sla kpi roi poc mvp eta asap fyi tbd rfc iso ieee ticket issue status priority high medium low open closed subject date re fwd cc bcc
mime smtp imap pop3 tier stack queue cache proxy host server client request response header body token tokens key value`)

var nameTypes = [4]Type{"", Person, Location, Organization}

// name proposes words i to j as one name, without punctuation at its ends.
func (r *run) name(v *view, ws []word, i, j int, kind uint8) {
	for i < j && (ws[i].shape == shPunct || kind == 1 && j-i > 1 && inSet(titleWords, v.b, &ws[i])) {
		i++
	}
	for j > i && ws[j-1].shape == shPunct && ws[j-1].raw != '.' && ws[j-1].raw != ')' {
		j--
	}
	if i >= j {
		return
	}
	lo, hi := int(ws[i].start), int(ws[j-1].end)
	if j-i == 1 && (ws[i].shape == shDigit || hi-lo < 2 || hi-lo == 3 && v.b[lo+1] == 0xc2) || allPunct(ws[i:j]) {
		return
	}
	if lo > 0 && v.b[lo-1] == '@' || hi < len(v.b) && (v.b[hi] == '@' || v.b[hi] == '_') || lo > 0 && (v.b[lo-1] == '_' || v.b[lo-1] == '#') {
		return
	}
	if lo > 1 && v.b[lo-1] == '-' && isDigit(v.b[lo-2]) || hi+1 < len(v.b) && v.b[hi] == '-' && isDigit(v.b[hi+1]) {
		return // part of a code such as ABC-123-XYZ
	}
	if inToken(v.b, lo, hi) || ordinary(v, ws[i:j]) || !cased(v.b, ws[i:j]) || constant(v.b, ws[i:j]) || strange(v.b, ws, i, j) {
		return
	}
	r.found = append(r.found, candidate{i: int32(i), j: int32(j), kind: kind})
}

// inToken reports whether a word is part of a path, address or identifier.
func inToken(b []byte, lo, hi int) bool {
	if lo > 1 && (b[lo-1] == '/' && b[lo-2] != ' ' && !isDigit(b[lo-2]) && hi < len(b) && b[hi] == '/' || b[lo-1] == '\\' || b[lo-1] == '.' && isAlnum(b[lo-2]) && b[lo-2] >= 'a') {
		return true
	}
	return hi+1 < len(b) && (b[hi] == '/' && isAlnum(b[hi+1]) && lo > 0 && b[lo-1] == '/' || b[hi] == '(' || b[hi] == '.' && class[b[hi+1]]&cLower != 0 || b[hi] == ':' && b[hi+1] == ':')
}

// cased reports whether a name has a word of the lists, or one that begins with a
// capital. Emoji and scripts without capitals have no other sign of a name
// (C05).
func cased(b []byte, ws []word) bool {
	for i := range ws {
		c, _ := utf8.DecodeRune(b[ws[i].start:ws[i].end])
		if ws[i].gaz != 0 || ws[i].place != 0 || unicode.IsUpper(c) || c < utf8.RuneSelf {
			return true
		}
	}
	return false
}

func allPunct(ws []word) bool {
	for i := range ws {
		if ws[i].shape != shPunct && ws[i].shape != shDigit {
			return false
		}
	}
	return true
}

// inSet reports whether w, in lower case without accents, is in the set, which is
// one of those that newGazetteer marks.
func inSet(set map[string]bool, b []byte, w *word) bool {
	if !w.rule {
		return false
	}
	var buf [40]byte
	return set[string(buf[:foldWord(buf[:0], b[w.start:w.end], 38)])]
}

var titleWords = wordSet("mr mrs ms miss dr prof professor sir madam herr frau mme mlle sra sr srta dott dra monsieur madame lord lady rev")

func wordSet(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// titles emits titles beside names, and words for nationality, religion and party.
func (r *run) titles(v *view, ws []word, ts []uint8) {
	for i := range ws {
		if !ws[i].rule || ws[i].shape != shTitle && ws[i].shape != shLower && ws[i].shape != shUpper || ws[i].end-ws[i].start > 16 {
			continue
		}
		var buf [40]byte
		n := foldWord(buf[:0], v.b[ws[i].start:ws[i].end], 38)
		switch {
		case ws[i].shape != shLower && titleWords[string(buf[:n])] && i+1 < len(ws) && named(ws, ts, i):
			end := int(ws[i].end)
			if ws[i+1].raw == '.' {
				end++
			}
			r.emit(v, int(ws[i].start), end, Title, "", 0.7, "title beside a name")
		case r.want(nrpBit) && groupWord(buf[:n]) && (ws[i].shape == shTitle || ws[i].shape == shLower) && ts[i] == tagO:
			r.emit(v, int(ws[i].start), int(ws[i].end), NRP, "", 0.55, "word for a nationality, religion or party")
		}
	}
}

// named reports whether a person's name follows the title at i.
func named(ws []word, ts []uint8, i int) bool {
	for k := i; k < len(ws) && k <= i+2; k++ {
		if ts[k] == tagBPer || ts[k] == tagIPer {
			return true
		}
		if k > i && ws[k].raw != '.' {
			return ws[k].shape == shTitle && ws[k].gaz&(gFirst|gLast) != 0
		}
	}
	return false
}

// groupWord knows nationalities, religions and parties, also in the plural.
func groupWord(w []byte) bool {
	if nrpWords[string(w)] || peoples[string(w)] {
		return true
	}
	n := len(w)
	return n > 4 && w[n-1] == 's' && string(w) != "finns" && (nrpWords[string(w[:n-1])] || peoples[string(w[:n-1])])
}

// peoples continues nrpWords; the templates of the training do not use these.
var peoples = wordSet(`ecuadorean bruneian surinamese barbadian bahamian bahraini beninese bhutanese botswanan burkinabe burundian chadian comorian
congolian djiboutian dominican timorese emirati fijian gabonese grenadian guyanese ivorian liechtensteiner luxembourger luxembourgish malagasy
malawian maldivian malian marshallese mauritanian mauritian micronesian monegasque nauruan nigerien palauan papuan samoan sammarinese
seychellois leonean lankan swazi tajik togolese tongan trinidadian turkmen tuvaluan vanuatuan vincentian kyrgyz kosovar englishman frenchman
dutchman irishman scotsman welshman englishmen frenchmen dutchmen irishmen scotsmen zealander`)

var nrpWords = wordSet(`afghan african albanian algerian american angolan arab argentinian argentine armenian asian australian austrian
azerbaijani bangladeshi belarusian belgian bolivian bosnian brazilian british bulgarian burmese cambodian cameroonian canadian chilean
chinese colombian congolese croatian cuban cypriot czech dane danish dutch ecuadorian egyptian english eritrean estonian ethiopian
european filipino finn finnish french gambian georgian german ghanaian greek guatemalan guinean haitian honduran hungarian icelander
icelandic indian indonesian iranian iraqi irish israeli italian jamaican japanese jordanian kazakh kenyan korean kurd kurdish kuwaiti
laotian latvian lebanese liberian libyan lithuanian macedonian malaysian maltese mexican moldovan mongolian montenegrin moroccan
mozambican namibian nepalese nepali nicaraguan nigerian norwegian omani pakistani palestinian panamanian paraguayan peruvian pole
polish portuguese qatari romanian russian rwandan salvadoran saudi scot scottish senegalese serbian singaporean slovak slovenian somali
spaniard spanish sudanese swede swedish swiss syrian taiwanese tanzanian thai tibetan tunisian turk turkish ugandan ukrainian uruguayan
uzbek venezuelan vietnamese welsh yemeni zambian zimbabwean
christian catholic protestant orthodox lutheran anglican baptist methodist evangelical mormon jew jewish muslim islamic sunni shia shii
shiite hindu buddhist sikh atheist agnostic taoist jain bahai
democrat republican socialist communist conservative liberal libertarian labour tory`)

// knownName reports whether a word of b is a given or family name.
func knownName(b []byte) bool {
	m := loadModel()
	for i := 0; i < len(b); {
		if class[b[i]]&(cUpper|cLower|cHigh) == 0 {
			i++
			continue
		}
		j := i
		for j < len(b) && class[b[j]]&(cUpper|cLower|cHigh) != 0 {
			j++
		}
		var buf [40]byte
		h := hashBytes(buf[:foldWord(buf[:0], b[i:j], 38)])
		if g := m.gaz.get(h); g&(gFirst|gLast) != 0 && g&gCommon == 0 && class[b[i]]&(cUpper|cHigh) != 0 {
			return true
		}
		i = j
	}
	return false
}

// sweep searches the source for the parts of full names that were found: whoever
// was named once is the same person elsewhere in the message.
func (r *run) sweep() {
	if !r.want(personBit) || len(r.src) > 1<<20 {
		return
	}
	n := 0
	known := r.spans // sorted, without overlaps
	seen := map[string]bool{}
	for _, s := range known {
		if s.Type != Person || s.Score < 0.7 || n == maxSweeps {
			continue
		}
		name := r.src[s.Start:s.End]
		k := bytes.LastIndexByte(name, ' ')
		if k < 0 || len(name)-k-1 < 4 || class[name[k+1]]&cUpper == 0 || bytes.IndexByte(name, '\\') >= 0 || seen[string(name[k+1:])] {
			continue
		}
		n++
		seen[string(name[k+1:])] = true
		r.again(name[k+1:], known)
	}
}

// again adds the places where part stands outside the spans that are known.
func (r *run) again(part []byte, known []Span) {
	next := 0
	for at := 0; ; {
		k := bytes.Index(r.src[at:], part)
		if k < 0 {
			return
		}
		i := at + k
		at = i + len(part)
		for next < len(known) && known[next].End <= i {
			next++
		}
		if next < len(known) && known[next].Start < at || i > 0 && (isWord(r.src[i-1]) || r.src[i-1] == '@' || r.src[i-1] == '.') || at < len(r.src) && (isWord(r.src[at]) || r.src[at] == '@') {
			continue
		}
		r.spans = append(r.spans, Span{Start: i, End: at, Type: Person, Score: 0.5, Why: "part of a name found elsewhere"})
	}
}

package pii

import "strings"

// orgWords name kinds of organisations, and legal forms.
var orgWords = strings.Fields(`inc incorporated ltd limited llc llp plc corp corporation company co gmbh ag kg ohg ug ev se sa sas sarl
srl spa bv nv ab oy as aps kft sro pty holding holdings group partners associates ventures industries enterprises systems technologies
technology solutions software labs laboratories consulting services capital bank sparkasse volksbank insurance versicherung university
universitat universite universidad universita college school institute institut academy akademie hospital klinik klinikum clinic
ministry ministerium department council committee commission agency authority bureau office association verband verein foundation
stiftung society club union party partei church orchestra museum library airlines airways railways railway motors records studios
entertainment media press times post news magazine journal radio television network broadcasting fc sc sv vfl tsv fk united athletic
league federation army navy police court parliament senate congress band trust fund exchange stadtwerke werke konzern gruppe
pharmaceuticals pharma logistics energy oil gas electric electronics foods brewery hotel theatre theater`)

// headWords are the kinds of organisation that stand before "of" and a name.
var headWords = wordSet(`university college school institute ministry department bureau bank council committee commission society association academy church
museum court parliament house army office board chamber federation order university's diocese archdiocese faculty hospital port embassy
universitat hochschule akademie ministerium institut klinikum bistum erzbistum verband verein bund gesellschaft universite universidad universita
ministere ministerio ministero banco banque banca academia accademia`)

var ofWords = wordSet("of for der des fur de del della di du et y und & the and on zu dell la")

// knownOrgs tags what the words alone say is an organisation: a name of several
// words that the gazetteer knows, and "University of", "Ministry of", "Bank of"
// with the name that follows. The weights often take the place in it for the whole.
func knownOrgs(b []byte, ws []word, ts []uint8) {
	for i := 0; i < len(ws); i++ {
		end := i
		switch {
		case ws[i].shape == shLower || ws[i].shape == shPunct:
			continue
		case ws[i].place == 3:
			end = i + 1
			for end < len(ws) && ws[end].place == 4 {
				end++
			}
			if end < i+2 || ws[end-1].shape == shLower {
				continue
			}
		case ws[i].gaz&gOrg != 0 && inSet(headWords, b, &ws[i]):
			end = ofName(b, ws, i)
		}
		if end <= i {
			continue
		}
		for k := i; k < end; k++ {
			ts[k] = tagIOrg
			ws[k].margin = max(ws[k].margin, certain)
		}
		if i == 0 || ts[i-1] != tagBOrg && ts[i-1] != tagIOrg || lineBreak(b, &ws[i-1], &ws[i]) {
			ts[i] = tagBOrg
		}
		i = end - 1
	}
}

// ofName returns the end of "University of Minnesota" that begins at word i, or i.
func ofName(b []byte, ws []word, i int) int {
	k := i + 1
	for k < len(ws) && k < i+3 && ws[k].shape == shLower && inSet(ofWords, b, &ws[k]) {
		k++
	}
	if k == i+1 || k >= len(ws) || ws[k].shape != shTitle && ws[k].shape != shUpper || lineBreak(b, &ws[i], &ws[k]) {
		return i
	}
	end := k
	for end < len(ws) && end < k+5 {
		switch {
		case ws[end].shape == shTitle || ws[end].shape == shUpper:
		case ws[end].shape == shLower && end+1 < len(ws) && ws[end+1].shape == shTitle && inSet(ofWords, b, &ws[end]) && ws[end].end-ws[end].start <= 3:
		default:
			return end
		}
		end++
	}
	return end
}

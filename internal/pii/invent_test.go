package pii

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// invent fills the templates with names from the lists.
func (l *lists) invent(t *testing.T, rng *rand.Rand, n int) (out []sentence) {
	templates := readLines(t, "testdata/train/templates.txt")
	for range n {
		tpl := templates[rng.IntN(len(templates))]
		s := sentence{drop: true}
		shout := rng.IntN(14) == 0
		for _, part := range splitTemplate(tpl) {
			l.part(&s, rng, part, shout)
		}
		out = append(out, s)
	}
	return out
}

func splitTemplate(s string) (out []string) {
	for len(s) > 0 {
		i := strings.IndexByte(s, '{')
		if i < 0 || i+2 >= len(s) || s[i+2] != '}' {
			return append(out, s)
		}
		if i > 0 {
			out = append(out, s[:i])
		}
		out, s = append(out, s[i:i+3]), s[i+3:]
	}
	return out
}

func (l *lists) part(s *sentence, rng *rand.Rand, part string, shout bool) {
	text, base := part, uint8(tagO)
	pick := func(x []string) string { return x[rng.IntN(len(x))] }
	switch part {
	case "{P}":
		base, text = tagBPer, l.person(rng)
	case "{F}":
		base, text = tagBPer, pick(l.first)
	case "{L}":
		base, text = tagBPer, pick(l.last)
	case "{C}":
		base, text = tagBLoc, pick(l.city)
		if rng.IntN(4) == 0 {
			text = pick(l.land)
		}
		if rng.IntN(6) == 0 {
			text = strings.ToUpper(text)
		}
	case "{O}":
		base, text = tagBOrg, l.company(rng)
	case "{A}":
		base, text = tagBLoc, l.street(rng)
	case "{G}":
		base, text = tagBLoc, l.feature(rng)
	case "{N}":
		text = l.nation(rng)
	case "{E}":
		text = l.event(rng)
	case "{T}":
		text = pick([]string{"Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "Herr", "Frau", "Mr", "Mrs", "Dr"})
	}
	if shout && base != tagO {
		text = strings.ToUpper(text)
	}
	for i, w := range strings.Fields(spaced(text)) {
		tag := base
		if base != tagO && i > 0 {
			tag++
		}
		s.words, s.tags = append(s.words, w), append(s.tags, tag)
	}
}

// spaced puts blanks around punctuation, as the corpora have it.
func spaced(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(",.!?:;()|'\"@", r) {
			b.WriteString(" " + string(r) + " ")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (l *lists) person(rng *rand.Rand) string {
	p := l.first[rng.IntN(len(l.first))]
	switch rng.IntN(8) {
	case 0:
		p += " " + string(rune('A'+rng.IntN(26))) + "."
	case 1:
		p += " " + l.first[rng.IntN(len(l.first))]
	}
	p += " " + l.last[rng.IntN(len(l.last))]
	if rng.IntN(12) == 0 {
		p += "-" + l.last[rng.IntN(len(l.last))]
	}
	return p
}

func (l *lists) company(rng *rand.Rand) string {
	pick := func(x ...string) string { return x[rng.IntN(len(x))] }
	last, city := l.last[rng.IntN(len(l.last))], l.city[rng.IntN(len(l.city))]
	stem := pick("Nova", "Blue", "Bright", "Terra", "Green", "Data", "Cloud", "North", "Vertex", "Omni", "Lumi", "Agro", "Medi", "Fin", "Solar", "Red", "Hyper", "Net", "Inter", "Opti") +
		pick("tech", "soft", "line", "works", "gen", "form", "mark", "wave", "core", "point", "path", "ware", "bank", "labs", "care", "stream")
	switch rng.IntN(24) {
	case 17, 18, 19, 20:
		return l.org[rng.IntN(len(l.org))]
	case 21:
		return l.capital(rng) + " " + pick("Reports", "Media", "Design", "Research", "Transport", "League", "Group", "Partners", "Systems", "Music", "Games", "Foods", "Hotels", "Center", "Alliance", "Network")
	case 22:
		return l.capital(rng) + " " + l.capital(rng) + " " + pick("League", "Association", "Movement", "Action", "Company", "Council", "Union", "Records", "Project", "Team")
	case 23:
		return pick(last, city, "American", "National", "German", "Royal") + " " + l.capital(rng) + " " + pick("Inc", "LLC", "Ltd", "GmbH", "Association", "League", "Federation", "Club", "Service", "Agency")
	case 14:
		return pick("1st", "2nd", "55th", "139th", "IV", "Royal", "Imperial", "Third") + " " + pick("Division", "Brigade", "Corps", "Regiment", "Infantry", "Army", "Fleet", "Squadron")
	case 15:
		return city + " " + pick("Victorias", "Tigers", "Lions", "Giants", "Bears", "Rangers", "Hockey Club", "Football Club", "Rovers", "Eagles", "Lakers", "Wanderers")
	case 16:
		return pick("The ", "") + pick("Blue", "Electric", "Iron", "Velvet", "Crystal", "Broken", "Silent", "Golden") + " " + pick("Indigo", "Wolves", "Foxes", "Hearts", "Machine", "Orchestra", "Kings", "Horizon")
	case 0, 1:
		return last + " " + pick("Inc", "Inc.", "Ltd", "Ltd.", "LLC", "GmbH", "AG", "Corp", "Group", "Holdings", "SA", "SpA", "BV", "plc", "KG", "& Sons", "and Sons", "& Co")
	case 2:
		return last + ", " + l.last[rng.IntN(len(l.last))] + " and " + l.last[rng.IntN(len(l.last))]
	case 3:
		return last + "-" + l.last[rng.IntN(len(l.last))]
	case 4, 5:
		return stem
	case 6:
		return stem + " " + pick("Systems", "Partners", "Media", "Capital", "Solutions", "Technologies", "Health", "Energy", "Records", "Studios", "Inc")
	case 7:
		return "University of " + city
	case 8:
		return city + " " + pick("University", "Hospital", "Bank", "Council", "United", "FC", "City", "Airport Authority", "Museum", "College", "Symphony Orchestra", "Times", "Railway")
	case 9:
		return pick("Bank of ", "FC ", "Klinikum ", "Stadtwerke ", "Universität ", "Port of ", "Diocese of ", "SV ", "VfL ") + city
	case 10:
		return string([]rune{'A' + rune(rng.IntN(26)), 'A' + rune(rng.IntN(26)), 'A' + rune(rng.IntN(26))})
	case 11:
		return pick("Ministry of ", "Department of ", "Institute of ", "Bureau of ", "Committee on ", "Society of ") + pick("Health", "Finance", "Justice", "Education", "Physics", "Agriculture", "Defense", "Labour")
	case 12:
		return "The " + last + " " + pick("Foundation", "Company", "Trust", "Institute", "Brothers", "Band", "Post")
	}
	return last + " " + pick("Bank", "Insurance", "Motors", "Airlines", "Records", "Consulting", "Logistics", "Pharma", "Entertainment", "Press")
}

// capital is an ordinary word with a capital letter, as names of firms have them.
func (l *lists) capital(rng *rand.Rand) string {
	for {
		if w := l.words[rng.IntN(len(l.words))]; len(w) >= 4 && len(w) <= 9 {
			return strings.ToUpper(w[:1]) + w[1:]
		}
	}
}

// feature is a river, county, park or the like.
func (l *lists) feature(rng *rand.Rand) string {
	pick := func(x ...string) string { return x[rng.IntN(len(x))] }
	name := l.last[rng.IntN(len(l.last))]
	if rng.IntN(2) == 0 {
		name = l.city[rng.IntN(len(l.city))]
	}
	switch rng.IntN(4) {
	case 0:
		return pick("Lake ", "Mount ", "River ", "Cape ", "Port ", "Fort ", "Isle of ", "Gulf of ", "Camp ", "Lago ", "Monte ", "Schloss ", "Burg ") + name
	case 1:
		return pick("North ", "South ", "East ", "West ", "New ", "Upper ", "Lower ", "San ", "Saint ", "Bad ") + name
	}
	return name + " " + pick("County", "River", "Park", "Creek", "Valley", "Island", "Islands", "Bridge", "Dock", "Reservoir", "House", "Hall", "Station", "Province",
		"District", "Bay", "Hills", "Mountains", "Beach", "Township", "Airport", "Castle", "Cemetery", "Forest", "Square", "Tower", "Peninsula", "See", "Tal")
}

// nation is a word for a nationality: no name in our sense.
func (l *lists) nation(rng *rand.Rand) string {
	all := slices.Sorted(maps.Keys(nrpWords))
	w := all[rng.IntN(len(all))]
	w = strings.ToUpper(w[:1]) + w[1:]
	if rng.IntN(10) == 0 {
		w = []string{"North ", "South ", "West ", "East "}[rng.IntN(4)] + w
	}
	return w
}

// event has capitals and is no name in our sense.
func (l *lists) event(rng *rand.Rand) string {
	pick := func(x ...string) string { return x[rng.IntN(len(x))] }
	name := l.last[rng.IntN(len(l.last))]
	switch rng.IntN(3) {
	case 0:
		return pick("World", "European", "National", "Davis", "Grand", "Super", "Champions", "Summer", "Spring", "Second World", "Civil", "Cold") + " " +
			pick("Cup", "Championship", "Open", "War", "Festival", "Games", "League Final", "Prize", "Campaign", "Series")
	case 1:
		return name + " " + pick("Prize", "Cup", "Award", "Festival", "Trophy", "Conjecture", "Theorem", "Act", "Day", "Syndrome")
	}
	return pick("Independence Day", "Seven Years War", "Industrial Revolution", "Emancipation Act", "Easter Monday", "Golden Age", "Nobel Prize", "Academy Award", "Olympic Games", "Middle Ages", "Cold War")
}

func (l *lists) street(rng *rand.Rand) string {
	n := 1 + rng.IntN(9999)
	num := strings.TrimLeft(string([]byte{'0' + byte(n/1000), '0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)}), "0")
	last := l.last[rng.IntN(len(l.last))]
	pick := func(x ...string) string { return x[rng.IntN(len(x))] }
	switch rng.IntN(4) {
	case 0:
		return last + pick("straße", "weg", "platz", "allee", "straat", "gatan", "katu") + " " + num
	case 1:
		return num + " rue de " + last
	case 2:
		return pick("Via ", "Calle ", "Rua ", "ul. ") + last + " " + num
	}
	return num + " " + last + " " + pick("Street", "Road", "Avenue", "Lane", "Drive", "St", "Rd", "Way", "Court")
}

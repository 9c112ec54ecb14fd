package pii

// months maps the first letters of month names, folded, to 1-12. Full names and
// usual abbreviations in English, German, French, Spanish and Italian.
var months = func() map[string]int {
	m := map[string]int{}
	for i, list := range []string{
		"january jan januar janvier enero gennaio jan.", "february feb februar fevrier febrero febbraio",
		"march mar marz mars marzo mrz", "april apr avril abril aprile", "may mai mayo maggio",
		"june jun juni juin junio giugno", "july jul juli juillet julio luglio", "august aug aout agosto",
		"september sep sept septembre septiembre settembre", "october oct okt oktober octobre octubre ottobre",
		"november nov novembre noviembre", "december dec dez dezember decembre diciembre dicembre",
	} {
		for len(list) > 0 {
			w := list
			if k := indexByte(list, ' '); k >= 0 {
				w, list = list[:k], list[k+1:]
			} else {
				list = ""
			}
			m[w] = i + 1
		}
	}
	return m
}()

// monthAt reads a month name at b[i] and returns its end.
func monthAt(b []byte, i int) (month, end int) {
	j := i
	for j < len(b) && j-i < 12 && class[b[j]]&(cUpper|cLower|cHigh) != 0 {
		j++
	}
	if j-i < 3 || j < len(b) && isWord(b[j]) {
		return 0, i
	}
	var buf [16]byte
	n := foldWord(buf[:0], b[i:j], 14)
	m := months[string(buf[:n])]
	if m == 0 {
		return 0, i
	}
	if j < len(b) && b[j] == '.' {
		j++
	}
	return m, j
}

// small reads at most w digits at i.
func small(b []byte, i, w int) (n, end int) {
	j := i
	for j < len(b) && isDigit(b[j]) && j-i <= w {
		n = n*10 + int(b[j]-'0')
		j++
	}
	if j-i > w {
		return 0, i
	}
	return n, j
}

func yearOK(y int) bool { return y >= 1890 && y <= 2100 }

// date reads a date whose first token, b[i:j], is digits.
func (r *run) date(v *view, i, j int) int {
	b := v.b
	end := i
	switch w := j - i; {
	case w == 4 && j+5 < len(b) && (b[j] == '-' || b[j] == '/' || b[j] == '.'):
		end = isoDate(b, i, j)
	case w <= 2 && j+4 < len(b) && (b[j] == '/' || b[j] == '.' || b[j] == '-'):
		end = numericDate(b, i, j)
	case w <= 2:
		end = dayMonthYear(b, i, j)
	}
	if end == i && j-i == 4 {
		return r.year(v, i, j)
	}
	if end == i && j-i <= 2 {
		end = dayMonthYear(b, i, j)
	}
	if end == i {
		return i
	}
	r.near.look(v, i, end)
	sub, score := "", 0.7
	if r.near.set.has(cDOB) && r.near.dist[cDOB] <= 45 {
		sub, score = "DATE_OF_BIRTH", 0.95
	}
	r.emit(v, i, end, DateTime, sub, score, "date")
	return end
}

func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func isoDate(b []byte, i, j int) int {
	y, _ := small(b, i, 4)
	m, k := small(b, j+1, 2)
	if b[j] == '.' && (k != j+3 || k+2 >= len(b) || !isDigit(b[k+2])) {
		return i // a version
	}
	if !yearOK(y) || m < 1 || m > 12 || k == j+1 || k+1 >= len(b) || b[k] != b[j] {
		return i
	}
	d, e := small(b, k+1, 2)
	if e == k+1 || !dayMonth(d, m) || e < len(b) && isAlnum(b[e]) && b[e] != 'T' && b[e] != 'Z' || at(b, e) == '-' {
		return i
	}
	if e+5 < len(b) && (b[e] == 'T' || b[e] == ' ') && isDigit(b[e+1]) && b[e+3] == ':' {
		for e++; e < len(b) && (isDigit(b[e]) || b[e] == ':' || b[e] == '.' || b[e] == '+' || b[e] == 'Z' || b[e] == '-'); {
			e++
		}
		for b[e-1] == '.' || b[e-1] == ':' || b[e-1] == '-' {
			e--
		}
	}
	return e
}

func numericDate(b []byte, i, j int) int {
	x, _ := small(b, i, 2)
	y, k := small(b, j+1, 2)
	if k == j+1 || k+1 >= len(b) || b[k] != b[j] {
		return i
	}
	z, e := small(b, k+1, 4)
	if e-k-1 != 4 && e-k-1 != 2 || !closing(b, e) {
		return i
	}
	if e-k-1 == 4 && !yearOK(z) || e-k-1 == 2 && b[j] != '/' {
		return i
	}
	if dayMonth(x, y) || dayMonth(y, x) {
		return e
	}
	return i
}

// dayMonthYear reads "16 January 1978" and "3. März 1980".
func dayMonthYear(b []byte, i, j int) int {
	k := j
	for k < len(b) && k-j < 3 && (b[k] == ' ' || b[k] == '.' || b[k] == '-') {
		k++
	}
	if k == j && at(b, k) != 't' && at(b, k) != 's' && at(b, k) != 'n' {
		return i
	}
	if k+3 < len(b) && b[k] == 'd' && b[k+1] == 'e' && b[k+2] == ' ' {
		k += 3
	}
	m, e := monthAt(b, k)
	d, _ := small(b, i, 2)
	if m == 0 || !dayMonth(d, m) {
		return i
	}
	return withYear(b, e)
}

// withYear extends a date over the year that follows, if one does.
func withYear(b []byte, e int) int {
	k := e
	for k < len(b) && k-e < 2 && (b[k] == ' ' || b[k] == ',' || b[k] == '-') {
		k++
	}
	if k+3 < len(b) && b[k] == 'd' && b[k+1] == 'e' && b[k+2] == ' ' {
		k += 3
	}
	if y, n := small(b, k, 4); n-k == 4 && yearOK(y) {
		return n
	}
	return e
}

// monthFirst reads "March 15, 1989" at the month name b[i:j]; a day and a year
// must follow, or a four digit year.
func (r *run) monthFirst(v *view, i int) int {
	b := v.b
	m, e := monthAt(b, i)
	if m == 0 || e >= len(b) || b[e] != ' ' {
		return i
	}
	d, k := small(b, e+1, 2)
	end := i
	if k > e+1 && dayMonth(d, m) && (k == len(b) || !isWord(b[k]) || at(b, k) == 't' || at(b, k) == 's' || at(b, k) == 'n' || at(b, k) == 'r') {
		for k < len(b) && class[b[k]]&cLower != 0 && k-e < 6 {
			k++
		}
		end = withYear(b, k)
	} else if y, n := small(b, e+1, 4); n-e-1 == 4 && yearOK(y) && closing(b, n) {
		end = n
	}
	if end == i {
		return i
	}
	r.near.look(v, i, end)
	sub, score := "", 0.75
	if r.near.set.has(cDOB) && r.near.dist[cDOB] <= 45 {
		sub, score = "DATE_OF_BIRTH", 0.95
	}
	r.emit(v, i, end, DateTime, sub, score, "date")
	return end
}

// year accepts a bare year after a word that makes it a date.
func (r *run) year(v *view, i, j int) int {
	b := v.b
	y, _ := small(b, i, 4)
	if !closing(b, j) || y < 1890 || y > 2035 || i < 3 || b[i-1] != ' ' || v.number || v.layers > 0 {
		return i
	}
	k := i - 1
	for k > 0 && i-k < 8 && class[b[k-1]]&(cLower|cUpper) != 0 {
		k--
	}
	switch string(b[k : i-1]) {
	case "in", "In", "since", "Since", "from", "until", "by", "year", "during", "of":
		r.emit(v, i, j, DateTime, "", 0.55, "year")
		return j
	}
	return i
}

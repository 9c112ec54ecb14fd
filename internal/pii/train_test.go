package pii

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The recipe for data/gazetteer.gz and data/weights.gz. Sources, licences and the
// layout of the folder are in docs/pii-data.md; rebuild with
//
//	go test ./internal/pii -run 'TestBuild' -build LISTS
var buildFrom = flag.String("build", "", "folder with the open data to build the tagger from")

// TestBuild rebuilds the tagger's data from open data.
func TestBuild(t *testing.T) {
	if *buildFrom == "" {
		t.Skip("SKIPPED: needs -build LISTS, see docs/pii-data.md")
	}
	lists := readLists(t, *buildFrom)
	sentences := readCorpora(t, *buildFrom)
	pairs := lists.pairs(sentences)
	writeGzip(t, "data/gazetteer.gz", pairs)
	m := &model{gaz: newGazetteer(pairs)}
	writeGzip(t, "data/judge.gz", lists.trainJudge(t, m, sentences))
	rng := rand.New(rand.NewPCG(1, 3))
	writeGzip(t, "data/weights.gz", train(t, m, rng, append(sentences, lists.invent(t, rng, inventions)...)))
}

// train returns the rows of weights learnt from sentences.
func train(t *testing.T, m *model, rng *rand.Rand, sentences []sentence) []byte {
	tr := newTrainer(m, sentences)
	tr.rng = rng
	for e := range epochs {
		rng.Shuffle(len(sentences), func(i, j int) { sentences[i], sentences[j] = sentences[j], sentences[i] })
		right, all := tr.epoch(sentences)
		if e == epochs-1 {
			t.Logf("last epoch: %d of %d words right", right, all)
		}
		if e >= firstKept {
			tr.keep()
		}
	}
	return tr.rows()
}

func writeGzip(t *testing.T, path string, data []byte) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sentence is text with a tag per word, the words divided by blanks.
type sentence struct {
	words []string
	tags  []uint8
	drop  bool // invented: now and then the gazetteer must not help
}

// lists are the word lists of the gazetteer.
type lists struct {
	first, last, city, land, org, words []string
}

func readLines(t *testing.T, path string) (out []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out = append(out, l)
		}
	}
	return out
}

func readLists(t *testing.T, dir string) *lists {
	return &lists{
		first: readLines(t, filepath.Join(dir, "first.txt")),
		last:  readLines(t, filepath.Join(dir, "last.txt")),
		city:  readLines(t, filepath.Join(dir, "places.txt")),
		land:  readLines(t, filepath.Join(dir, "lands.txt")),
		org:   readLines(t, filepath.Join(dir, "orgs.txt")),
		words: readLines(t, filepath.Join(dir, "words.txt")),
	}
}

// pairs builds the gazetteer: six bytes per entry, sorted by hash.
func (l *lists) pairs(corpus []sentence) []byte {
	all := map[uint32]uint16{}
	put := func(name string, bit uint16) {
		ws := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" -.'&/", r) })
		if len(ws) == 0 || len(ws) > 5 {
			return
		}
		h := hashWord(ws[0])
		if len(ws) > 1 {
			if bit&(gCity|gLand|gBrand) == 0 {
				return
			}
			all[h] |= gPhrase
			for _, w := range ws[1:] {
				h = joinHash(h, hashWord(w))
			}
		}
		all[h] |= bit
	}
	for _, x := range l.first {
		put(x, gFirst)
	}
	for _, x := range l.last {
		put(x, gLast)
	}
	for _, x := range l.city {
		put(x, gCity)
	}
	for _, x := range l.land {
		put(x, gLand)
	}
	for _, x := range l.words {
		put(x, gWord)
	}
	for _, x := range l.org {
		put(x, gBrand)
	}
	for _, x := range orgWords {
		put(x, gOrg)
	}
	common := map[string]int{}
	for _, s := range corpus {
		for _, w := range s.words {
			if len(w) > 1 && strings.ToLower(w) == w {
				common[w]++
			}
		}
	}
	for w, n := range common {
		if n >= 2 {
			put(w, gCommon)
		}
	}
	keys := slices.Sorted(maps.Keys(all))
	out := make([]byte, 0, 6*len(keys))
	for _, k := range keys {
		out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint32(out, k), all[k])
	}
	return out
}

func hashWord(w string) uint32 {
	var buf [40]byte
	return hashBytes(buf[:foldWord(buf[:0], []byte(w), 38)])
}

// readCorpora reads every .conll and .tsv file: word in the first column (the
// second for .tsv), tag in the last (the third), blank lines between sentences.
func readCorpora(t *testing.T, dir string) (out []sentence) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "corpora", "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpora: %v", err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		w, g := 0, -1
		if strings.HasSuffix(name, ".tsv") {
			w, g = 1, 2
		}
		out = append(out, readConll(t, bufio.NewScanner(f), w, g)...)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func readConll(t *testing.T, lines *bufio.Scanner, w, g int) (out []sentence) {
	t.Helper()
	var s sentence
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] == "#" || f[0] == "-DOCSTART-" {
			if len(s.words) > 0 {
				out = append(out, s)
			}
			s = sentence{}
			continue
		}
		if len(f) <= w {
			continue
		}
		col := g
		if col < 0 {
			col = len(f) - 1
		}
		tag := tagOf(f[col])
		if f[w][0] == '@' {
			tag = tagO
		}
		s.words, s.tags = append(s.words, f[w]), append(s.tags, tag)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	if len(s.words) > 0 {
		out = append(out, s)
	}
	return out
}

// tagOf maps the labels of the corpora to ours; what is none of ours is no name.
func tagOf(label string) uint8 {
	kind, rest, ok := strings.Cut(label, "-")
	if !ok {
		return tagO
	}
	var base uint8
	switch strings.ToLower(rest) {
	case "per", "person":
		base = tagBPer
	case "loc", "location":
		base = tagBLoc
	case "org", "organisation", "corporation", "group":
		base = tagBOrg
	default:
		return tagO
	}
	if kind == "I" {
		base++
	}
	return base
}

// Constants of the training, found by measuring on parts that were held back.
const (
	epochs         = 8
	inventions     = 30000 // sentences made from the templates
	firstKept      = 3     // the weights are the mean of those after this and later epochs
	rate           = 0.15
	decay          = 1e-5
	featureDrop    = 0.1
	forgetReal     = float32(0.25)
	forgetInvented = float32(0.4)
	forgetWord     = float32(0.3)
	rowScale       = 100
	rowStep        = 5   // coarser steps pack better and score alike
	leastWeight    = 0.2 // rows without a weight over this are left out
)

// trainer learns the weights.
type trainer struct {
	rng   *rand.Rand
	m     *model
	w     [][8]float32
	sq    [][8]float32
	sum   [][8]float32
	kept  int
	owner []uint32 // the feature that owns each row: the most frequent that falls on it
}

func newTrainer(m *model, all []sentence) *trainer {
	tr := &trainer{m: m, w: make([][8]float32, featureRows), sq: make([][8]float32, featureRows), sum: make([][8]float32, featureRows), owner: make([]uint32, featureRows)}
	seen := map[uint32]int32{}
	for _, s := range all {
		ws, gold := tr.align(s)
		caps := capsLevel(ws)
		var f [featureCap]uint32
		prev, prev2 := uint8(0), uint8(0)
		for i := range ws {
			for _, x := range features(f[:0], ws, i, prev, prev2, caps) {
				seen[x]++
			}
			prev2, prev = prev, gold[i]
		}
	}
	for _, x := range slices.Sorted(maps.Keys(seen)) {
		row := x & (featureRows - 1)
		if n := seen[x]; n > 1 && n > seen[tr.owner[row]] {
			tr.owner[row] = x
		}
	}
	return tr
}

// align cuts a sentence into our words, each with the tag of the corpus's word.
func (tr *trainer) align(s sentence) (ws []word, gold []uint8) {
	text := strings.Join(s.words, " ")
	ws = tr.m.words(nil, []byte(text))
	k, end := 0, len(s.words[0])
	fresh := true
	for i := range ws {
		for int(ws[i].start) >= end {
			k++
			end += 1 + len(s.words[k])
			fresh = true
		}
		tag := s.tags[k]
		if !fresh && tag%2 == 1 {
			tag++
		}
		if ws[i].shape == shPunct && tag != tagO && len(s.words[k]) > 1 && fresh {
			tag = tagO
		} else {
			fresh = false
		}
		gold = append(gold, tag)
	}
	return ws, gold
}

// forget takes the gazetteer's help from some names, for most names in the world
// are in no list, and the word itself from others, for most are in no corpus.
func (tr *trainer) forget(ws []word, gold []uint8, invented bool) {
	lost, unknown := false, false
	share := forgetReal
	if invented {
		share = forgetInvented
	}
	for i := range ws {
		if gold[i] == tagO {
			continue
		}
		if gold[i]%2 == 1 {
			lost, unknown = tr.rng.Float32() < share, tr.rng.Float32() < forgetWord
		}
		if lost {
			ws[i].gaz, ws[i].place = ws[i].gaz&(gOrg|gWord|gCommon), 0
		}
		if unknown && ws[i].gaz&gOrg == 0 && ws[i].shape != shPunct && ws[i].shape != shLower {
			ws[i].h = tr.rng.Uint32()
		}
	}
}

// epoch goes once over all sentences: logistic regression by AdaGrad, where the tag
// before is now the true one and now the guessed one, so that a mistake is no
// surprise later.
func (tr *trainer) epoch(all []sentence) (right, total int) {
	var f [featureCap]uint32
	var rows [featureCap]uint32
	for _, s := range all {
		ws, gold := tr.align(s)
		tr.forget(ws, gold, s.drop)
		caps := capsLevel(ws)
		prev, prev2 := uint8(0), uint8(0)
		for i := range ws {
			n := 0
			for _, x := range features(f[:0], ws, i, prev, prev2, caps) {
				if row := x & (featureRows - 1); tr.owner[row] == x && tr.rng.Float32() >= featureDrop {
					rows[n] = row
					n++
				}
			}
			got, want := tr.learn(rows[:n], prev, gold[i])
			if got == want {
				right++
			}
			total++
			if tr.rng.IntN(2) == 0 {
				got = want
			}
			prev2, prev = prev, got
		}
	}
	return right, total
}

// learn makes one step of descent and returns the guess and the wanted tag.
func (tr *trainer) learn(rows []uint32, prev, want uint8) (got, wanted uint8) {
	if want != tagO && want%2 == 0 && prev != want && prev != want-1 {
		want-- // the name before was missed: the rest of it may begin anew
	}
	var sc [tags]float64
	for _, row := range rows {
		for k := range tags {
			sc[k] += float64(tr.w[row][k])
		}
	}
	top, sum := 0, 0.0
	for k := range tags {
		if sc[k] > sc[top] {
			top = k
		}
	}
	most := sc[top]
	for k := range tags {
		sc[k] = math.Exp(sc[k] - most)
		sum += sc[k]
	}
	for k := range tags {
		g := sc[k] / sum
		if uint8(k) == want {
			g--
		}
		if math.Abs(g) < 1e-4 {
			continue
		}
		for _, row := range rows {
			d := float32(g) + decay*tr.w[row][k]
			tr.sq[row][k] += d * d
			tr.w[row][k] -= rate * d / float32(math.Sqrt(float64(tr.sq[row][k]))+1e-3)
		}
	}
	return uint8(top), want
}

// keep adds the weights as they are to the mean.
func (tr *trainer) keep() {
	for x := range tr.w {
		for k := range tags {
			tr.sum[x][k] += tr.w[x][k]
		}
	}
	tr.kept++
}

// faint reports whether a row says so little that it may be left out.
func (tr *trainer) faint(x int) bool {
	for k := range tags {
		if math.Abs(float64(tr.sum[x][k]))/float64(tr.kept) > leastWeight {
			return false
		}
	}
	return true
}

// rows scales the weights: rowScale units are one nat, in steps of rowStep.
func (tr *trainer) rows() []byte {
	out := make([]byte, featureRows*16)
	for x := range tr.w {
		if tr.owner[x] == 0 || tr.faint(x) {
			continue
		}
		binary.LittleEndian.PutUint16(out[(x*8+tags)*2:], uint16(print8(tr.owner[x])))
		for k := range tags {
			avg := float64(tr.sum[x][k]) / float64(tr.kept)
			binary.LittleEndian.PutUint16(out[(x*8+k)*2:], uint16(int16(max(-32000, min(32000, rowStep*math.Round(avg*rowScale/rowStep))))))
		}
	}
	return out
}

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
//	go test ./internal/pii -run 'TestBuild' -build FOLDER
var buildFrom = flag.String("build", "", "folder with the open data to build the tagger from")

// TestBuild rebuilds the tagger's data from open data.
func TestBuild(t *testing.T) {
	if *buildFrom == "" {
		t.Skip("SKIPPED: needs -build FOLDER, see docs/pii-data.md")
	}
	lists := readLists(t, *buildFrom)
	sentences := readCorpora(t, *buildFrom)
	pairs := lists.pairs(sentences)
	writeGzip(t, "data/gazetteer.gz", pairs)
	m := &model{gaz: newGazetteer(pairs)}
	rng := rand.New(rand.NewPCG(1, 2))
	sentences = append(sentences, lists.invent(t, rng, 20000)...)
	tr := newTrainer(m, sentences)
	tr.rng = rng
	for range 8 {
		rng.Shuffle(len(sentences), func(i, j int) { sentences[i], sentences[j] = sentences[j], sentences[i] })
		right, all := tr.epoch(sentences)
		t.Logf("epoch: %d of %d words right", right, all)
	}
	writeGzip(t, "data/weights.gz", tr.rows())
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
	first, last, city, land []string
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
	}
}

// pairs builds the gazetteer: five bytes per entry, sorted by hash.
func (l *lists) pairs(corpus []sentence) []byte {
	all := map[uint32]uint8{}
	put := func(name string, bit uint8) {
		ws := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '-' || r == '.' || r == '\'' })
		if len(ws) == 0 || len(ws) > 4 {
			return
		}
		h := hashWord(ws[0])
		if len(ws) > 1 {
			if bit&(gCity|gLand) == 0 {
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
	out := make([]byte, 0, 5*len(keys))
	for _, k := range keys {
		out = append(binary.LittleEndian.AppendUint32(out, k), all[k])
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

// trainer is an averaged perceptron.
type trainer struct {
	rng   *rand.Rand
	m     *model
	w     [][8]float32
	sum   [][8]float64
	last  []int32
	tick  int32
	owner []uint32 // the feature that owns each row: the most frequent that falls on it
}

func newTrainer(m *model, all []sentence) *trainer {
	tr := &trainer{m: m, w: make([][8]float32, featureRows), sum: make([][8]float64, featureRows), last: make([]int32, featureRows), owner: make([]uint32, featureRows)}
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
// are in no list.
func (tr *trainer) forget(ws []word, gold []uint8) {
	lost := false
	for i := range ws {
		if gold[i]%2 == 1 {
			lost = tr.rng.IntN(5) < 2
		}
		if lost && gold[i] != tagO {
			ws[i].gaz, ws[i].place = ws[i].gaz&gOrg, 0
		}
	}
}

func (tr *trainer) epoch(all []sentence) (right, total int) {
	var f [featureCap]uint32
	for _, s := range all {
		ws, gold := tr.align(s)
		if s.drop {
			tr.forget(ws, gold)
		}
		caps := capsLevel(ws)
		prev, prev2 := uint8(0), uint8(0)
		for i := range ws {
			tr.tick++
			fs := features(f[:0], ws, i, prev, prev2, caps)
			var sc [8]int32
			for _, x := range fs {
				row := x & (featureRows - 1)
				if tr.owner[row] != x {
					continue
				}
				for k := range tags {
					sc[k] += int32(tr.w[row][k])
				}
			}
			got, want := best(&sc, prev), gold[i]
			if want != tagO && want%2 == 0 && prev != want && prev != want-1 {
				want-- // the name before was missed: the rest of it may begin anew
			}
			if got == want {
				right++
			} else {
				for _, x := range fs {
					if row := x & (featureRows - 1); tr.owner[row] == x {
						tr.update(row, want, 1)
						tr.update(row, got, -1)
					}
				}
			}
			total++
			prev2, prev = prev, got
		}
	}
	return right, total
}

func (tr *trainer) update(x uint32, tag uint8, by float32) {
	for k := range tags {
		tr.sum[x][k] += float64(tr.tick-tr.last[x]) * float64(tr.w[x][k])
	}
	tr.last[x] = tr.tick
	tr.w[x][tag] += by
}

// rows averages and scales the weights to signed bytes.
func (tr *trainer) rows() []byte {
	out := make([]byte, featureRows*16)
	for x := range tr.w {
		if tr.owner[x] == 0 {
			continue
		}
		binary.LittleEndian.PutUint16(out[(x*8+tags)*2:], uint16(print8(tr.owner[x])))
		for k := range tags {
			avg := (tr.sum[x][k] + float64(tr.tick-tr.last[x])*float64(tr.w[x][k])) / float64(tr.tick)
			binary.LittleEndian.PutUint16(out[(x*8+k)*2:], uint16(int16(max(-32000, min(32000, math.Round(avg*32))))))
		}
	}
	return out
}

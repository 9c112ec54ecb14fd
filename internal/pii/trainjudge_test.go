package pii

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Constants of the judge's training.
const (
	folds      = 3 // parts of the corpora, each judged by a tagger that has not seen it
	inventedIn = 1500
	judgeTurns = 30
	judgeRate  = 0.05
	judgeDecay = 2e-3
	judgeSeen  = 3 // features seen less often are left out
)

// judged is a proposed name: its features and whether it is right.
type judged struct {
	rows  []uint32
	right bool
}

// trainJudge trains a tagger without each part of the corpora in turn, lets it
// propose names in that part, and fits the judge to what was right.
func (l *lists) trainJudge(t *testing.T, m *model, real []sentence) []byte {
	var all []judged
	for f := range folds {
		rng := rand.New(rand.NewPCG(2, uint64(f)))
		var seen, held []sentence
		for i, s := range real {
			if i%folds == f {
				held = append(held, s)
			} else {
				seen = append(seen, s)
			}
		}
		fold := *m
		fold.rows = load16(train(t, &fold, rng, append(seen, l.invent(t, rng, inventions)...)))
		held = append(held, l.invent(t, rng, inventedIn)...)
		for _, s := range held {
			all = append(all, proposals(&fold, s)...)
		}
	}
	return fit(t, all)
}

// proposals are the names that the tagger finds in a sentence.
func proposals(m *model, s sentence) (out []judged) {
	text, gold := spell(s)
	r := run{s: &Scanner{want: ^typeSet(0), model: m}}
	v := view{b: []byte(text), bare: true}
	r.tagged(m, &v)
	if len(r.ws) <= 2 {
		return nil
	}
	around := surroundings(v.b, r.ws, r.found)
	for k := range r.found {
		c := &r.found[k]
		j := judged{rows: judgeFeatures(nil, &around, r.ws, c)}
		for i := r.ws[c.i].start; i < r.ws[c.j-1].end; i++ {
			j.right = j.right || gold[i] == c.kind
		}
		out = append(out, j)
	}
	return out
}

// spell writes a sentence as people do, without blanks before commas, and gives the
// kind of name for each byte.
func spell(s sentence) (string, []uint8) {
	var b strings.Builder
	var gold []uint8
	last := uint8(0)
	for i, w := range s.words {
		kind := (s.tags[i] + 1) / 2
		if i > 0 && !strings.Contains(",.!?:;)", w[:1]) && w != "n't" && w != "'s" && s.words[i-1] != "(" {
			b.WriteByte(' ')
			gold = append(gold, min(last, kind))
		}
		b.WriteString(w)
		for range len(w) {
			gold = append(gold, kind)
		}
		last = kind
	}
	return b.String(), gold
}

// fit is logistic regression by AdaGrad.
func fit(t *testing.T, all []judged) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	w, sq, sum := make([]float64, judgeRows), make([]float64, judgeRows), make([]float64, judgeRows)
	seen := make([]int, judgeRows)
	right := 0
	for _, j := range all {
		for _, f := range j.rows {
			seen[f&(judgeRows-1)]++
		}
		if j.right {
			right++
		}
	}
	t.Logf("judge: %d of %d proposed names right", right, len(all))
	for e := range judgeTurns {
		rng.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		for _, j := range all {
			z := 0.0
			for _, f := range j.rows {
				z += w[f&(judgeRows-1)]
			}
			g := 1 / (1 + math.Exp(-z))
			if j.right {
				g--
			}
			for _, f := range j.rows {
				x := f & (judgeRows - 1)
				if seen[x] < judgeSeen {
					continue
				}
				d := g + judgeDecay*w[x]
				sq[x] += d * d
				w[x] -= judgeRate * d / (math.Sqrt(sq[x]) + 1e-3)
			}
		}
		if e >= judgeTurns/2 {
			for x := range w {
				sum[x] += w[x]
			}
		}
	}
	out := make([]byte, judgeRows*2)
	for x := range sum {
		binary.LittleEndian.PutUint16(out[x*2:], uint16(int16(math.Round(judgeScale*sum[x]/float64(judgeTurns-judgeTurns/2)))))
	}
	return out
}

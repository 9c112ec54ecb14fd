package pii

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the word lists and weights are part of the program
	"encoding/binary"
	"io"
	"sync"
)

// Bits of a word or phrase in the gazetteer.
const (
	gFirst  = 1 << iota // a given name
	gLast               // a family name
	gCity               // a populated place
	gLand               // a country, state or continent, or a form of one
	gOrg                // a word that names kinds of organisations: bank, university, GmbH
	gCommon             // usually an ordinary word, written in lower case
	gPhrase             // the beginning of a place or organisation of several words
	gBrand              // an organisation by its own name
	gWord               // in a dictionary, written in lower case or a German noun

	gRule = 1 << 15 // on a list of the rules; no part of word.gaz, which the weights know
)

// gazetteerFile holds, after gzip: pairs of a hash (uint32, little endian) and
// bits (two bytes), sorted by hash. Its recipe is in docs/pii-data.md.
//
//go:embed data/gazetteer.gz
var gazetteerFile []byte

// weightsFile holds, after gzip: rows*8 signed numbers of two bytes, one row per feature hash
// one column per tag, and last the
// fingerprint of the feature that owns the row.
//
//go:embed data/weights.gz
var weightsFile []byte

// judgeFile holds, after gzip: signed numbers of two bytes, one per feature of the
// judge (judge.go).
//
//go:embed data/judge.gz
var judgeFile []byte

// gazetteer is an open-addressed table from hash to bits.
type gazetteer struct {
	keys []uint32
	bits []uint16
	mask uint32
}

func (g *gazetteer) get(h uint32) uint16 {
	for i := h & g.mask; ; i = (i + 1) & g.mask {
		if g.keys[i] == h {
			return g.bits[i]
		}
		if g.keys[i] == 0 {
			return 0
		}
	}
}

func newGazetteer(pairs []byte) *gazetteer {
	n := len(pairs) / 6
	size := 1024
	for size < 2*n {
		size *= 2
	}
	g := &gazetteer{keys: make([]uint32, size), bits: make([]uint16, size), mask: uint32(size - 1)}
	for i := range n {
		h := binary.LittleEndian.Uint32(pairs[i*6:])
		if h == 0 {
			continue
		}
		g.add(h, binary.LittleEndian.Uint16(pairs[i*6+4:]))
	}
	for _, list := range []map[string]bool{streetBefore, noStreet, streetAfter, unitWords, units, directions, military, addressWords, titleWords, landWords, headWords, ofWords, nrpWords, peoples} {
		for w := range list {
			g.add(hashBytes([]byte(w)), gRule)
		}
	}
	for _, list := range []map[string]bool{nrpWords, peoples} {
		for w := range list {
			g.add(hashBytes([]byte(w+"s")), gRule) // the plural, see groupWord
		}
	}
	return g
}

func (g *gazetteer) add(h uint32, bits uint16) {
	k := h & g.mask
	for g.keys[k] != 0 && g.keys[k] != h {
		k = (k + 1) & g.mask
	}
	g.keys[k] = h
	g.bits[k] |= bits
}

// unpack undoes gzip. The files are part of the program: one that does not
// unpack is a broken build.
func unpack(b []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		panic("pii: data: " + err.Error())
	}
	out, err := io.ReadAll(io.LimitReader(z, 1<<24))
	if err != nil {
		panic("pii: data: " + err.Error())
	}
	return out
}

// model is what the tagger knows: word lists and weights. It never changes.
type model struct {
	gaz  *gazetteer
	rows []int16 // 8 per feature
	sure []int16 // of the judge, 1 per feature
}

// loadModel unpacks the data once, when the first scanner for names is made.
var loadModel = sync.OnceValue(func() *model {
	m := &model{gaz: newGazetteer(unpack(gazetteerFile))}
	raw := unpack(weightsFile)
	if len(raw) != featureRows*16 {
		panic("pii: data: weights have the wrong size")
	}
	m.rows = load16(raw)
	raw = unpack(judgeFile)
	if len(raw) != judgeRows*2 {
		panic("pii: data: the judge has the wrong size")
	}
	m.sure = load16(raw)
	return m
})

// load16 reads signed numbers of two bytes.
func load16(raw []byte) []int16 {
	out := make([]int16, len(raw)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(raw[i*2:]))
	}
	return out
}

// Hashing: FNV-1a over folded bytes.
const (
	fnvBase  = 2166136261
	fnvPrime = 16777619
)

func hashBytes(b []byte) uint32 {
	h := uint32(fnvBase)
	for _, c := range b {
		h = (h ^ uint32(c)) * fnvPrime
	}
	return h
}

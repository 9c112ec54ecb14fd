package pii

import "slices"

// trail leads from the bytes of a decoded text back to those of its source.
// Between two marks the bytes of both run side by side, so a long text with few
// escapes has few marks. The end of the text has a place too.
type trail []mark

// mark says that decoded byte at came from source byte src.
type mark struct{ at, src int32 }

// add notes where decoded byte at, which is none before the last, came from.
func (t *trail) add(at, src int) {
	if n := len(*t); n > 0 {
		if last := (*t)[n-1]; int(last.src)+at-int(last.at) == src {
			return
		}
	}
	*t = append(*t, mark{int32(at), int32(src)})
}

// addRun notes where the bytes of v.b[i:j] came from, which are the decoded
// bytes from at on.
func (t *trail) addRun(v *view, at, i, j int) {
	if i >= j {
		return
	}
	t.add(at, v.src(i))
	if v.trail == nil {
		return
	}
	for k := v.trail.find(v.base+i) + 1; k < len(v.trail) && int(v.trail[k].at) < v.base+j; k++ {
		m := v.trail[k]
		t.add(at+int(m.at)-v.base-i, int(m.src))
	}
}

// find returns the mark that decoded byte i stands behind.
func (t trail) find(i int) int {
	k, exact := slices.BinarySearchFunc(t, int32(i), func(m mark, at int32) int { return int(m.at - at) })
	if exact {
		return k
	}
	return k - 1
}

// src returns the source offset of decoded byte i.
func (t trail) src(i int) int {
	m := t[t.find(i)]
	return int(m.src) + i - int(m.at)
}

// decoded is v with out in place of its bytes, of which t leads back to v's source.
func (v view) decoded(out []byte, t trail) view {
	if v.fixed {
		t = nil // nothing asks for the way
	} else {
		t.add(len(out), v.srcEnd(len(v.b)))
	}
	v.b, v.trail, v.base = out, t, 0
	return v
}

package backup

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

func TestRecordsHaveOneForm(t *testing.T) {
	for _, one := range [][]byte{
		{0x81, 0x00},                            // 1 in two bytes
		{0xff},                                  // cut
		bytes.Repeat([]byte{0xff}, 11),          // too long
		append([]byte{0xff, 0xff, 0xff, 15}, 1), // a field of 32 MiB in five bytes
	} {
		s := scanner{b: one}
		s.field()
		if s.err == nil || s.more() {
			t.Errorf("% x was read", one)
		}
	}
	row := store.Row{Kind: "a", ID: "b", Revision: math.MaxInt32, Body: []byte("c")}
	s := scanner{b: appendRow(nil, row)}
	if got := s.row(); s.err != nil || !reflect.DeepEqual(got, row) || s.more() {
		t.Errorf("%+v, %v", got, s.err)
	}
	for _, parts := range [][]byte{nil, {}, []byte("p")} {
		batch := auditlog.Batch{Log: "control", First: 3, Count: 2, Leaves: []byte("l"), HashStart: 4, Hashes: make([]byte, 64), Parts: parts}
		s := scanner{b: appendBatch(nil, batch)}
		if got := s.batch(); s.err != nil || (got.Parts == nil) != (parts == nil) || !bytes.Equal(got.Parts, parts) || s.more() {
			t.Errorf("%+v, %v", got, s.err)
		}
	}
}

// FuzzScanner reads chunks of anything: what is read is written to the same
// bytes.
func FuzzScanner(f *testing.F) {
	f.Add(byte(0), appendRow(nil, store.Row{Kind: "a", ID: "b", Revision: 1, Body: []byte("c")}))
	f.Add(byte(1), appendBatch(nil, auditlog.Batch{Log: "control", Count: 1, Leaves: []byte("l"), Hashes: make([]byte, 32)}))
	f.Add(byte(2), appendNote(nil, "control", auditlog.Checkpoint{Size: 1, Note: []byte("n")}))
	f.Fuzz(func(t *testing.T, what byte, data []byte) {
		s := scanner{b: data}
		var out []byte
		for s.more() {
			switch what % 3 {
			case 0:
				out = appendRow(out, s.row())
			case 1:
				out = appendBatch(out, s.batch())
			case 2:
				log, c := s.checkpoint()
				out = appendNote(out, log, c)
			}
		}
		if s.err == nil && !bytes.Equal(out, data) {
			t.Errorf("% x was written as % x", data, out)
		}
	})
}

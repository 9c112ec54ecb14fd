package backup_test

import (
	"io"
	"testing"

	"ostiary.dev/ostiary/internal/backup"
)

// BenchmarkWrite writes the archive of 51,200 entries with 600 bytes of parts
// each: what reading the store costs comes on top.
func BenchmarkWrite(b *testing.B) {
	w := newWorld(b)
	for range 100 {
		w.raw.grow(b, "calls/2026", 512, make([]byte, 512*600))
	}
	b.ReportAllocs()
	for b.Loop() {
		snap, err := backup.Take(w.source())
		if err != nil {
			b.Fatal(err)
		}
		n, err := snap.Estimate()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
		if err := snap.Write(b.Context(), io.Discard, w.locks(), w.head(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

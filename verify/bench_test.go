package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// BenchmarkProof verifies a proof in a log of a million entries: 20 hashes and
// one signature. The log is made of one entry, repeated.
func BenchmarkProof(b *testing.B) {
	l := samplelog.New("calls/2026", 1)
	p, err := l.RepeatedProof(1_000_000, 777_777)
	if err != nil {
		b.Fatal(err)
	}
	o := verify.ProofOptions{Keys: keys(b, l.VKey())}
	for b.Loop() {
		if _, err := verify.Proof(p, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReceipt(b *testing.B) {
	_, receipt := sampleReceipt()
	answer := answered(receipt)
	o := verify.ReceiptOptions{Keys: keys(b, samplelog.ReceiptSigner().VKey()), Answer: answer, Request: []byte(request)}
	for b.Loop() {
		if _, err := verify.Receipt(answer, o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLog verifies an export on disk, with readable entries, and reports
// the most memory that it took. OSTIARY_ENTRIES is the number of entries, 65,536
// unless set; OSTIARY_EXPORT keeps the export in that folder for other tools.
func BenchmarkLog(b *testing.B) {
	n := 1 << 16
	if s := os.Getenv("OSTIARY_ENTRIES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	dir := os.Getenv("OSTIARY_EXPORT")
	if dir == "" {
		dir = filepath.Join(b.TempDir(), "log")
	}
	key := "log.vkey"
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err != nil {
		if err := samplelog.Write(dir, "calls/2026", n); err != nil {
			b.Fatal(err)
		}
	}
	line, err := os.ReadFile(filepath.Join(dir, key))
	if err != nil {
		b.Fatal(err)
	}
	o := verify.LogOptions{Keys: keys(b, string(bytes.TrimSpace(line)))}
	runtime.GC()
	var peak uint64
	o.Progress = func(done, total uint64) {
		if done%(64*256) == 0 || done == total {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		r, err := verify.Log(os.DirFS(dir), o)
		if err != nil || r.Size != uint64(n) {
			b.Fatal(r.Size, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(peak)/(1<<20), "MiB-peak-heap")
}

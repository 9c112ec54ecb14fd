package pii

import (
	"bytes"
	"strings"
	"testing"
)

// cleanJSON is about n bytes of tool results in which nothing personal stands.
func cleanJSON(n int) []byte {
	const item = `{"id":814768281,"node_id":"MDU6SXNzdWUx","title":"parser fails on nested arrays","state":"open","comments":7,` +
		`"labels":["bug","needs triage"],"html_url":"https://code.example.com/acme/widget/issues/1347","created_at":"2026-03-08T12:48:44Z",` +
		`"sha":"9c1185a5c5e9fc54612808977ee8f548b2258d31","path":"internal/parser/array.go","size":20418,"score":0.731,"draft":false,` +
		`"trace_id":"8117766da5cfb8632539ddcdaa392e33","body":"the reader returns early when two brackets follow each other, see the log below"}`
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for b.Len() < n {
		if b.Len() > 12 {
			b.WriteByte(',')
		}
		b.WriteString(item)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func benchScan(b *testing.B, cfg Config, text []byte) {
	b.Helper()
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	s.ScanJSON(text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		s.ScanJSON(text)
	}
	b.ReportMetric(float64(len(text))*float64(b.N)/(cpuTime()-start).Seconds()/1e6, "cpuMB/s")
}

// BenchmarkJSON64K is 64 KiB of clean tool results.
func BenchmarkJSON64K(b *testing.B) {
	text := cleanJSON(64 << 10)
	b.Run("secrets", func(b *testing.B) { benchScan(b, Config{Types: []Type{Secret}}, text) })
	b.Run("all-but-names", func(b *testing.B) { benchScan(b, Config{Types: allButNames()}, text) })
	b.Run("all", func(b *testing.B) { benchScan(b, Config{All: true}, text) })
}

// BenchmarkJSON10K is the 10 KB message of the latency target.
func BenchmarkJSON10K(b *testing.B) { benchScan(b, Config{All: true}, cleanJSON(10<<10)) }

// BenchmarkProse is running text, where names are tagged.
func BenchmarkProse(b *testing.B) {
	text := []byte(strings.Repeat("Yesterday the committee met in the old town hall and Maria Lindqvist of Northwind Ltd explained why the bridge in Lisbon will open later than planned. ", 400))
	benchScan(b, Config{All: true}, text)
}

func allButNames() (out []Type) {
	for _, t := range allTypes {
		if bitOf(t)&proseBits == 0 {
			out = append(out, t)
		}
	}
	return out
}

// BenchmarkFloor is one table lookup per byte: what any scanner that looks at every
// byte costs at least on this machine. Figures of the scanner are read as ratios to
// it, because they vary with the machine's load.
func BenchmarkFloor(b *testing.B) {
	text := cleanJSON(64 << 10)
	b.SetBytes(int64(len(text)))
	start := cpuTime()
	for b.Loop() {
		floorSum += lookups(text)
	}
	b.ReportMetric(float64(len(text))*float64(b.N)/(cpuTime()-start).Seconds()/1e6, "cpuMB/s")
}

var floorSum uint8

// lookups is a function of its own so that its sum stays in a register.
//
//go:noinline
func lookups(text []byte) (sum uint8) {
	for _, c := range text {
		sum += class[c]
	}
	return sum
}

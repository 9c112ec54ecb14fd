package protect

import (
	"bytes"
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// records is about size bytes of lines of name=value as a log or a report has
// them, with an address, a card or a telephone number in three of sixteen.
func records(size int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "record %06d state=closed total=%d.%02d note=the quick brown fox jumps over the lazy dog", i, i*7%900, i%100)
		switch i % 16 {
		case 3:
			fmt.Fprintf(&b, " mail=person%d@example.com", i)
		case 9:
			b.WriteString(" card=4111 1111 1111 1111")
		case 13:
			b.WriteString(" phone=+1-202-555-0143")
		}
		b.WriteByte('\n')
	}
	return result(`"content":[{"type":"text","text":` + string(wire.Quote(b.String())) + `}]`)
}

// BenchmarkRecords walks answers of text that every profile but secrets-only
// changes in a hundred places and more.
func BenchmarkRecords(b *testing.B) {
	for _, profile := range []string{"secrets-only", "gdpr-minimal", "hipaa-safe-harbor"} {
		for _, size := range []int{300, 4 << 10, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", profile, size), func(b *testing.B) {
				w := newWorld(b, privacy.Config{Profile: profile}, "token", "clear")
				x := w.call(b, `{}`)
				m := parse(b, records(size), wire.FromServer)
				b.SetBytes(int64(len(m.Raw())))
				b.ReportAllocs()
				start := cpuTime()
				for b.Loop() {
					x.Message = m
					if err := w.Answer(b.Context(), x); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "cpu-us/op")
			})
		}
	}
}

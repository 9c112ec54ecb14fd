package protect

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// cleanResult is a result of about size bytes with nothing in it to hide: rows
// as a database server answers them, as structure and as text.
func cleanResult(size int, twin bool) string {
	var rows []string
	if twin {
		size /= 2
	}
	for n, i := 0, 0; n < size; i++ {
		row := fmt.Sprintf(`{"id":%d,"sku":"A-%05d","title":"Steel bracket, %d mm","state":"open","price":%d.90,"updated":"2026-11-%02dT10:%02d:00Z","uuid":"0199c0de-%04x-7000-8000-%012x"}`,
			i, i*7, i%90+10, i%400, i%28+1, i%60, i%65536, i*7919)
		rows = append(rows, row)
		n += len(row) + 1
	}
	list := `{"rows":[` + strings.Join(rows, ",") + `]}`
	quoted := []byte(`"see the structure"`)
	if twin {
		quoted = wire.Quote(list)
	}
	return result(`"content":[{"type":"text","text":` + string(quoted) + `}],"structuredContent":` + list)
}

// BenchmarkProtect walks answers without findings, which nearly all are.
func BenchmarkProtect(b *testing.B) {
	for _, profile := range []string{"secrets-only", "gdpr-minimal", "hipaa-safe-harbor"} {
		for _, size := range []int{300, 4 << 10, 64 << 10, 64<<10 + 1, 1 << 20} {
			twin := size%2 == 1 // the same once more as text, as most servers answer
			b.Run(fmt.Sprintf("%s/%d", profile, size), func(b *testing.B) {
				w := newWorld(b, privacy.Config{Profile: profile}, "token", "clear")
				x := w.call(b, `{}`)
				m := parse(b, cleanResult(size, twin), wire.FromServer)
				b.SetBytes(int64(len(m.Raw())))
				b.ReportAllocs()
				start := cpuTime()
				for b.Loop() {
					x.Message = m
					if err := w.Answer(b.Context(), x); err != nil || x.Message != m {
						b.Fatalf("%v: it is not clean: %+v", err, x.Privacy)
					}
				}
				b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "cpu-us/op")
			})
		}
	}
}

package pii

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

// BenchmarkRecords64K is 64 KiB of text in lines of name=value, where every sign
// of equality could give a secret away: the slowest of clean texts.
func BenchmarkRecords64K(b *testing.B) {
	var t bytes.Buffer
	for i := 0; t.Len() < 64<<10; i++ {
		fmt.Fprintf(&t, "record %06d state=closed total=%d.%02d note=the quick brown fox jumps over the lazy dog\n", i, i*7%900, i%100)
	}
	text, _ := json.Marshal(map[string]string{"text": t.String()})
	benchScan(b, Config{Types: []Type{Secret}}, text)
}

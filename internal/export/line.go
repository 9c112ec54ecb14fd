package export

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// AppendLine appends the entry as one line of entries.jsonl, with its newline.
// Every byte of it follows from the leaf, the part and the key: what stands in
// front for readers cannot say anything else than the leaf does.
func AppendLine(b []byte, e Entry) ([]byte, error) {
	b = strconv.AppendUint(append(b, `{"index":`...), e.Index, 10)
	b = appendFacts(b, e.Leaf)
	b = base64.StdEncoding.AppendEncode(append(b, `,"leaf":"`...), e.Leaf)
	if e.Part == nil {
		return append(b, "\",\"part\":null}\n"...), nil
	}
	if !json.Valid(e.Part) || e.Part[0] != '{' || bytes.ContainsAny(e.Part, "\r\n") {
		return nil, fmt.Errorf("the part of entry %d is no JSON object on one line", e.Index)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `","key":"`...), e.Key[:])
	b = append(append(b, `","part":`...), e.Part...)
	return append(b, '}', '\n'), nil
}

// appendFacts appends what a reader wants to see of a leaf. A leaf that is not
// what ours are has none: the verifier refuses it by itself.
func appendFacts(b, leaf []byte) []byte {
	var f struct {
		Time     *int64          `json:"t"`
		Kind     json.RawMessage `json:"kind"`
		Exchange json.RawMessage `json:"x"`
		Server   json.RawMessage `json:"srv"`
		Decision json.RawMessage `json:"dec"`
	}
	if json.Unmarshal(leaf, &f) != nil || f.Time == nil {
		return b
	}
	b = time.UnixMilli(*f.Time).UTC().AppendFormat(append(b, `,"time":"`...), "2006-01-02T15:04:05.000Z")
	b = append(b, '"')
	for _, m := range []struct {
		name string
		raw  json.RawMessage
	}{{"kind", f.Kind}, {"exchange", f.Exchange}, {"server", f.Server}, {"decision", f.Decision}} {
		if m.raw != nil {
			b = append(append(append(append(b, ',', '"'), m.name...), '"', ':'), m.raw...)
		}
	}
	return b
}

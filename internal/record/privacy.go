package record

import "ostiary.dev/ostiary/internal/exchange"

// privacyPart is what the log keeps of what protect did: counts by kind, and
// never a value, a digest of one or where it stood.
type privacyPart struct {
	Profile  string         `json:"profile"`
	Found    []privacyCount `json:"found,omitempty"`
	Fields   int            `json:"fields,omitempty"`
	Rows     int            `json:"rows,omitempty"`
	Blocks   int            `json:"blocks,omitempty"`
	Bytes    int            `json:"bytes,omitempty"`
	Restored int            `json:"restored,omitempty"`
	Unknown  int            `json:"unknown_tokens,omitempty"`
	Shadow   bool           `json:"shadow,omitempty"`
	Degraded bool           `json:"degraded,omitempty"`
}

type privacyCount struct {
	Toward string `json:"toward"`
	Type   string `json:"type"`
	Action string `json:"action"`
	Count  int    `json:"n"`
}

// privacyOf returns what there is to say, nil when nothing was found, withheld
// or restored.
func privacyOf(p *exchange.Privacy) any {
	if len(p.Counts) == 0 && p.Fields+p.Rows+p.Blocks+p.Bytes+p.Restored+p.Unknown == 0 && !p.Degraded {
		return nil
	}
	out := privacyPart{Profile: p.Profile, Fields: p.Fields, Rows: p.Rows, Blocks: p.Blocks, Bytes: p.Bytes,
		Restored: p.Restored, Unknown: p.Unknown, Shadow: p.Shadow, Degraded: p.Degraded}
	for _, c := range p.Counts {
		out.Found = append(out.Found, privacyCount(c))
	}
	return out
}

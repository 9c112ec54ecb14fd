package protect

import (
	"strings"

	"ostiary.dev/ostiary/internal/privacy"
)

// Line returns a line that somebody else wrote as it may stand in the gateway's
// own log: whatever the profile looks for is hidden, without a pseudonym, for a
// log's readers are not known. A line that cannot be examined is not shown.
func Line(p *privacy.Profile, text string) (out string) {
	defer func() {
		if recover() != nil {
			out = "[a line that could not be examined]"
		}
	}()
	var b strings.Builder
	last := 0
	for _, s := range p.Scanner().Scan([]byte(text)) {
		if s.Start < last {
			continue
		}
		b.WriteString(text[last:s.Start])
		b.WriteString("[" + string(s.Type) + "]")
		last = s.End
	}
	if last == 0 {
		return text
	}
	b.WriteString(text[last:])
	return b.String()
}

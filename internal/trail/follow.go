package trail

import (
	"slices"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Follow yields what is added to logs: a call when it has ended, a refusal, and
// every other entry. It is not safe for concurrent use.
type Follow struct {
	reader Reader // filters and names
	at     map[auditlog.Name]uint64
}

// NewFollow begins at the present end of logs.
func NewFollow(logs []Log, q Query, names Names) *Follow {
	f := &Follow{reader: *New(nil, q, names), at: map[auditlog.Name]uint64{}}
	for _, l := range logs {
		f.at[l.Name()] = l.Size()
	}
	return f
}

// Poll returns at most most lines that came since, log by log, and oldest first
// in each. A log that is new begins with its first entry.
func (f *Follow) Poll(logs []Log, most int) ([]Line, error) {
	var out []Line
	for _, l := range logs {
		from, to := f.at[l.Name()], l.Size()
		for from < to && len(out) < most {
			end := min(from+step, to)
			all, err := span{log: l}.read(from, end)
			if err != nil {
				return nil, err
			}
			for _, e := range all {
				if e.opens() || !f.reader.likely(e) {
					continue
				}
				line, fits, err := f.reader.line(e)
				if err != nil {
					return nil, err
				}
				if fits {
					out = append(out, line)
				}
			}
			from = end
		}
		f.at[l.Name()] = from
	}
	slices.SortStableFunc(out, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return out, nil
}

package pii

// Of findings that overlap one stays.

// bySpan orders by start, then the longer first.
func bySpan(a, b Span) int {
	if a.Start != b.Start {
		return a.Start - b.Start
	}
	return b.End - a.End
}

// stronger reports whether a displaces b where they overlap.
func stronger(a, b Span) bool {
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra > rb
	}
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return a.End-a.Start > b.End-b.Start
}

func rank(s Span) int {
	switch s.Type {
	case Secret:
		return 3
	case URL, Person, Organization, Location, NRP, Age, Title:
		return 0
	}
	if s.Score >= 0.8 {
		return 2
	}
	return 1
}

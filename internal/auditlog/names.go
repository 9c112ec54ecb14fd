package auditlog

import (
	"strconv"
	"strings"
)

// A gateway that was restored from a backup goes on in new logs, named after
// the time of the restore, and never appends to one of before: the old gateway
// may have gone on after the backup, and two histories under one name would be
// a fork (docs/decisions/0013-restore.md). "control" is followed by
// "control/r1795910259", "calls/2026" by "calls/2026r1795910259".

// ControlName returns the name of the control log of a gateway that was
// restored at that Unix second; 0: never.
func ControlName(restored int64) Name {
	if restored == 0 {
		return Control
	}
	return Control + "/r" + Name(strconv.FormatInt(restored, 10))
}

// CallsName returns the name of the calls log of a UTC year.
func CallsName(year int, restored int64) Name {
	n := Name("calls/" + strconv.Itoa(year))
	if restored != 0 {
		n += "r" + Name(strconv.FormatInt(restored, 10))
	}
	return n
}

// IsControl reports whether n names a control log.
func (n Name) IsControl() bool {
	return n == Control || strings.HasPrefix(string(n), string(Control)+"/r")
}

// Restored returns the Unix second of the restore after which the log began; 0:
// the gateway's first ones.
func (n Name) Restored() int64 {
	_, tail, ok := strings.Cut(string(n), "/")
	if !ok {
		return 0
	}
	_, tail, ok = strings.Cut(tail, "r")
	if !ok {
		return 0
	}
	at, err := strconv.ParseInt(tail, 10, 64)
	if err != nil || at < 0 {
		return 0
	}
	return at
}

// before reports whether n is a calls log that was closed when o was begun.
func (n Name) before(o Name) bool {
	if n.Restored() != o.Restored() {
		return n.Restored() < o.Restored()
	}
	return n.year() < o.year()
}

// year returns the year of a calls log, 0 for any other name.
func (n Name) year() int {
	digits, ok := strings.CutPrefix(string(n), "calls/")
	if !ok || len(digits) < 4 || digits[0] < '1' || digits[0] > '9' {
		return 0
	}
	y, err := strconv.Atoi(digits[:4])
	if err != nil {
		return 0
	}
	return y
}

// valid reports whether n is the one form of a log's name.
func (n Name) valid() bool {
	at := n.Restored()
	return n == ControlName(at) || n.year() > 0 && n == CallsName(n.year(), at)
}

package auditlog

import "testing"

func TestNamesAfterARestore(t *testing.T) {
	for _, one := range []struct {
		name           Name
		want           string
		restored       int64
		control, calls bool
	}{
		{ControlName(0), "control", 0, true, false},
		{ControlName(1795910259), "control/r1795910259", 1795910259, true, false},
		{CallsName(2026, 0), "calls/2026", 0, false, true},
		{CallsName(2026, 1795910259), "calls/2026r1795910259", 1795910259, false, true},
		{"controls", "controls", 0, false, false},
		{"calls/2026r-5", "calls/2026r-5", 0, false, true},
		{"calls/2026rx", "calls/2026rx", 0, false, true},
	} {
		if string(one.name) != one.want || one.name.Restored() != one.restored || one.name.IsControl() != one.control || one.name.IsCalls() != one.calls {
			t.Errorf("%q: restored %d, control %t, calls %t", one.name, one.name.Restored(), one.name.IsControl(), one.name.IsCalls())
		}
	}
	if !kindsOf(ControlName(5))[BackupRestored] || kindsOf(CallsName(2026, 5))[BackupRestored] || !kindsOf(CallsName(2026, 5))[CallDecided] {
		t.Error("kinds of the logs of a restored gateway")
	}
}

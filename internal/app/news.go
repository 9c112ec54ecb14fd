package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

// checkLog is the check that says whether calls can be recorded.
const checkLog = "log"

// mostNews bounds the acts that wait to be recorded.
const mostNews = 256

// news keeps what the logs and health say about themselves, which must not
// block, until it can be recorded: while the log cannot be written, that is
// later.
type news struct {
	clock func() time.Time

	mu     sync.Mutex
	acts   []auditlog.Act
	failed map[auditlog.Name]failure // logs that cannot be written now
}

// failure is the time in which a log could not be written.
type failure struct {
	since time.Time
	why   string
}

func newNews(now func() time.Time) *news {
	return &news{clock: now, failed: map[auditlog.Name]failure{}}
}

func (n *news) add(acts ...auditlog.Act) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.put(acts...)
}

func (n *news) put(acts ...auditlog.Act) {
	if room := mostNews - len(n.acts); len(acts) > room {
		acts = acts[:max(0, room)]
	}
	n.acts = append(n.acts, acts...)
}

// stepped notes that the clock went back.
func (n *news) stepped(from, to time.Time) {
	n.add(auditlog.Act{Kind: auditlog.SystemClockStepped, Action: "clock.step", Change: map[string]string{
		"before": from.UTC().Format(time.RFC3339Nano), "after": to.UTC().Format(time.RFC3339Nano)}})
}

// changed notes that a log can no longer be written, or can again.
func (n *news) changed(log auditlog.Name, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was, failing := n.failed[log]
	switch {
	case err != nil && !failing:
		n.failed[log] = failure{n.clock(), clip(err.Error())}
	case err == nil && failing:
		delete(n.failed, log)
		n.put(auditlog.Act{Kind: auditlog.SystemAppendFailed, Action: "log.append", Subject: string(log), Reason: was.why,
			Change: map[string]string{"from": was.since.UTC().Format(time.RFC3339Nano), "to": n.clock().UTC().Format(time.RFC3339Nano)}},
			auditlog.Act{Kind: auditlog.SystemRecovered, Action: "log.append", Subject: string(log)})
	}
}

// failing returns why a log cannot be written, or "".
func (n *news) failing() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for log, f := range n.failed {
		return fmt.Sprintf("%s since %s: %s", log, f.since.UTC().Format(time.RFC3339), f.why)
	}
	return ""
}

// take returns what waits.
func (n *news) take() []auditlog.Act {
	n.mu.Lock()
	defer n.mu.Unlock()
	acts := n.acts
	n.acts = nil
	return acts
}

// tell records what waits; what cannot be recorded now waits on.
func (a *App) tell() error {
	acts := a.news.take()
	if len(acts) == 0 {
		return nil
	}
	err := a.record.Act(acts...)
	if err != nil {
		a.news.mu.Lock()
		a.news.acts = append(acts, a.news.acts...)
		a.news.mu.Unlock()
	}
	return err
}

// behind is how many entries may wait before health says so.
const behind = 16 << 10

// logHealth says whether calls can be recorded.
func (a *App) logHealth() (state, detail string) {
	s := a.book.Stats()
	if why := a.news.failing(); why != "" {
		return stateFail, "calls are refused: the log is closed, " + why
	}
	if s.Failed != nil {
		return stateFail, "calls are refused: the log is closed: " + s.Failed.Error()
	}
	if err := a.reserve.Healthy(); err != nil {
		return stateFail, "calls are refused: " + err.Error()
	}
	if owed := a.record.Owed(); owed > 0 {
		return stateDegraded, fmt.Sprintf("%d outcomes wait to be written", owed)
	}
	if s.Queued > behind {
		return stateDegraded, fmt.Sprintf("behind: %d entries wait", s.Queued)
	}
	return stateOK, ""
}

// readiness notes in the control log when the gateway's readiness gets worse or
// good again, at most once a minute: a check that flickers must not fill a log
// that is never dropped.
type readiness struct {
	state string
	at    time.Time
}

func (a *App) noteReadiness(r *readiness) {
	now := a.clock.Now()
	checks := a.health.Checks()
	state := worst(checks)
	if state == r.state || now.Sub(r.at) < time.Minute {
		return
	}
	was := r.state
	r.state, r.at = state, now
	if state == stateOK {
		if was != "" {
			a.news.add(auditlog.Act{Kind: auditlog.SystemRecovered, Action: "health"})
		}
		return
	}
	bad := map[string]string{}
	for _, c := range checks {
		if c.State != stateOK {
			bad[c.Name] = c.State
		}
	}
	a.news.add(auditlog.Act{Kind: auditlog.SystemDegraded, Action: "health", Change: bad})
}

// checkHistory is the check of what the logs hold from their beginning.
const checkHistory = "log history"

// sweepLog verifies the logs slowly, round after round, while the gateway
// serves.
func (a *App) sweepLog(ctx context.Context) {
	told := map[auditlog.Name]bool{}
	a.book.Sweep(ctx, auditlog.Sweep{
		Found: func(b *auditlog.Broken) {
			a.health.Set(checkHistory, stateFail, b.Error())
			if told[b.Log] {
				return
			}
			told[b.Log] = true
			a.logError("the log was changed by somebody else; keep the data directory as it is and look with: ostiary audit verify", b)
			a.news.add(auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "log.sweep", Subject: string(b.Log), Reason: clip(b.Error())})
		},
		Failed: func(err error) { a.logError("read the log to verify it", err) },
		Round: func() {
			if len(told) == 0 {
				a.health.Set(checkHistory, stateOK, "")
			}
		},
	})
}

package authorize

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// durable is from which length on a window survives a restart.
const durable = time.Hour

// Limits counts what calls use, against the limits of the registry. It is the
// one place that does (docs/limits.md); how fast requests may come at all is
// admit's business.
type Limits struct {
	windows *quota.Windows
	slots   *quota.Slots
	fair    *quota.Shares
	now     func() time.Time
	list    atomic.Pointer[limitList]
}

// limitList is the limits of one view, those of single agents first: a call that
// one of them refuses must not use up what all share
// (TestRefusedCallsDoNotUseWhatIsShared).
type limitList struct {
	view *registry.Snapshot
	all  []namedLimit
}

type namedLimit struct {
	id string
	*registry.Limit
}

// NewLimits returns counters. places is how many calls one server takes at once.
func NewLimits(lease quota.Lease, places int, now func() time.Time) *Limits {
	return &Limits{windows: quota.NewWindows(lease, durable), slots: quota.NewSlots(0), fair: quota.NewShares(places), now: now}
}

// Unused returns what was leased of long windows and not used.
func (l *Limits) Unused() map[string]quota.Left { return l.windows.Unused() }

// counted reports whether x is a call that limits are about.
func counted(x *exchange.Exchange) bool {
	if x.Request == nil || x.Verb != exchange.Post || x.Request.Kind() != wire.Request {
		return false
	}
	m := x.Request.Method()
	return m == "tools/call" || m == "resources/read" || m == "prompts/get"
}

// take counts the call or refuses it. What it holds is given back when the
// exchange is over.
func (l *Limits) take(x *exchange.Exchange) error {
	if l == nil || !counted(x) {
		return nil
	}
	agent, server := x.Principal.Pseudonym, x.Endpoint
	if agent == "" {
		agent = x.Principal.ID
	}
	if err := l.fair.Take(server, agent); err != nil {
		return err
	}
	x.Release = append(x.Release, func() { l.fair.Give(server, agent) })
	tool := ""
	if x.Tool != nil {
		tool = x.Tool.Name
	}
	var mine []namedLimit
	weight := int64(0)
	for _, one := range l.of(x.View) {
		if one.Matches(agent, server, tool) {
			mine, weight = append(mine, one), max(weight, one.Weight)
		}
	}
	for _, one := range mine {
		if err := l.one(x, one, agent, max(1, weight)); err != nil {
			return err
		}
	}
	return nil
}

// one counts the call against one limit.
func (l *Limits) one(x *exchange.Exchange, limit namedLimit, agent string, weight int64) error {
	key := limit.id + "|" + agent
	if limit.Shared {
		key = limit.id + "|"
	}
	if limit.InFlight > 0 {
		if err := l.slots.TakeUpTo(key, limit.InFlight); err != nil {
			return err
		}
		x.Release = append(x.Release, func() { l.slots.Give(key) })
	}
	bytes := bound(limit.Bytes)
	for _, part := range []struct {
		what  string
		bound quota.Bound
		n     int64
	}{{"|calls", bound(limit.Calls), 1}, {"|cost", bound(limit.Cost), weight}, {"|bytes", bytes, int64(len(x.Request.Raw()))}} {
		wait, err := l.windows.Take(key+part.what, part.bound, part.n, x.Start)
		if err != nil {
			f := fault.As(err)
			f.Retry = int((wait + time.Second - 1) / time.Second)
			return f
		}
	}
	if bytes.Limit > 0 {
		x.Release = append(x.Release, func() {
			// What cannot be written down is counted here; the next call is
			// refused for as long as the store cannot be written.
			_ = l.windows.Add(key+"|bytes", bytes, int64(x.BytesOut), l.now())
		})
	}
	return nil
}

func bound(a registry.Amount) quota.Bound { return quota.Bound{Limit: a.Limit, Window: a.Window} }

// of returns the limits of a view, made once for each.
func (l *Limits) of(view *registry.Snapshot) []namedLimit {
	if known := l.list.Load(); known != nil && known.view == view {
		return known.all
	}
	next := &limitList{view: view}
	registry.All(view, registry.KindLimit, func(n *registry.Noun, v *registry.Limit) {
		next.all = append(next.all, namedLimit{n.ID, v})
	})
	slices.SortFunc(next.all, func(a, b namedLimit) int {
		if a.Shared != b.Shared {
			if a.Shared {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.id, b.id)
	})
	l.list.Store(next)
	return next.all
}

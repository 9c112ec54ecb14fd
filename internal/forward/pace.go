package forward

import (
	"ostiary.dev/ostiary/internal/clock"
)

// pace lets through a bounded number of notifications a second from one
// stream; the rest is dropped, so that a flood reaches nobody (M11, M15, U13).
type pace struct {
	perSecond int
	clock     clock.Clock
	second    int64
	seen      int
	dropped   int
}

func newPace(perSecond int, c clock.Clock) *pace { return &pace{perSecond: perSecond, clock: c} }

func (p *pace) allow() bool {
	if s := p.clock.Now().Unix(); s != p.second {
		p.second, p.seen = s, 0
	}
	if p.seen++; p.seen > p.perSecond {
		p.dropped++
		return false
	}
	return true
}

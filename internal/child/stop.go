package child

import "time"

// Stop ends the child and its group: it closes stdin, sends SIGTERM, and
// SIGKILL when Grace has passed; it returns when the process is reaped and
// every goroutine of it has ended. Descendants that hold the pipes open do not
// delay it. It may be called more than once, by several goroutines.
func (p *Process) Stop() {
	p.mu.Lock()
	if !p.wanted {
		p.wanted = true
		close(p.stopped)
	}
	p.mu.Unlock()
	p.terminate()
	p.owned.Wait()
}

// fail ends the group for a failure of the child.
func (p *Process) fail(cause error) {
	p.mu.Lock()
	if p.cause == nil && !p.wanted && !p.reaped {
		p.cause = cause
	}
	p.mu.Unlock()
	p.terminate()
}

// terminate asks the group to end, once, and sees to it that it does.
func (p *Process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending || p.reaped {
		return
	}
	p.ending = true
	p.group.terminate(p.pid)
	p.owned.Go(p.insist)
}

// insist closes stdin and kills what is left of the group after Grace.
func (p *Process) insist() {
	_ = p.stdin.Close() // an orderly child ends by itself now
	timer := time.NewTimer(p.spec.Grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.group.kill(p.pid)
	}
}

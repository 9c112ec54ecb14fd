package admin

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
)

// Resealer seals stored values anew under the current version of a key.
// store/sealed is one.
type Resealer interface {
	Reseal(ctx context.Context, p keys.Purpose, progress func(done, total int)) error
}

// ResealKey begins to seal what is stored under a key anew, or, with Job, asks
// how far that has come.
type ResealKey struct {
	Name string `json:"name,omitempty"` // a purpose
	Job  string `json:"job,omitempty"`
}

// Resealed is how far it has come.
type Resealed struct {
	Job      string `json:"job"`
	Done     int    `json:"done"`
	Total    int    `json:"total"`
	Finished bool   `json:"finished"`
}

// reseals holds the work under way: one at a time. It goes on when nobody asks
// any more, and ends with Admin; what was done by then stays done.
type reseals struct {
	mu   sync.Mutex
	view Resealed
	err  error
	stop context.CancelFunc // nil: nothing was begun
	over chan struct{}
}

// ResealKey answers within a second, so that the operator sees progress.
func (o *operator) ResealKey(ctx context.Context, r ResealKey) (Resealed, error) {
	over, err := o.reseal(r)
	if err != nil {
		return Resealed{}, err
	}
	wait := time.NewTimer(500 * time.Millisecond)
	defer wait.Stop()
	select {
	case <-over:
	case <-wait.C:
	case <-ctx.Done():
	}
	o.reseals.mu.Lock()
	defer o.reseals.mu.Unlock()
	return o.reseals.view, asError("sealing anew", o.reseals.err)
}

// reseal begins the work unless r only asks, and returns what is closed at its
// end.
func (o *operator) reseal(r ResealKey) (<-chan struct{}, error) {
	all := &o.reseals
	all.mu.Lock()
	defer all.mu.Unlock()
	if r.Job != "" {
		if r.Job != all.view.Job {
			return nil, &Error{Code: NotFound, Message: "that work has ended", Fix: "begin again"}
		}
		return all.over, nil
	}
	if all.stop != nil && !all.view.Finished {
		return nil, &Error{Code: Unavailable, Message: "something is being sealed anew already", Fix: "wait for it"}
	}
	with, ok := o.cfg.Store.(Resealer)
	p := keys.Purpose(r.Name)
	if !ok || p != keys.Rows && p != keys.UpstreamCredentials && p != keys.Pseudonyms {
		return nil, invalid("leave --reseal out: old values open as long as the old key is not destroyed",
			"values of %s cannot be sealed anew", r.Name)
	}
	if err := o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.AdminChanged, Action: "key.reseal", By: o.by, Subject: r.Name}); err != nil {
		return nil, asError("sealing anew", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	all.view, all.err, all.stop, all.over = Resealed{Job: uuid.NewString()}, nil, stop, make(chan struct{})
	go all.run(ctx, func(progress func(done, total int)) error {
		if err := with.Reseal(ctx, p, progress); err != nil {
			return err
		}
		o.forget()
		return o.Refresh() // the old key may be destroyed next: nobody may need it
	})
	return all.over, nil
}

func (all *reseals) run(ctx context.Context, do func(progress func(done, total int)) error) {
	defer close(all.over)
	err := do(func(done, total int) {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.view.Done, all.view.Total = done, total
	})
	all.mu.Lock()
	defer all.mu.Unlock()
	all.stop()
	all.view.Finished, all.err = true, err
	if ctx.Err() == nil && err == nil {
		all.view.Done = all.view.Total
	}
}

// end stops the work and waits for it.
func (all *reseals) end() {
	all.mu.Lock()
	stop, over := all.stop, all.over
	all.mu.Unlock()
	if stop != nil {
		stop()
		<-over
	}
}

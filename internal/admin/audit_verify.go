package admin

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/auditlog"
)

// jobExpiry is how long a verification goes on without anybody who asks.
const jobExpiry = 30 * time.Second

// job is one verification under way. Its goroutine ends with the work, with
// Admin, or when nobody asks any more.
type job struct {
	by   string
	end  context.CancelFunc
	over chan struct{} // closed at the end

	mu    sync.Mutex
	view  AuditVerified
	err   error
	asked time.Time
}

// jobs holds the verification under way: one, since each reads everything.
type jobs struct {
	mu  sync.Mutex
	now *job
}

// errNobody ends a verification that nobody asks about.
var errNobody = errors.New("nobody waits for the verification")

// errFull ends a page.
var errFull = errors.New("the page is full")

// AuditVerify begins a verification, or tells how far one has come. It answers
// within a second, so that the operator sees progress.
func (o *operator) AuditVerify(ctx context.Context, r AuditVerify) (AuditVerified, error) {
	if o.cfg.Book == nil {
		return AuditVerified{}, noBook()
	}
	j, err := o.job(r)
	if err != nil {
		return AuditVerified{}, err
	}
	wait := time.NewTimer(500 * time.Millisecond)
	defer wait.Stop()
	select {
	case <-j.over:
	case <-wait.C:
	case <-ctx.Done():
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.view
	v.Logs = append([]AuditState{}, v.Logs...)
	return v, asError("the verification", j.err)
}

func (o *operator) job(r AuditVerify) (*job, error) {
	o.jobs.mu.Lock()
	defer o.jobs.mu.Unlock()
	now := o.cfg.Clock.Now()
	if r.Job != "" {
		j := o.jobs.now
		if j == nil || j.view.Job != r.Job || j.by != o.by {
			return nil, &Error{Code: NotFound, Message: "this verification has ended", Fix: "begin again"}
		}
		j.mu.Lock()
		j.asked = now
		j.mu.Unlock()
		return j, nil
	}
	if j := o.jobs.now; j != nil {
		select {
		case <-j.over:
		default:
			return nil, &Error{Code: Unavailable, Message: "another verification is under way", Fix: "wait for it"}
		}
	}
	logs, err := o.toVerify(r.Log)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	j := &job{by: o.by, end: end, over: make(chan struct{}), asked: now, view: AuditVerified{Job: uuid.NewString(), Logs: []AuditState{}}}
	o.jobs.now = j
	go o.verify(ctx, j, logs)
	return j, nil
}

func (o *operator) toVerify(name string) ([]*auditlog.Log, error) {
	if name != "" {
		l, err := o.log(name)
		return []*auditlog.Log{l}, err
	}
	var all []*auditlog.Log
	for _, info := range o.cfg.Book.Logs() {
		l, err := o.log(string(info.Name))
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func (o *operator) verify(ctx context.Context, j *job, logs []*auditlog.Log) {
	defer close(j.over)
	defer j.end()
	for _, l := range logs {
		err := l.Verify(ctx, func(done, total uint64) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.view.Log, j.view.Done, j.view.Total = string(l.Name()), done, total
			if o.cfg.Clock.Now().Sub(j.asked) > jobExpiry {
				j.end()
			}
		})
		state, err := StateOf(string(l.Name()), l.Size(), err)
		j.mu.Lock()
		if err != nil {
			j.err = err
			j.view.Finished = true
			j.mu.Unlock()
			return
		}
		j.view.Logs = append(j.view.Logs, state)
		j.mu.Unlock()
	}
	j.mu.Lock()
	j.view.Finished = true
	j.mu.Unlock()
}

// StateOf turns the end of a verification into an outcome; an error is one
// that says nothing of the log.
func StateOf(log string, size uint64, err error) (AuditState, error) {
	var broken *auditlog.Broken
	switch {
	case errors.As(err, &broken):
		return AuditState{Log: log, Size: size, State: "broken", Bad: &broken.Index, Why: broken.Why}, nil
	case errors.Is(err, context.Canceled):
		return AuditState{}, errNobody
	case err != nil:
		return AuditState{}, err
	}
	return AuditState{Log: log, Size: size, State: "ok"}, nil
}

// Close ends what works for operators in the background.
func (a *Admin) Close() {
	a.backups.end()
	a.reseals.end()
	a.jobs.mu.Lock()
	j := a.jobs.now
	a.jobs.mu.Unlock()
	if j != nil {
		j.end()
		<-j.over
	}
}

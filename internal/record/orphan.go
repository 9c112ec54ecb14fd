package record

import (
	"context"
	"encoding/json"
	"fmt"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/fault"
)

// unknown is the outcome of a call that the gateway did not live to see.
const unknown = "unknown"

// Reconcile gives every call that was decided and never ended its one
// call.outcome_unknown, and returns how many there were. It runs before any
// call is served: whoever repeats a write can see that it may have happened.
func (s *Step) Reconcile() (int, error) {
	var tickets []*auditlog.Ticket
	err := s.c.Book.OpenCalls(func(_ auditlog.Name, r auditlog.Record) error {
		e, err := orphan(r)
		if err != nil {
			return err
		}
		e.Time = s.c.Clock.Now()
		tickets = append(tickets, s.c.Book.Submit(e))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("end calls without an outcome: %w", err)
	}
	for _, t := range tickets {
		if _, err := t.Wait(context.Background()); err != nil {
			return 0, fault.Wrap(fault.LogUnavailable, err)
		}
	}
	return len(tickets), nil
}

// orphan returns the entry that ends the call of r. It repeats what the opening
// entry says, unless its key is gone.
func orphan(r auditlog.Record) (auditlog.Entry, error) {
	var leaf struct {
		Exchange string `json:"x"`
		Server   string `json:"srv"`
		Decision string `json:"dec"`
		Policy   uint64 `json:"pol"`
	}
	if err := json.Unmarshal(r.Leaf, &leaf); err != nil {
		return auditlog.Entry{}, fmt.Errorf("leaf %d: %w", r.Index, err)
	}
	members := map[string]any{}
	if r.Part != nil {
		var said map[string]json.RawMessage
		if err := json.Unmarshal(r.Part, &said); err != nil {
			return auditlog.Entry{}, fmt.Errorf("part %d: %w", r.Index, err)
		}
		for name, value := range said {
			members[name] = value
		}
	}
	members["kind"], members["exchange"], members["outcome"] = auditlog.CallOutcomeUnknown, leaf.Exchange, unknown
	part, err := json.Marshal(members)
	return auditlog.Entry{Kind: auditlog.CallOutcomeUnknown, Exchange: leaf.Exchange, Decision: leaf.Decision,
		Server: leaf.Server, Policy: leaf.Policy, Part: part}, err
}

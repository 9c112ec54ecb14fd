package admin

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// maxWords bounds the labels, roles and clearances of one row.
const maxWords = 64

// wordForm is what a label, role, zone or purpose is made of: policies compare
// these byte for byte, so nothing that only looks like another is let in.
var wordForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._:/-]{0,63}$`)

// SetServer says what a server holds and where it runs, for policies.
type SetServer struct {
	Change
	ID     string    `json:"id"`
	Labels *[]string `json:"labels,omitempty"` // null = as they are; they replace the earlier ones
	Zone   *string   `json:"zone,omitempty"`
}

// SetTool says what a tool reads beside what its server holds, for policies.
type SetTool struct {
	Change
	Server string    `json:"server"`
	Tool   string    `json:"tool"`
	Labels *[]string `json:"labels,omitempty"` // null = as they are; they replace the earlier ones
}

// labelled is the recorded detail of a change of what policies see.
type labelled struct {
	Labels *[]string `json:"labels,omitempty"`
	Zone   *string   `json:"zone,omitempty"`
}

// SetServer changes what policies see of a server.
func (o *operator) SetServer(_ context.Context, r SetServer) (Done[ServerView], error) {
	var out Done[ServerView]
	if r.Labels == nil && r.Zone == nil {
		return out, invalid("add --label or --zone", "there is nothing to change")
	}
	if err := sound(words{"a label", r.Labels}, words{"the zone", one(r.Zone)}); err != nil {
		return out, err
	}
	var srv registry.Server
	t := &act{kind: "server.set", subject: r.ID, what: "server " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		var err error
		if srv, err = s.Server(r.ID); err != nil {
			return nil, err
		}
		put(&srv.Labels, r.Labels)
		if r.Zone != nil {
			srv.Zone = *r.Zone
		}
		srv.UpdatedAt = o.now()
		if err = s.UpdateServer(srv); err != nil {
			return nil, err
		}
		srv, err = s.Server(r.ID)
		return labelled{r.Labels, r.Zone}, err
	})
	if err != nil {
		return out, err
	}
	return Done[ServerView]{!r.DryRun, viewServer(srv), []string{}}, nil
}

// SetTool changes what policies see of a tool. It approves nothing.
func (o *operator) SetTool(_ context.Context, r SetTool) (Done[ToolView], error) {
	var out Done[ToolView]
	if r.Labels == nil {
		return out, invalid("add --label", "there is nothing to change")
	}
	if err := sound(words{"a label", r.Labels}); err != nil {
		return out, err
	}
	var view ToolView
	t := &act{kind: "tool.set", subject: r.Server + "/" + r.Tool, what: "server " + r.Server, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		srv, err := s.Server(r.Server)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(srv.Tools, func(t registry.Tool) bool { return t.Name == r.Tool })
		if i < 0 {
			return nil, &Error{Code: NotFound, Message: fmt.Sprintf("server %s has no tool %q", r.Server, r.Tool),
				Fix: "see what it has: ostiary tool list " + r.Server}
		}
		srv.Tools = slices.Clone(srv.Tools)
		put(&srv.Tools[i].Labels, r.Labels)
		srv.UpdatedAt = o.now()
		view = viewTool(srv.ID, srv.Tools[i])
		return labelled{Labels: r.Labels}, s.UpdateServer(srv)
	})
	if err != nil {
		return out, err
	}
	return Done[ToolView]{!r.DryRun, view, []string{}}, nil
}

// agentChange is the recorded detail of a change of an agent.
type agentChange struct {
	Receipts  *bool     `json:"receipts,omitempty"`
	Roles     *[]string `json:"roles,omitempty"`
	Clearance *[]string `json:"clearance,omitempty"`
	Zone      *string   `json:"zone,omitempty"`
}

// apply checks a request and changes what it names.
func (r SetAgent) apply(a *registry.Agent) (agentChange, error) {
	if r.Receipts == nil && r.Roles == nil && r.Clearance == nil && r.Zone == nil {
		return agentChange{}, invalid("add --receipts, --role, --clearance or --zone", "there is nothing to change")
	}
	if err := sound(words{"a role", r.Roles}, words{"a clearance", r.Clearance}, words{"the zone", one(r.Zone)}); err != nil {
		return agentChange{}, err
	}
	put(&a.Roles, r.Roles)
	put(&a.Clearance, r.Clearance)
	if r.Zone != nil {
		a.Zone = *r.Zone
	}
	if r.Receipts != nil {
		a.Receipts = *r.Receipts
	}
	return agentChange{r.Receipts, r.Roles, r.Clearance, r.Zone}, nil
}

// words are texts of one kind from a request; nil when they stay as they are.
type words struct {
	what string
	list *[]string
}

// one makes words of a single text, which may be empty.
func one(text *string) *[]string {
	if text == nil || *text == "" {
		return nil
	}
	return &[]string{*text}
}

// sound refuses what is not a word, and too many of them.
func sound(all ...words) error {
	for _, w := range all {
		if w.list == nil {
			continue
		}
		if len(*w.list) > maxWords {
			return invalid("leave some out", "there are more than %d", maxWords)
		}
		for _, word := range *w.list {
			if !wordForm.MatchString(word) {
				return invalid("use lower-case letters, digits and . _ : / -, at most 64, such as secret", "%q cannot be %s", word, w.what)
			}
		}
	}
	return nil
}

// put replaces a list by a sorted copy without doubles.
func put(to *[]string, list *[]string) {
	if list == nil {
		return
	}
	out := slices.Clone(*list)
	slices.Sort(out)
	*to = slices.Compact(out)
}

// purposeOf returns what a grant is for: what is asked for, or what an earlier
// grant of the two says.
func purposeOf(s store.Store, r Grant) string {
	if r.Purpose != nil {
		return *r.Purpose
	}
	old, err := s.Grant(r.Agent, r.Server)
	if err != nil {
		return ""
	}
	return old.Purpose
}

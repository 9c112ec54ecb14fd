package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// ApproveServer examines a submitted server, pins what it finds and opens it to
// agents with a grant. A server that cannot be examined now is approved all
// the same, but none of its tools is known: each counts as modify until a scan
// succeeds.
func (o *operator) ApproveServer(ctx context.Context, r ApproveServer) (Done[ServerView], error) {
	var out Done[ServerView]
	if err := checkApproval(r); err != nil {
		return out, err
	}
	srv, err := o.cfg.Store.Server(r.ID)
	if err != nil {
		return out, asError("server "+r.ID, err)
	}
	next, err := registry.MoveServer(srv, registry.Active)
	if err != nil || srv.State == registry.Suspended {
		return out, wrongState("server "+r.ID, srv.State, "only a submitted server can be approved")
	}
	found, notices := o.probeFor(ctx, srv, r.DryRun)
	if found != nil {
		next.Examined = false // what is found now is what the operator approves
		next, _ = registry.Merge(next, *found)
	}
	more, err := classify(&next, r.ToolAccess)
	if err != nil {
		return out, err
	}
	next.Basis, next.Reason, next.By = string(r.Basis), r.Reason, o.by
	if next.Basis == "" {
		next.Basis = string(ByOperator)
	}
	next.UpdatedAt = o.cfg.Clock.Now().UTC()
	srv, err = o.update(&act{kind: "server.approve", subject: r.ID, what: "server " + r.ID, Change: r.Change}, next)
	if err != nil {
		return out, err
	}
	return Done[ServerView]{!r.DryRun, viewServer(srv), append(notices, more...)}, nil
}

func checkApproval(r ApproveServer) error {
	if r.Reason == "" {
		return invalid("add --reason TEXT", "an approval needs a reason")
	}
	if r.Basis != "" && r.Basis != ByOperator && r.Basis != ByImport {
		return invalid("use operator or import", "%q is not a basis", r.Basis)
	}
	for tool, access := range r.ToolAccess {
		if err := checkAccess(access); err != nil {
			return err
		}
		if err := checkToolName(tool); err != nil {
			return err
		}
	}
	return nil
}

func checkAccess(a registry.Access) error {
	switch a {
	case registry.Read, registry.Write, registry.Modify:
		return nil
	}
	return invalid("use read, write or modify", "%q is not an access", a)
}

func checkToolName(name string) error {
	if name == "" || len(name) > 256 {
		return invalid("", "the name of a tool has 1 to 256 bytes")
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f || r == '�' {
			return invalid("", "the name of a tool cannot hold control characters")
		}
	}
	return nil
}

// probeFor examines srv unless nothing may happen, and says what follows.
func (o *operator) probeFor(ctx context.Context, srv registry.Server, dry bool) (*registry.Examination, []string) {
	if dry {
		return nil, []string{"the server is not contacted in a dry run"}
	}
	found, why := o.examine(ctx, srv)
	if found == nil {
		return nil, []string{
			"the server could not be examined: " + why,
			"until it is, each of its tools counts as modify and changes of them go unseen: ostiary server scan " + srv.ID,
		}
	}
	var notices []string
	for _, f := range found.Findings {
		notices = append(notices, "finding: "+f)
	}
	return found, notices
}

// classify sets the class of tools. A tool that no examination found is noted
// under the operator's word when the server was not examined, and refused
// otherwise: a misspelt name would leave the real tool unclassified.
func classify(srv *registry.Server, classes map[string]registry.Access) ([]string, error) {
	var notices []string
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		i := slices.IndexFunc(srv.Tools, func(t registry.Tool) bool { return t.Name == name })
		switch {
		case i >= 0:
			srv.Tools[i].Access = classes[name]
		case srv.Examined:
			return nil, &Error{Code: NotFound, Message: fmt.Sprintf("server %s has no tool %q", srv.ID, name),
				Fix: "check the name with: ostiary server scan " + srv.ID + " and ostiary tool list " + srv.ID}
		default:
			srv.Tools = append(srv.Tools, registry.Tool{Name: name, Access: classes[name], State: registry.ToolApproved})
			notices = append(notices, fmt.Sprintf("tool %q was noted as %s without having been seen", name, classes[name]))
		}
	}
	for _, t := range srv.Tools {
		if t.Access == "" {
			notices = append(notices, fmt.Sprintf("tool %q is not classified and counts as modify", t.Name))
		}
	}
	return notices, nil
}

// update stores next, whose revision is the one that was read.
func (o *operator) update(t *act, next registry.Server) (registry.Server, error) {
	var stored registry.Server
	err := o.change(t, func(s store.Store) (any, error) {
		if err := s.UpdateServer(next); err != nil {
			return nil, err
		}
		var err error
		stored, err = s.Server(next.ID)
		return pinsOf(stored), err
	})
	return stored, err
}

// pins is the recorded detail of an approval or a scan: which definitions the
// operator let through, by digest.
type pins struct {
	State    registry.State    `json:"state"`
	Basis    string            `json:"basis,omitempty"`
	Examined bool              `json:"examined"`
	Count    int               `json:"count"`           // of tools
	Tools    map[string]string `json:"tools,omitempty"` // name: state, class and digest; the first few
}

// maxPins is how many tools an entry names, so that it stays small; the
// fingerprint of the server covers all of them.
const maxPins = 100

func pinsOf(s registry.Server) pins {
	p := pins{State: s.State, Basis: s.Basis, Examined: s.Examined, Count: len(s.Tools), Tools: map[string]string{}}
	for _, t := range s.Tools[:min(len(s.Tools), maxPins)] {
		v := viewTool(s.ID, t)
		p.Tools[t.Name] = string(v.State) + " " + string(v.Access) + " " + v.Digest
	}
	return p
}

// ScanServer examines a server again. What did not change keeps its approval;
// a changed or new tool cannot be called until it is approved.
func (o *operator) ScanServer(ctx context.Context, r Scan) (Done[ServerView], error) {
	var out Done[ServerView]
	srv, err := o.cfg.Store.Server(r.ID)
	if err != nil {
		return out, asError("server "+r.ID, err)
	}
	if srv.State == registry.Rejected || srv.State == registry.Retired {
		return out, wrongState("server "+r.ID, srv.State, "only a submitted, active or suspended server can be examined")
	}
	found, why := o.examine(ctx, srv)
	if found == nil {
		return out, &Error{Code: Unavailable, Message: "server " + r.ID + " could not be examined", Cause: why,
			Fix: "check that it runs and answers: ostiary doctor"}
	}
	next, changes := registry.Merge(srv, *found)
	next.UpdatedAt = o.cfg.Clock.Now().UTC()
	srv, err = o.update(&act{kind: "server.scan", subject: r.ID, what: "server " + r.ID, Change: r.Change}, next)
	if err != nil {
		return out, err
	}
	if r.DryRun {
		srv = next
	}
	return Done[ServerView]{!r.DryRun, viewServer(srv), scanNotices(srv, changes, found.Findings)}, nil
}

func scanNotices(srv registry.Server, changes []registry.Change, findings []string) []string {
	notices := []string{}
	for _, c := range changes {
		notices = append(notices, fmt.Sprintf("tool %q: %s", c.Tool, c.Kind))
	}
	for _, t := range srv.Tools {
		if t.State != registry.ToolApproved {
			notices = append(notices, fmt.Sprintf("tool %q cannot be called until: ostiary tool approve %s %s --reason TEXT",
				t.Name, srv.ID, t.Name))
		}
	}
	for _, f := range findings {
		notices = append(notices, "finding: "+f)
	}
	return notices
}

// Tools lists tools by server and name.
func (o *operator) Tools(_ context.Context, q ToolQuery) ([]ToolView, error) {
	servers, err := o.cfg.Store.Servers()
	if err != nil {
		return nil, asError("tools", err)
	}
	views, known := []ToolView{}, q.Server == ""
	slices.SortFunc(servers, func(a, b registry.Server) int { return compare(a.ID, b.ID) })
	for _, s := range servers {
		if q.Server != "" && s.ID != q.Server {
			continue
		}
		known = true
		for _, t := range s.Tools {
			if q.Tool == "" || t.Name == q.Tool {
				views = append(views, viewTool(s.ID, t))
			}
		}
	}
	if !known {
		return nil, asError("server "+q.Server, registry.ErrNotFound)
	}
	if q.Tool != "" && len(views) == 0 {
		return nil, asError(fmt.Sprintf("tool %q", q.Tool), registry.ErrNotFound)
	}
	return views, nil
}

// ApproveTool approves a tool's present definition, and classifies it.
func (o *operator) ApproveTool(_ context.Context, r ApproveTool) (Done[ToolView], error) {
	var out Done[ToolView]
	if r.Access != "" {
		if err := checkAccess(r.Access); err != nil {
			return out, err
		}
	}
	if r.Reason == "" {
		return out, invalid("add --reason TEXT", "an approval needs a reason")
	}
	srv, err := o.cfg.Store.Server(r.Server)
	if err != nil {
		return out, asError("server "+r.Server, err)
	}
	i := slices.IndexFunc(srv.Tools, func(t registry.Tool) bool { return t.Name == r.Tool })
	if i < 0 {
		return out, &Error{Code: NotFound, Message: fmt.Sprintf("server %s has no tool %q", r.Server, r.Tool),
			Fix: "see what it has: ostiary tool list " + r.Server}
	}
	if r.Digest != "" && r.Digest != srv.Tools[i].Digest {
		return out, &Error{Code: Drift, Message: fmt.Sprintf("tool %q is not as you saw it", r.Tool),
			Cause: "its digest is " + srv.Tools[i].Digest, Fix: "look at it again: ostiary tool show " + r.Server + " " + r.Tool}
	}
	srv.Tools = slices.Clone(srv.Tools)
	srv.Tools[i].State = registry.ToolApproved
	if r.Access != "" {
		srv.Tools[i].Access = r.Access
	}
	view := viewTool(srv.ID, srv.Tools[i])
	srv.UpdatedAt = o.cfg.Clock.Now().UTC()
	if _, err := o.update(&act{kind: "tool.approve", subject: r.Server + "/" + r.Tool, what: "server " + r.Server, Change: r.Change}, srv); err != nil {
		return out, err
	}
	notices := []string{}
	if !view.Classified {
		notices = append(notices, "the tool is not classified and counts as modify; add --access read or write if it is less")
	}
	return Done[ToolView]{!r.DryRun, view, notices}, nil
}

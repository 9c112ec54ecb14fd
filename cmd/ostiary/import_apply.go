package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clientfile"
	"ostiary.dev/ostiary/internal/registry"
)

// show writes what would change in the files, for a person.
func (p *plan) show() {
	for _, e := range p.edits {
		p.cli.showDiff(clientfile.Diff(e.file.Bytes(), e.content, e.file.Path))
	}
}

// showDiff writes a difference, whose secret values are masked, to stderr;
// there a reader of JSON expects nothing but an error.
func (c *cli) showDiff(diff string) {
	if c.output != "json" && c.output != "jsonl" {
		fmt.Fprint(c.stderr, diff)
	}
}

// apply does what was planned: the gateway first, the files last, so that a
// client never points at a server that is not there. What stops half-way can
// be started again.
func (p *plan) apply(ctx context.Context, api admin.API) error {
	for _, n := range p.servers {
		for _, app := range n.apps {
			if err := p.agent(ctx, api, app); err != nil {
				return err
			}
		}
		if err := p.server(ctx, api, n); err != nil {
			return err
		}
		for _, app := range n.apps {
			if err := p.grant(ctx, api, app, n.request.ID); err != nil {
				return err
			}
		}
	}
	backups, err := p.cli.backups()
	if err != nil {
		return err
	}
	for _, e := range p.edits {
		if err := writeClient(backups, e.file, e.content); err != nil {
			return err
		}
	}
	return nil
}

// writeClient keeps the original and writes the new content.
func writeClient(b clientfile.Backups, f *clientfile.File, content []byte) error {
	if _, err := b.Save(f.Path); err != nil {
		return fileError(err)
	}
	if err := b.Write(f.Path, content, f.Bytes()); err != nil {
		return fileError(err)
	}
	return nil
}

// agent registers an app; one that is registered already must be active.
func (p *plan) agent(ctx context.Context, api admin.API, app string) error {
	have, err := api.Agent(ctx, admin.ID{ID: app})
	if err == nil {
		if have.State != registry.Active {
			return &admin.Error{Code: admin.Conflict, Message: "agent " + app + " is " + string(have.State) + ", so nothing is imported for it",
				Fix: "resume it, or choose other files with --from"}
		}
		return nil
	}
	var refused *admin.Error
	if !errors.As(err, &refused) || refused.Code != admin.NotFound {
		return err
	}
	_, err = api.RegisterAgent(ctx, admin.RegisterAgent{Change: admin.Change{Reason: p.reason()}, ID: app, Basis: admin.ByImport})
	return err
}

// server submits and approves a server. One whose approval fails is rejected
// again, so that nothing waits for an approval that nobody asked for.
func (p *plan) server(ctx context.Context, api admin.API, n *newcomer) error {
	if n.reused {
		return nil
	}
	why := admin.Change{Reason: p.reason()}
	n.request.Change = why
	if _, err := api.SubmitServer(ctx, n.request); err != nil {
		return err
	}
	d, err := api.ApproveServer(ctx, admin.ApproveServer{Change: why, ID: n.request.ID, Basis: admin.ByImport})
	if err != nil {
		_, undo := api.MoveServer(ctx, admin.Move{Change: why, ID: n.request.ID, Action: admin.Reject})
		return errors.Join(err, undo)
	}
	for _, notice := range d.Notices {
		if text := n.request.ID + ": " + notice; !slices.Contains(p.notices, text) {
			p.notices = append(p.notices, text)
		}
	}
	return nil
}

// grant gives an app a server that it had before. A grant that stands already
// is left as it is: somebody may have narrowed it.
func (p *plan) grant(ctx context.Context, api admin.API, app, server string) error {
	have, err := api.Grants(ctx, admin.GrantQuery{Agent: app, Server: server})
	if err != nil || len(have) > 0 {
		return err
	}
	_, err = api.Grant(ctx, admin.Grant{Change: admin.Change{Reason: p.reason()}, Agent: app, Server: server, Access: registry.Modify})
	return err
}

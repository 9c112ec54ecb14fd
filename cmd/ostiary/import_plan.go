package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clientfile"
	"ostiary.dev/ostiary/internal/registry"
)

// plan is what an import will do.
type plan struct {
	cli         *cli
	binary, dir string            // absolute: what a wrap entry names
	inputs      map[string]string // values of ${input:ID}

	items   []imported
	notices []string
	servers []*newcomer
	edits   []*fileEdit
	ids     map[string]bool // taken ids of servers
	known   []admin.ServerView
}

// newcomer is one server; apps that had the same one share it.
type newcomer struct {
	request admin.SubmitServer
	reused  bool // an earlier import made it
	apps    []string
}

// fileEdit is the new content of one client file.
type fileEdit struct {
	file    *clientfile.File
	changes []clientfile.Change
	content []byte
}

// starters are members that change how a server is started or reached in a way
// that the gateway does not take over: such an entry stays as it is.
var starters = []string{"env_vars", "oauth", "auth", "authProviderType", "headersHelper", "requestInit", "sandbox", "targetAudience",
	"targetServiceAccount", "scopes", "oauth_resource"}

func (p *plan) make(ctx context.Context, api admin.API, files []*clientfile.File) error {
	var err error
	if p.known, err = api.Servers(ctx, admin.None{}); err != nil {
		return err
	}
	for _, s := range p.known {
		p.ids[s.ID] = true
	}
	for _, f := range files {
		edit := &fileEdit{file: f}
		for _, e := range f.Entries() {
			if err := p.entry(ctx, api, edit, e); err != nil {
				return err
			}
		}
		if len(edit.changes) == 0 {
			continue
		}
		if edit.content, err = f.Replace(edit.changes); err != nil {
			return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "nothing was changed; name the other files with --from"}
		}
		p.edits = append(p.edits, edit)
	}
	return nil
}

// entry plans one entry of a file.
func (p *plan) entry(ctx context.Context, api admin.API, edit *fileEdit, e clientfile.Entry) error {
	item := imported{App: string(e.App), File: edit.file.Path, Project: e.Project, Entry: e.Name, Secrets: []string{}}
	for _, s := range clientfile.Secrets(e) {
		item.Secrets = append(item.Secrets, s.Where)
	}
	if isWrap(e, p.binary) {
		item.Action = actionDone
		p.items = append(p.items, item)
		return nil
	}
	item.Action, item.Note = actionLeft, p.obstacle(e)
	if item.Note == "" {
		request, note := p.request(e, edit.file.Scope)
		if item.Note = note; note == "" {
			n := p.newcomer(e, request)
			if item.Note = p.check(ctx, api, n); item.Note == "" {
				p.join(n, e, edit)
				item.Action, item.Server = actionImport, n.request.ID
				item.Note = clearArguments(e)
			}
		}
	}
	p.items = append(p.items, item)
	return nil
}

// obstacle says why an entry cannot go behind the gateway, "" if it can.
func (p *plan) obstacle(e clientfile.Entry) string {
	if e.Disabled {
		return "it is switched off in the client"
	}
	if e.EnvFile != "" {
		return "its envFile is not taken over: submit it by hand with --env"
	}
	for _, m := range e.Extra {
		if slices.Contains(starters, m.Key) {
			return "its " + m.Key + " is not taken over: submit it by hand"
		}
	}
	if e.Command == "" && e.URL == "" {
		return "it has neither a command nor a URL"
	}
	return ""
}

// request expands an entry into what is submitted. The note says why that is
// not possible: the user's own file is used in every project, so that nothing
// in it can be relative to this one.
func (p *plan) request(e clientfile.Entry, scope string) (admin.SubmitServer, string) {
	host, err := p.cli.host()
	if err != nil {
		return admin.SubmitServer{}, "the current directory cannot be found"
	}
	switch {
	case e.Project != "":
		host.Cwd = e.Project
	case scope != clientfile.ScopeProject:
		host.Cwd = ""
	}
	full, missing := clientfile.Expand(e, host, p.inputs)
	if len(missing) > 0 {
		var names []string
		for _, m := range missing {
			names = append(names, missingName(m))
		}
		return admin.SubmitServer{}, "no value for " + strings.Join(slices.Compact(names), ", ")
	}
	r := admin.SubmitServer{Transport: registry.Stdio}
	values := full.Env
	if full.URL != "" {
		r.URL, r.Transport, r.Private, values = full.URL, registry.HTTP, localURL(full.URL), full.Headers
		if full.Type == "sse" {
			r.Transport = registry.SSE
		}
	} else {
		r.Command, r.Dir = append([]string{full.Command}, full.Args...), full.Cwd
		if strings.ContainsAny(full.Command, `/\`) && !filepath.IsAbs(full.Command) {
			r.Command[0] = filepath.Join(host.Cwd, full.Command)
		}
		if r.Dir != "" && !filepath.IsAbs(r.Dir) {
			r.Dir = filepath.Join(host.Cwd, r.Dir)
		}
		if r.Dir != "" && !filepath.IsAbs(r.Dir) || strings.ContainsAny(full.Command, `/\`) && !filepath.IsAbs(r.Command[0]) {
			return r, "its command or folder is a relative path: make it absolute"
		}
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		r.Secrets = append(r.Secrets, admin.Clear{Name: k, Value: []byte(values[k])})
	}
	return r, ""
}

func missingName(m clientfile.Missing) string {
	switch m.Kind {
	case clientfile.RefInput:
		return "${input:" + m.Name + "} (give --input " + m.Name + "=REF)"
	case clientfile.RefEnv:
		return "the variable " + m.Name
	}
	return "${" + m.Name + "}"
}

// localURL reports a URL whose host is this machine or a private address: the
// person who confirms the import sees it and had it before.
func localURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsPrivate())
}

// newcomer finds the server of this import, or of an earlier one, that is the
// same in every value, else makes one with a free id.
func (p *plan) newcomer(e clientfile.Entry, r admin.SubmitServer) *newcomer {
	for _, n := range p.servers {
		if sameServer(n.request, r) {
			return n
		}
	}
	for _, s := range p.known {
		if sameAsKnown(s, r) {
			r.ID = s.ID
			return &newcomer{request: r, reused: true}
		}
	}
	r.ID = p.freeID(e.Name)
	r.Change = admin.Change{Reason: p.reason(), DryRun: true}
	return &newcomer{request: r}
}

func (p *plan) reason() string {
	if p.cli.change.reason != "" {
		return p.cli.change.reason
	}
	return "taken over from the configuration of the clients on this machine"
}

func sameServer(a, b admin.SubmitServer) bool {
	return a.Transport == b.Transport && a.URL == b.URL && a.Dir == b.Dir && slices.Equal(a.Command, b.Command) &&
		slices.EqualFunc(a.Secrets, b.Secrets, func(x, y admin.Clear) bool { return x.Name == y.Name && string(x.Value) == string(y.Value) })
}

// sameAsKnown compares with a server of an earlier import. Its sealed values
// cannot be compared, so that one that has any is never taken: two values under
// one name may be two accounts.
func sameAsKnown(s admin.ServerView, r admin.SubmitServer) bool {
	return s.State == registry.Active && s.Basis == string(admin.ByImport) && len(s.Secrets) == 0 && len(r.Secrets) == 0 &&
		s.Transport == r.Transport && s.URL == r.URL && s.Dir == r.Dir && slices.Equal(s.Command, r.Command)
}

// maxServerID is the longest id of a server in bytes.
const maxServerID = 32

// freeID makes an id of an entry's name that no other server has.
func (p *plan) freeID(name string) string {
	base := slug(name)
	for n := 1; ; n++ {
		id := base
		if n > 1 {
			end := fmt.Sprintf("-%d", n)
			id = strings.TrimRight(base[:min(len(base), maxServerID-len(end))], "-") + end
		}
		if !p.ids[id] {
			p.ids[id] = true
			return id
		}
	}
}

// slug keeps the letters and digits of a name and puts single hyphens between.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := b.String()
	if s = strings.Trim(s[:min(len(s), maxServerID)], "-"); s == "" {
		return "server"
	}
	return s
}

// check lets the gateway look at the request without keeping it.
func (p *plan) check(ctx context.Context, api admin.API, n *newcomer) string {
	if n.reused || len(n.apps) > 0 {
		return ""
	}
	if _, err := api.SubmitServer(ctx, n.request); err != nil {
		f := describe(err)
		delete(p.ids, n.request.ID)
		return strings.TrimSuffix("the gateway refuses it: "+f.Message+" ("+f.Fix+")", " ()")
	}
	return ""
}

// join notes that an entry uses a server.
func (p *plan) join(n *newcomer, e clientfile.Entry, edit *fileEdit) {
	if !slices.Contains(p.servers, n) {
		p.servers = append(p.servers, n)
	}
	if !slices.Contains(n.apps, string(e.App)) {
		n.apps = append(n.apps, string(e.App))
	}
	w := clientfile.Carry(e, clientfile.WrapEntry(e.App, p.binary, p.dir, string(e.App), n.request.ID))
	edit.changes = append(edit.changes, clientfile.Change{Name: e.Name, Project: e.Project, New: &w})
}

// clearArguments warns of what sealing cannot take out: an argument is visible
// to every user of the machine while the server runs.
func clearArguments(e clientfile.Entry) string {
	for _, s := range clientfile.Secrets(e) {
		if strings.HasPrefix(s.Where, "args[") || s.Where == "url" {
			return "a credential in " + s.Where + " stays in the server's registration: use a variable or header instead"
		}
	}
	return ""
}

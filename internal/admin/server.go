package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Bounds of what is registered for one server.
const (
	maxSecrets  = 64
	maxSecret   = 64 << 10 // bytes of one value
	maxArgs     = 256
	maxArgBytes = 32 << 10 // of the whole command
	maxPEM      = 1 << 20  // bytes of a certificate file
)

// SubmitServer registers a server. It waits for approval and is not reached
// before.
func (o *operator) SubmitServer(_ context.Context, r SubmitServer) (Done[ServerView], error) {
	var out Done[ServerView]
	srv, err := r.server()
	if err != nil {
		return out, err
	}
	for _, c := range r.Secrets {
		sealed, err := o.cfg.Ring.Seal(keys.UpstreamCredentials, SecretIdentity(r.ID, c.Name), c.Value)
		if err != nil {
			return out, asError("server "+r.ID, err)
		}
		srv.Secrets = append(srv.Secrets, registry.Secret{Name: c.Name, Sealed: sealed})
	}
	srv.By, srv.Reason = o.by, r.Reason
	srv.CreatedAt = o.cfg.Clock.Now().UTC()
	srv.UpdatedAt = srv.CreatedAt
	t := &act{kind: "server.submit", subject: r.ID, what: "server " + r.ID, Change: r.Change}
	err = o.change(t, func(s store.Store) (any, error) {
		if err := insert(s, srv); err != nil {
			return nil, err
		}
		srv, err = s.Server(r.ID)
		return submissionOf(srv), err
	})
	if err != nil {
		return out, err
	}
	return Done[ServerView]{!r.DryRun, viewServer(srv), []string{
		"it is not reachable until it is approved: ostiary server approve " + r.ID + " --reason TEXT",
	}}, nil
}

// submission is the recorded detail of a new server. Its address and command
// may hold a token or a person's name: they are in the row, sealed, and in the
// log by the fingerprint of the row alone.
type submission struct {
	State     registry.State     `json:"state"`
	Transport registry.Transport `json:"transport"`
	Private   bool               `json:"private,omitempty"`
	TLS12     bool               `json:"tls12,omitempty"`
	Secrets   int                `json:"secrets,omitempty"` // how many
}

func submissionOf(s registry.Server) submission {
	return submission{s.State, s.Transport, s.Private, s.TLS12, len(s.Secrets)}
}

// insert stores a new server, or a new submission of one that was rejected.
func insert(s store.Store, srv registry.Server) error {
	err := s.InsertServer(srv)
	if !errors.Is(err, registry.ErrExists) {
		return err
	}
	old, err := s.Server(srv.ID)
	if err != nil {
		return err
	}
	if old.State != registry.Rejected {
		return registry.ErrExists
	}
	srv.CreatedAt, srv.Revision = old.CreatedAt, old.Revision
	return s.UpdateServer(srv)
}

// SecretIdentity is the identity under which a server's secret is sealed; who
// opens it must give the same.
func SecretIdentity(server, name string) keys.Identity {
	return keys.Identity{Tenant: "default", Kind: "server-secret", Record: server, Column: name, Version: "1"}
}

// server checks the request and returns the row that it describes.
func (r SubmitServer) server() (registry.Server, error) {
	srv := registry.Server{
		ID: r.ID, State: registry.Submitted, Transport: r.Transport, URL: r.URL, Private: r.Private,
		Command: r.Command, Dir: r.Dir, PassEnv: r.PassEnv, CAFile: r.CAFile, Pins: r.Pins,
		ClientCert: r.ClientCert, ClientKey: r.ClientKey, TLS12: r.TLS12,
	}
	if err := registry.ValidID(r.ID); err != nil {
		return srv, invalid("choose another name, such as my-server", "%q cannot be the name of a server: %v", r.ID, err)
	}
	if len(r.Secrets) > maxSecrets {
		return srv, invalid("", "more than %d headers or environment values", maxSecrets)
	}
	switch {
	case r.URL != "" && len(r.Command) > 0:
		return srv, invalid("give one of them", "a server has a URL or a command, not both")
	case r.URL != "":
		return r.remote(srv)
	case len(r.Command) > 0:
		return r.child(srv)
	}
	return srv, invalid("give --url URL, or -- and a command", "a server needs a URL or a command")
}

// remote checks a server that is reached over HTTP.
func (r SubmitServer) remote(srv registry.Server) (registry.Server, error) {
	if srv.Transport == "" {
		srv.Transport = registry.HTTP
	}
	if srv.Transport != registry.HTTP && srv.Transport != registry.SSE {
		return srv, invalid("use http or sse", "%q is not a transport of a server with a URL", r.Transport)
	}
	if r.Dir != "" || len(r.PassEnv) > 0 {
		return srv, invalid("", "a working directory and passed variables belong to a server with a command")
	}
	u, err := egress.CheckURL(r.URL, r.Private)
	if err != nil {
		return srv, &Error{Code: Invalid, Message: "the URL cannot be used", Cause: err.Error(),
			Fix: "write an absolute https URL; plain http and private addresses need --private"}
	}
	srv.URL = u.String()
	for _, c := range r.Secrets {
		if err := checkHeader(c); err != nil {
			return srv, err
		}
	}
	for _, p := range r.Pins {
		if err := checkPin(p); err != nil {
			return srv, err
		}
	}
	return srv, r.files()
}

// files checks the PEM files that the server's TLS needs.
func (r SubmitServer) files() error {
	if (r.ClientCert == "") != (r.ClientKey == "") {
		return invalid("give both --client-cert and --client-key", "a client certificate needs its key")
	}
	for _, f := range []struct{ path, block string }{
		{r.CAFile, "CERTIFICATE"}, {r.ClientCert, "CERTIFICATE"}, {r.ClientKey, "PRIVATE KEY"},
	} {
		if f.path == "" {
			continue
		}
		if err := checkPEM(f.path, f.block); err != nil {
			return err
		}
	}
	return nil
}

func checkPEM(path, block string) error {
	if !filepath.IsAbs(path) {
		return invalid("", "%s must be an absolute path", path)
	}
	st, err := os.Stat(path)
	if err != nil {
		return &Error{Code: Invalid, Message: "the file " + path + " cannot be read", Cause: reasonOf(err)}
	}
	if st.Size() > maxPEM {
		return invalid("", "the file %s is larger than %d bytes", path, maxPEM)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return &Error{Code: Invalid, Message: "the file " + path + " cannot be read", Cause: reasonOf(err)}
	}
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return invalid("give a PEM file", "the file %s holds no %s in PEM form", path, strings.ToLower(block))
		}
		if strings.HasSuffix(b.Type, block) {
			return nil
		}
	}
}

func reasonOf(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func checkPin(p string) error {
	b64, ok := strings.CutPrefix(p, "sha256/")
	if sum, err := base64.StdEncoding.DecodeString(b64); !ok || err != nil || len(sum) != 32 {
		return invalid("write sha256/ and the base64 of 32 bytes", "%q is not a pin", p)
	}
	return nil
}

// child checks a server that is started as a process.
func (r SubmitServer) child(srv registry.Server) (registry.Server, error) {
	if srv.Transport == "" {
		srv.Transport = registry.Stdio
	}
	if srv.Transport != registry.Stdio {
		return srv, invalid("leave the transport out", "%q is not a transport of a server with a command", r.Transport)
	}
	if r.Private || r.CAFile != "" || len(r.Pins) > 0 || r.ClientCert != "" || r.ClientKey != "" || r.TLS12 {
		return srv, invalid("", "private, CA, pins and client certificate belong to a server with a URL")
	}
	total := 0
	for _, arg := range r.Command {
		total += len(arg)
		if strings.ContainsRune(arg, 0) {
			return srv, invalid("", "an argument of the command holds a NUL")
		}
	}
	if len(r.Command) > maxArgs || total > maxArgBytes || r.Command[0] == "" {
		return srv, invalid("", "the command needs a program, and at most %d arguments of %d bytes together", maxArgs, maxArgBytes)
	}
	if r.Dir != "" && !filepath.IsAbs(r.Dir) {
		return srv, invalid("", "the working directory must be an absolute path")
	}
	for _, c := range r.Secrets {
		if err := checkVariable(c.Name, c.Value); err != nil {
			return srv, err
		}
	}
	for _, name := range r.PassEnv {
		if err := checkVariable(name, []byte("-")); err != nil {
			return srv, err
		}
	}
	return srv, nil
}

// ours are headers that the gateway sets itself or never sends.
var ours = []string{"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection",
	"keep-alive", "te", "trailer", "upgrade", "expect", "accept", "accept-encoding", "last-event-id", "origin",
	"traceparent", "tracestate", "baggage", "forwarded", "via"}

// checkHeader refuses a header that would change the framing or the meaning of
// a request, and a value that would end its line.
func checkHeader(c Clear) error {
	name := strings.ToLower(c.Name)
	if !isToken(name) || len(name) > 128 {
		return invalid("", "%q is not the name of a header", c.Name)
	}
	if slices.Contains(ours, name) || strings.HasPrefix(name, "mcp-") || strings.HasPrefix(name, "x-forwarded-") ||
		strings.HasPrefix(name, "proxy-") {
		return invalid("leave it out", "the header %s is set by the gateway itself", c.Name)
	}
	return checkValue("header "+c.Name, c.Value)
}

func checkVariable(name string, value []byte) error {
	if !isVariable(name) {
		return invalid("", "%q is not the name of an environment variable", name)
	}
	if len(value) == 0 || len(value) > maxSecret || bytes.IndexByte(value, 0) >= 0 {
		return invalid("check what the reference points to", "the value of %s is empty, longer than %d bytes or holds a NUL",
			name, maxSecret)
	}
	return nil
}

// checkValue refuses an empty header value, which servers read as no
// credential, and bytes that no header may have (RFC 9110, 5.5).
func checkValue(what string, value []byte) error {
	if len(value) == 0 || len(value) > 8<<10 {
		return invalid("check what the reference points to", "the value of %s is empty or longer than 8 KiB", what)
	}
	for _, b := range value {
		if b < 0x20 && b != '\t' || b >= 0x7f {
			return invalid("check what the reference points to",
				"the value of %s holds a line break or another byte that a header cannot carry", what)
		}
	}
	if value[0] == ' ' || value[0] == '\t' || value[len(value)-1] == ' ' || value[len(value)-1] == '\t' {
		return invalid("remove it", "the value of %s begins or ends with white space", what)
	}
	return nil
}

func isToken(s string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)) {
			return false
		}
	}
	return s != ""
}

func isVariable(s string) bool {
	for i, r := range s {
		if !(r == '_' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || i > 0 && '0' <= r && r <= '9') {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// Servers lists every registered server by id.
func (o *operator) Servers(context.Context, None) ([]ServerView, error) {
	all, err := o.cfg.Store.Servers()
	if err != nil {
		return nil, asError("servers", err)
	}
	views := make([]ServerView, 0, len(all))
	for _, s := range all {
		views = append(views, viewServer(s))
	}
	slices.SortFunc(views, func(a, b ServerView) int { return compare(a.ID, b.ID) })
	return views, nil
}

// Server returns one registered server.
func (o *operator) Server(_ context.Context, r ID) (ServerView, error) {
	s, err := o.cfg.Store.Server(r.ID)
	if err != nil {
		return ServerView{}, asError("server "+r.ID, err)
	}
	return viewServer(s), nil
}

// MoveServer rejects, suspends, resumes or retires a server.
func (o *operator) MoveServer(_ context.Context, r Move) (Done[ServerView], error) {
	var out Done[ServerView]
	to, ok := map[Action]registry.State{
		Reject: registry.Rejected, Suspend: registry.Suspended, Resume: registry.Active, Retire: registry.Retired,
	}[r.Action]
	if !ok {
		return out, invalid("use reject, suspend, resume or retire", "%q is not an action", r.Action)
	}
	var srv registry.Server
	t := &act{kind: "server." + string(r.Action), subject: r.ID, what: "server " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		var err error
		if srv, err = s.Server(r.ID); err != nil {
			return nil, err
		}
		if r.Action == Resume && srv.State != registry.Suspended {
			return nil, wrongState("server "+r.ID, srv.State, "only a suspended server can be resumed")
		}
		moved, err := registry.MoveServer(srv, to)
		if err != nil {
			return nil, wrongState("server "+r.ID, srv.State, err.Error())
		}
		detail := stateChange{From: srv.State, To: to}
		moved.By, moved.Reason, moved.UpdatedAt = o.by, r.Reason, o.cfg.Clock.Now().UTC()
		if err := s.UpdateServer(moved); err != nil {
			return nil, err
		}
		srv, err = s.Server(r.ID)
		return detail, err
	})
	if err != nil {
		return out, err
	}
	return Done[ServerView]{!r.DryRun, viewServer(srv), []string{}}, nil
}

// stateChange is the recorded detail of a move.
type stateChange struct {
	From registry.State `json:"from"`
	To   registry.State `json:"to"`
}

func wrongState(what string, s registry.State, why string) *Error {
	return &Error{Code: Conflict, Message: fmt.Sprintf("%s is %s", what, s), Cause: why}
}

package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// sse is the deprecated HTTP+SSE transport as a conduit: a GET stream brings
// the server's messages, its first event names the address for ours
// (MCP 2024-11-05, basic/transports).
type sse struct {
	remote *remote
	target string // where to post
	resp   *http1.InResponse
	events *wire.Events
	ctx    context.Context
	abort  context.CancelCauseFunc
	once   sync.Once
}

func openSSE(s *Step, srv *registry.Server, lim wire.Limits) (*sse, error) {
	r, err := newRemote(s, srv)
	if err != nil {
		return nil, err
	}
	r.wire = lim
	ctx, abort := context.WithCancelCause(context.Background())
	c := &sse{remote: r, ctx: ctx, abort: abort}
	if err := c.open(); err != nil {
		err = cause(ctx, err)
		c.Stop()
		return nil, err
	}
	return c, nil
}

// open starts the stream and reads the endpoint event.
func (c *sse) open() error {
	limit := time.AfterFunc(c.remote.step.limits.Start, func() { c.abort(fault.New(fault.UpstreamLate)) })
	defer limit.Stop()
	resp, err := c.remote.do(c.ctx, "GET", c.remote.sessionHeaders("", ""), nil)
	if err != nil {
		return err
	}
	c.resp = resp
	kind, err := contentType(resp)
	if err != nil {
		return err
	}
	if resp.Status != 200 || kind != eventStream {
		return fault.Wrap(fault.UpstreamBad, fmt.Errorf("status %d to GET", resp.Status))
	}
	c.events = wire.NewEvents(resp.Body, c.remote.wire.Bytes)
	for {
		e, err := c.events.Next()
		if err != nil {
			return err
		}
		if e.Name == "endpoint" {
			c.target, err = sameOrigin(c.remote.srv.URL, string(e.Data))
			return err
		}
		if !e.Comment {
			return fault.Wrap(fault.UpstreamBad, errors.New("the first event does not name the endpoint"))
		}
	}
}

// sameOrigin resolves the endpoint that a server named and refuses any other
// origin: a server must not direct the gateway's credential elsewhere (U03).
func sameOrigin(base, endpoint string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u, err := b.Parse(endpoint)
	if err != nil || u.Scheme != b.Scheme || u.Host != b.Host || u.User != nil || len(endpoint) > 8<<10 {
		return "", fault.Wrap(fault.UpstreamBad, errors.New("the endpoint is not of the server's origin"))
	}
	target := u.RequestURI()
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' }) { // a query is kept as it came
		return "", fault.Wrap(fault.UpstreamBad, errors.New("the endpoint is not an address"))
	}
	return target, nil
}

// Write posts one message.
func (c *sse) Write(line []byte) error {
	ctx, cancel := context.WithTimeoutCause(c.ctx, tellLimit, fault.New(fault.UpstreamLate))
	defer cancel()
	r := c.remote
	resp, err := r.client.Do(ctx, &http1.OutRequest{
		Method: "POST", TLS: r.tls, Addr: r.addr, Host: r.host, Target: c.target,
		Header: r.plainHeaders("", ""), Body: line, PoolKey: r.pool,
	})
	if err != nil {
		return cause(ctx, err)
	}
	defer resp.Body.Close()
	if resp.Status/100 != 2 {
		return fault.Wrap(fault.UpstreamBad, fmt.Errorf("status %d to POST", resp.Status))
	}
	_, _, err = readBody(resp, 64<<10, nil)
	return err
}

// Read returns the next message.
func (c *sse) Read() ([]byte, error) {
	for {
		e, err := c.events.Next()
		switch {
		case err != nil && errors.Is(err, io.EOF):
			return nil, fault.New(fault.UpstreamGone)
		case err != nil:
			return nil, cause(c.ctx, err)
		case e.Comment || len(e.Data) == 0:
			continue
		case e.Name != "" && e.Name != "message":
			return nil, fault.Wrap(fault.UpstreamBad, fmt.Errorf("event of kind %q", e.Name))
		}
		return e.Data, nil
	}
}

// Stop ends the stream.
func (c *sse) Stop() {
	c.once.Do(func() {
		c.abort(fault.New(fault.UpstreamGone))
		if c.resp != nil {
			c.resp.Body.Close()
		}
	})
}

var _ conduit = (*sse)(nil)

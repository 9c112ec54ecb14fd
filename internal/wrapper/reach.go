package wrapper

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/fault"
)

// lastWords is how long the gateway may take to refuse the certificate of a
// connection that asks nothing, or to close it.
const lastWords = time.Second

// reach connects once, so that an absent gateway and a refused certificate are
// told at the start and not as the failure of every request.
func (s *shim) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	err := s.greet(ctx)
	switch {
	case err == nil:
		return nil
	case isAlert(err):
		s.out.say("The gateway refused the connection; renew this agent's certificate.", err)
		return fault.Wrap(fault.Unauthenticated, err)
	}
	s.out.say("The gateway cannot be reached; start it with \"ostiary up\" and restart this server in the app.", err)
	return fault.Wrap(fault.UpstreamUnreachable, err)
}

// greet opens a connection and closes it in order. In TLS 1.3 the server
// judges a client's certificate after the client's handshake has ended, so its
// verdict is the first thing to read.
func (s *shim) greet(ctx context.Context) error {
	conn, err := s.cfg.Dial(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if s.cfg.TLS == nil {
		return nil
	}
	config := s.cfg.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(s.addr) // joined by newShim
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	if err := secure.CloseWrite(); err != nil {
		return err
	}
	// A deadline is compared with the machine's clock, whatever a test's says.
	if err := conn.SetReadDeadline(clock.Clock{}.Now().Add(lastWords)); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, secure, 1<<10); isAlert(err) {
		return err
	}
	return nil // closed, or silent for long enough
}

// isAlert reports whether err is a TLS alert of the far end's.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

package http1

import (
	"crypto/tls"
	"errors"
	"os"
	"time"
)

// silent reports whether an idle connection is open and has nothing to say.
// Bytes that nobody asked for would be taken for the next answer.
func (cc *clientConn) silent() bool {
	if cc.in.buffered() > 0 {
		return false
	}
	if _, ok := cc.nc.(*tls.Conn); ok && !cc.quiet() {
		return false
	}
	return cc.probe.silent(cc.raw)
}

// quiet looks for bytes that TLS has decrypted or taken from the socket
// already: with its deadline past, Read returns those and waits for no others.
func (cc *clientConn) quiet() bool {
	if cc.nc.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var one [1]byte
	_, err := cc.nc.Read(one[:])
	return errors.Is(err, os.ErrDeadlineExceeded) && cc.nc.SetReadDeadline(time.Time{}) == nil
}

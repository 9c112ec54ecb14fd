package http1

import "time"

// Read reads for the connection's buffer under the deadline of its phase.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.armRead(); err != nil {
		return 0, err
	}
	n, err := c.nc.Read(p)
	if c.phase == readBody {
		c.bodyGot += int64(n)
	}
	return n, err
}

// armRead sets the read deadline if the one in force does not do. An idle
// deadline in force may end up to an eighth of the time, or a second, early:
// setting it anew for each request would cost more than it is worth.
func (c *conn) armRead() error {
	now, lim := c.srv.clock.Now(), &c.srv.lim
	var until time.Time
	switch c.phase {
	case readIdle:
		until = now.Add(lim.IdleTimeout)
		if late := until.Sub(c.readUntil); late >= 0 && late < min(lim.IdleTimeout/8, time.Second) {
			return nil
		}
	case readHead:
		if c.headUntil.IsZero() {
			c.headUntil = now.Add(lim.HeaderTimeout)
		}
		until = c.headUntil
	case readBody:
		if c.bodyStart.IsZero() {
			c.bodyStart = now
		}
		until = bodyDeadline(c.bodyStart, c.bodyGot, lim)
	}
	if until.Equal(c.readUntil) {
		return nil
	}
	c.readUntil = until
	return c.nc.SetReadDeadline(until)
}

// bodyDeadline is when a body that began at start and of which got bytes have
// come must have brought more. It moves in steps of 16 KiB.
func bodyDeadline(start time.Time, got int64, lim *Limits) time.Time {
	earned := time.Duration(got&^(16<<10-1)) * time.Second / time.Duration(lim.BodyRate)
	return start.Add(lim.BodyTimeout + earned)
}

// writePiece is how much one write deadline covers, bytes.
const writePiece = 256 << 10

// write sends head, p and tail. After an error the connection is broken.
func (c *conn) write(head, p, tail []byte) error {
	if c.broken {
		return errPeerGone
	}
	for {
		piece := p[:min(len(p), writePiece)]
		p = p[len(piece):]
		end := tail
		if len(p) > 0 {
			end = nil
		}
		if err := c.writeOnce(head, piece, end); err != nil {
			c.broken = true
			if ctx := c.current.Load(); ctx != nil {
				ctx.End(nil)
			}
			return err
		}
		if head = nil; len(p) == 0 {
			return nil
		}
	}
}

func (c *conn) writeOnce(head, p, tail []byte) error {
	if err := c.armWrite(); err != nil {
		return err
	}
	if len(p) > 0 {
		return sendTogether(c.nc, c.sock, head, p, tail)
	}
	_, err := c.nc.Write(head)
	return err
}

// armWrite makes sure that at least WriteTimeout is left, at most an eighth
// more.
func (c *conn) armWrite() error {
	now, t := c.srv.clock.Now(), c.srv.lim.WriteTimeout
	if c.writeTill.Sub(now) >= t {
		return nil
	}
	c.writeTill = now.Add(t + t/8)
	return c.nc.SetWriteDeadline(c.writeTill)
}

// armWrite does the same for a connection to an upstream.
func (cc *clientConn) armWrite() error {
	now, t := cc.client.clock.Now(), cc.client.lim.WriteTimeout
	if cc.writeTill.Sub(now) >= t {
		return nil
	}
	cc.writeTill = now.Add(t + t/8)
	return cc.nc.SetWriteDeadline(cc.writeTill)
}

package app

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Notify sends a state to systemd's socket (sd_notify(3)). A name that begins
// with @ is an abstract socket.
func Notify(socket, state string) error {
	if name, abstract := strings.CutPrefix(socket, "@"); abstract {
		socket = "\x00" + name
	} else if !strings.HasPrefix(socket, "/") {
		return fmt.Errorf("%q is not a socket of a service manager", socket)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = c.Write([]byte(state))
	return errors.Join(err, c.Close())
}

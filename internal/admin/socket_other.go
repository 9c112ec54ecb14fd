//go:build !linux && !darwin

package admin

import "net"

// listenSocket serves no socket where the kernel does not say who opened it.
func listenSocket(string) (net.Listener, error) { return nil, ErrNoSocket }

func peerOf(net.Conn) peer { return peer{err: ErrNoSocket} }

func mayOperate(uint32) bool { return false }

// Self is the operator's name of a command that works on the data directory
// itself.
func Self() string { return "local" }

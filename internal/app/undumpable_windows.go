package app

import "golang.org/x/sys/windows"

// The bits of SetErrorMode that keep a crash from being handed to a reporter.
const (
	failCriticalErrors = 0x0001
	noFaultBox         = 0x0002
)

// Undumpable keeps a crash from being reported with the process's memory, as
// far as this system lets a process choose. A memory dump that the machine's
// owner configured is not stopped; doctor cannot see it either.
func Undumpable() error {
	windows.SetErrorMode(failCriticalErrors | noFaultBox)
	return nil
}

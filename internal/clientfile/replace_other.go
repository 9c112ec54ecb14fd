//go:build !unix

package clientfile

import "os"

// keepOwner does nothing: a file takes its access list from its folder.
func keepOwner(*os.File, string) error { return nil }

// syncDir does nothing: the system makes a rename durable itself.
func syncDir(string) error { return nil }

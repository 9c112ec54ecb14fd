//go:build !unix

package sqlite

import "io/fs"

// checkMode does nothing where permission bits do not say who may read.
func checkMode(string, fs.FileInfo) error { return nil }

// syncDir does nothing where a folder cannot be opened for syncing.
func syncDir(string) error { return nil }

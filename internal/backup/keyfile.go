package backup

import (
	"io"

	"golang.org/x/mod/sumdb/note"
)

// WriteKeys writes the archive of key files to w. It has an end, head.Expires:
// an old copy of the keys would bring back what was erased since.
func WriteKeys(w io.Writer, locks Locks, head Head, files []File, signer note.Signer) error {
	head.Kind = Keys
	out, err := newWriter(w, locks, head)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !safeName(f.Name) {
			return damaged("%q is no name of a key file", f.Name)
		}
		if err := out.add(keysPrefix+f.Name, f.Data); err != nil {
			return err
		}
	}
	return out.finish(signer)
}

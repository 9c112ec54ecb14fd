package keys

import (
	"path/filepath"
)

// Formats of the keystore file, by number.
const (
	formatNow   = 2
	formatFirst = 1
)

// Status says which format the keystore in dir has and which one this program
// writes. It opens nothing and changes nothing. ErrVersion: a newer program
// wrote it.
func Status(dir string) (have, want int, err error) {
	data, err := readFile(filepath.Join(Folder(dir), keystoreFile), keystoreLimit)
	if err != nil {
		return 0, formatNow, err
	}
	format, err := formatOf(data)
	if err != nil {
		return 0, formatNow, err
	}
	if format == keystoreFormat1 {
		return formatFirst, formatNow, nil
	}
	return formatNow, formatNow, nil
}

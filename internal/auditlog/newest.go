package auditlog

import "fmt"

// Source is a log as it is read back. *Log is one.
type Source interface {
	Size() uint64
	Read(from, to uint64, fn func(Record) error) error
}

// lookBack is how many entries are read at once on the way back.
const lookBack = 64

// Newest shows fn the parts of a log, the newest first, until fn wants no more.
// Parts whose key is gone are left out.
func Newest(log Source, fn func(part []byte) (enough bool, err error)) error {
	for to := log.Size(); to > 0; {
		from := uint64(0)
		if to > lookBack {
			from = to - lookBack
		}
		var some []Record
		if err := log.Read(from, to, func(r Record) error {
			some = append(some, r)
			return nil
		}); err != nil {
			return fmt.Errorf("read a log from its end: %w", err)
		}
		for i := len(some) - 1; i >= 0; i-- {
			if some[i].Part == nil {
				continue
			}
			if enough, err := fn(some[i].Part); err != nil {
				return fmt.Errorf("read a log from its end: entry %d: %w", some[i].Index, err)
			} else if enough {
				return nil
			}
		}
		to = from
	}
	return nil
}

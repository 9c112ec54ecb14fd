package auditlog

import (
	"fmt"
	"slices"
	"strings"
)

// Control returns the control log.
func (b *Book) Control() *Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.logs[b.control()]
}

// Log returns a log that exists, or ErrNotFound.
func (b *Book) Log(n Name) (*Log, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.logs[n]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("log %q: %w", n, ErrNotFound)
}

// Logs lists the logs, sorted by name.
func (b *Book) Logs() []Info {
	all := b.all()
	infos := make([]Info, len(all))
	for i, l := range all {
		infos[i] = Info{l.name, l.origin, l.Size()}
	}
	return infos
}

// all returns every log, sorted by name.
func (b *Book) all() []*Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Log, 0, len(b.logs))
	for _, l := range b.logs {
		all = append(all, l)
	}
	slices.SortFunc(all, func(x, y *Log) int { return strings.Compare(string(x.name), string(y.name)) })
	return all
}

// Err returns why the log takes no entries, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return l.stopped
	}
	if l.closing {
		return ErrClosed
	}
	return nil
}

// Waiting returns how many entries wait for their commit.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries
}

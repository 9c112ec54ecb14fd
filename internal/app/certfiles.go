package app

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// certFiles is the operator's own certificate. The files are looked at once a
// second at most, and read again when one of them changed; a pair that does
// not load leaves the last good one in force.
type certFiles struct {
	cert, key string
	clock     clock.Clock

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
	stamp  [2]time.Time
}

func (f *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	if f.pair != nil && now.Sub(f.looked) < time.Second {
		return f.pair, nil
	}
	f.looked = now
	stamp, err := stampOf(f.cert, f.key)
	if err == nil && f.pair != nil && stamp == f.stamp {
		return f.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(f.cert, f.key); err == nil {
			f.pair, f.stamp = &pair, stamp
			return f.pair, nil
		}
	}
	if f.pair != nil {
		return f.pair, nil
	}
	return nil, err
}

func stampOf(cert, key string) (stamp [2]time.Time, err error) {
	for i, path := range []string{cert, key} {
		st, err := os.Stat(path)
		if err != nil {
			return stamp, err
		}
		stamp[i] = st.ModTime()
	}
	return stamp, nil
}

package canary

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

func TestMain(m *testing.M) {
	doortest.Main()
	os.Exit(m.Run())
}

// flock are the planted values by what they are planted in. Each begins with a
// prefix of its own run, so that an earlier run's leftovers are nobody's.
type flock struct {
	prefix string
	values map[string]string
}

func newFlock() *flock {
	return &flock{prefix: "zq" + strings.ToLower(rand.Text())[:12], values: map[string]string{}}
}

// plant returns the value that is planted in what: lower-case letters, digits
// and hyphens, at most 32, so that it can be a name, too.
func (f *flock) plant(what string) string {
	if v, ok := f.values[what]; ok {
		return v
	}
	v := f.prefix + "-" + what
	if len(v) > 32 {
		panic("canary: the name " + what + " is too long")
	}
	f.values[what] = v
	return v
}

// scanner looks for the prefix, which all values share, and for secrets that
// the gateway made itself.
func (f *flock) scanner(secrets map[string]string) *Scanner {
	s := &Scanner{}
	s.Look("a canary", f.prefix)
	for what, secret := range secrets {
		s.Look(what, secret)
	}
	return s
}

// collector is an OTLP collector that keeps what it gets.
type collector struct {
	*httptest.Server
	mu  sync.Mutex
	got []byte
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.got = append(c.got, b...); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

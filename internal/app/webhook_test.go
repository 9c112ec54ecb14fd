package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// TestG17WebhookIsSignedAndRepeated: a message is tried again until it is taken,
// under the same id, each time signed over its time and its body; what cannot be
// delivered ends, and a full queue holds nobody up.
func TestG17WebhookIsSignedAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var logged int
		secret := []byte("0123456789abcdef")
		w := &webhook{url: "https://hooks.example/x", secret: secret, queue: make(chan notice, 2), pause: time.Second, now: time.Now, log: func(string, error) { logged++ }}
		fail := 2
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.post = func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			var at int64
			var mac string
			if _, err := fmt.Sscanf(r.Header.Get("Ostiary-Signature"), "t=%d,v1=%s", &at, &mac); err != nil || mac != keys.WebhookMAC(secret, at, body) {
				t.Errorf("signature %q: %v", r.Header.Get("Ostiary-Signature"), err)
			}
			if keys.WebhookMAC(secret, at+1, body) == mac {
				t.Error("the time is not signed")
			}
			var n notice
			if err := json.Unmarshal(body, &n); err != nil {
				t.Error(err)
			}
			got = append(got, n.ID)
			switch fail--; {
			case fail == 1:
				return nil, errors.New("refused")
			case fail >= 0:
				return &http.Response{StatusCode: 500, Body: io.NopCloser(strings.NewReader("later"))}, nil
			}
			if n.About == "b" {
				cancel()
			}
			return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
		}
		w.send("approval.requested", "a")
		w.send("approval.requested", "b")
		w.send("approval.requested", "c") // the queue is full: dropped
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		<-done
		if want := "approval.requested/a approval.requested/a approval.requested/a approval.requested/b"; strings.Join(got, " ") != want || logged != 1 {
			t.Errorf("%v, %d logged", got, logged)
		}
		var nobody *webhook
		nobody.send("x", "y")
		nobody.run(ctx)
	})
}

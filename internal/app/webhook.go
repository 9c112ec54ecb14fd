package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
)

// Bounds of messages to the webhook. It is told off the path: no call waits for
// it, and what it misses is in the list and in the control log.
const (
	webhookQueue    = 256
	webhookAttempts = 5
	webhookWait     = 10 * time.Second
	webhookPause    = time.Second // after the first attempt; it doubles
	webhookSecret   = 16          // bytes, at least
)

// webhook tells an operator's endpoint what must not wait for somebody to look.
// A nil webhook tells nobody.
type webhook struct {
	url    string
	secret []byte
	post   func(*http.Request) (*http.Response, error)
	queue  chan notice
	pause  time.Duration
	now    func() time.Time
	log    func(msg string, err error)
}

// notice is one message: which event, about what. It holds no name and no
// argument; who may see those asks the gateway.
type notice struct {
	ID    string    `json:"id"` // the same in every attempt
	Event string    `json:"event"`
	About string    `json:"about"` // id of the approval or opening
	At    time.Time `json:"at"`
}

// newWebhook returns the configured webhook, or nil.
func (a *App) newWebhook() (*webhook, error) {
	c := a.config.Load().Approvals.Webhook
	if c.URL == "" {
		return nil, nil
	}
	secret, err := Resolve(c.Secret, a.dir, a.options.Environ, nil)
	if err == nil && len(secret) < webhookSecret {
		err = fmt.Errorf("it is shorter than %d bytes", webhookSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("approvals.webhook.secret: %w", err)
	}
	client := &http.Client{Timeout: webhookWait,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return a.guard.Dial(ctx, network, addr, c.Private)
			},
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &webhook{url: c.URL, secret: secret, post: client.Do, queue: make(chan notice, webhookQueue), pause: webhookPause, now: a.clock.Now,
		log: func(msg string, err error) { a.log.Warn(msg, logs.Err(err)) }}, nil
}

// send queues a message and returns at once.
func (w *webhook) send(event, about string) {
	if w == nil {
		return
	}
	at := w.now().UTC()
	select {
	case w.queue <- notice{ID: event + "/" + about, Event: event, About: about, At: at}:
	default:
		w.log("a message to the webhook was dropped: too many wait", errors.New(event))
	}
}

// run delivers what is queued until ctx ends, each message at least once unless
// every attempt fails.
func (w *webhook) run(ctx context.Context) {
	if w == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-w.queue:
			if err := w.deliver(ctx, n); err != nil && ctx.Err() == nil {
				w.log("the webhook could not be told", err)
			}
		}
	}
}

func (w *webhook) deliver(ctx context.Context, n notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	pause := w.pause
	for i := range webhookAttempts {
		if err = w.once(ctx, body); err == nil {
			return nil
		}
		if i == webhookAttempts-1 {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause *= 2
	}
	return err
}

func (w *webhook) once(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, webhookWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of the webhook cannot be used")
	}
	at := w.now().Unix()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Ostiary-Signature", fmt.Sprintf("t=%d,v1=%s", at, keys.WebhookMAC(w.secret, at, body)))
	resp, err := w.post(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the webhook answered with status %d", resp.StatusCode)
	}
	return err
}

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Fetcher gets a document over https through the guarded dialler: no redirects,
// no private address, at most limit bytes, within the context's time. It
// returns the body of a 200 answer of type application/json only.
type Fetcher func(ctx context.Context, url string, limit int64) ([]byte, error)

// Bounds of client ID metadata documents (A21).
const (
	documentBytes = 5 << 10
	documentTime  = 5 * time.Second
	documentLife  = 5 * time.Minute
	documentsKept = 256
	fetchesAtOnce = 16
)

// document is what we read of a client ID metadata document; it may say more.
type document struct {
	ID        string          `json:"client_id"`
	Name      string          `json:"client_name"`
	Redirects []string        `json:"redirect_uris"`
	Method    string          `json:"token_endpoint_auth_method"`
	JWKS      json.RawMessage `json:"jwks"`
	JWKSURI   string          `json:"jwks_uri"`
	Secret    json.RawMessage `json:"client_secret"`
}

// documents keeps documents for a short time, so that one login fetches once.
type documents struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	client client
	until  time.Time
}

func newDocuments() *documents { return &documents{kept: map[string]kept{}} }

func (d *documents) get(id string, now time.Time) (client, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.kept[id]
	return k.client, ok && now.Before(k.until)
}

func (d *documents) put(id string, c client, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kept) >= documentsKept {
		clear(d.kept)
	}
	d.kept[id] = kept{c, now.Add(documentLife)}
}

// documented reads the client from the document at its id.
func (i *Issuer) documented(ctx context.Context, id string) (client, error) {
	now := i.now()
	if c, ok := i.documents.get(id, now); ok {
		return c, nil
	}
	if err := checkClientURL(id); err != nil {
		return client{}, err
	}
	if i.cfg.Fetch == nil {
		return client{}, errors.New("client ID metadata documents cannot be fetched")
	}
	if err := i.fetches.Take(""); err != nil {
		return client{}, fmt.Errorf("fetch the client's document: %w", err)
	}
	defer i.fetches.Give("")
	ctx, cancel := context.WithTimeout(ctx, documentTime)
	defer cancel()
	body, err := i.cfg.Fetch(ctx, id, documentBytes)
	if err != nil {
		return client{}, fmt.Errorf("fetch the client's document: %w", err)
	}
	c, err := parseDocument(id, body)
	if err != nil {
		return client{}, err
	}
	i.documents.put(id, c, now)
	return c, nil
}

// checkClientURL refuses every spelling of a URL that is not the plain one, so
// that one client has one id.
func checkClientURL(id string) error {
	u, err := url.Parse(id)
	switch {
	case err != nil || len(id) > maxRedirect || u.Scheme != "https" || u.Opaque != "" || u.Hostname() == "":
		return errors.New("the client_id is not an https URL")
	case u.User != nil || strings.Contains(id, "#") || u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("the client_id is not in its plain form")
	case u.Path == "" || u.Path == "/" || u.String() != id || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return errors.New("the client_id has no path, or one in another form")
	}
	return nil
}

// parseDocument reads a document that was found at id.
func parseDocument(id string, body []byte) (client, error) {
	var d document
	if len(body) > documentBytes {
		return client{}, errors.New("the client's document is too large")
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return client{}, fmt.Errorf("read the client's document: %w", err)
	}
	switch {
	case d.ID != id:
		return client{}, errors.New("the client's document is about another client_id")
	case d.Secret != nil || strings.HasPrefix(d.Method, "client_secret"):
		return client{}, errors.New("the client's document has a shared secret, which everybody can read")
	case d.JWKSURI != "":
		return client{}, errors.New("the client's document names its keys by URL; they must stand in it")
	case d.Method == "private_key_jwt" != (len(d.JWKS) > 0) || d.Method != "" && d.Method != "none" && d.Method != "private_key_jwt":
		return client{}, errors.New("the client's document proves the client in no known way")
	}
	if err := checkRedirects(d.Redirects); err != nil {
		return client{}, err
	}
	u, err := url.Parse(id)
	if err != nil {
		return client{}, fmt.Errorf("read the client_id: %w", err)
	}
	return client{ID: id, Name: shown(d.Name), Host: u.Host, Redirects: d.Redirects, JWKS: d.JWKS}, nil
}

func checkRedirects(all []string) error {
	if len(all) == 0 || len(all) > maxRedirects {
		return fmt.Errorf("a client has 1 to %d redirect URIs", maxRedirects)
	}
	for _, r := range all {
		if _, err := checkRedirect(r); err != nil {
			return err
		}
	}
	return nil
}

// shown makes text of a client fit for a page: short, one line, and without the
// characters that turn or hide text.
func shown(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n == 64 {
			b.WriteString("…")
			break
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfeff || r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

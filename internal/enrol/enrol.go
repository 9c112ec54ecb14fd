// Package enrol serves the pages at which programs get and renew their
// certificates: POST /enrol with a join token, POST /enrol/renew with the
// certificate that is about to end, GET /enrol/crl, and for the issuer of
// listeners GET /enrol/crl/listeners.
//
// It may ask the key ring for signatures and changes rows through Store, each
// change with its record. It deliberately takes nothing from a certificate
// request but its public key: the name comes from the registration that the
// token or the certificate is bound to. It makes no key, decides no call, and
// tells whoever has no valid token or certificate the same thing every time.
//
// Requests are PKCS #10 (RFC 2986) in PEM, answers a chain in PEM (RFC 8555,
// 9.1), the list is an X.509 CRL (RFC 5280).
package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// Lives of certificates that are enrolled with a join token. A renewed one
// lives as long as the one before it did.
const (
	clientLife = time.Hour
	serverLife = 24 * time.Hour
	mostLife   = 30 * 24 * time.Hour
)

// maxBody bounds a certificate request, bytes.
const maxBody = 16 << 10

// Component is an agent or a server that proved who it is.
type Component struct {
	Kind      string // client or server
	Name      string
	Serial    string // of the certificate that it showed
	NotBefore time.Time
	NotAfter  time.Time
}

// Store changes rows with their record in one transaction. admin.Own has it.
type Store interface {
	Noun(kind registry.NounKind, id string) (registry.Noun, error)
	ChangeRows(ctx context.Context, do func(registry.Store) ([]auditlog.Act, error)) error
	// CRL returns an issuer's signed list of revoked certificates, in DER.
	CRL(use keys.IssuerUse) (der []byte, next time.Time, err error)
}

// Config is what the pages are made of.
type Config struct {
	Ring  *keys.Ring
	Live  *registry.Live
	Store Store
	// Who returns the component whose verified certificate came with r, and
	// an error for anybody whom the path would refuse.
	Who   func(r *http.Request) (Component, error)
	Clock clock.Clock
	Log   func(msg string, err error)
}

// Pages serves the pages. It is safe for concurrent use.
type Pages struct {
	cfg   Config
	mux   *http.ServeMux
	limit limit

	mu    sync.Mutex // guards lists
	lists map[keys.IssuerUse]list
}

// New returns the pages.
func New(cfg Config) *Pages {
	p := &Pages{cfg: cfg, mux: http.NewServeMux(), lists: map[keys.IssuerUse]list{}}
	p.mux.HandleFunc("POST /enrol", p.enrol)
	p.mux.HandleFunc("POST /enrol/renew", p.renew)
	p.mux.HandleFunc("GET /enrol/crl", p.crl(keys.ForAgents))
	p.mux.HandleFunc("GET /enrol/crl/listeners", p.crl(keys.ForListeners))
	return p
}

// ServeHTTP serves one page.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	p.mux.ServeHTTP(w, r)
}

// errRefused is every refusal that tells nothing: the cause goes to logs.
var errRefused = errors.New("refused")

// enrol certifies one key for whom the join token names, and spends the token
// in the transaction that keeps the certificate.
func (p *Pages) enrol(w http.ResponseWriter, r *http.Request) {
	now := p.cfg.Clock.Now().UTC()
	if !p.limit.take(r.RemoteAddr, now) {
		busy(w)
		return
	}
	token := bearer(r)
	if err := p.valid(token, now); err != nil {
		p.refuse(w, r, err)
		return
	}
	request, ok := p.request(w, r)
	if !ok {
		return
	}
	var made keys.Issued
	err := p.cfg.Store.ChangeRows(r.Context(), func(s registry.Store) ([]auditlog.Act, error) {
		n, j, err := p.join(s, token, now)
		if err != nil {
			return nil, err
		}
		if err := s.DeleteNoun(n.Kind, n.ID); err != nil {
			return nil, err
		}
		to := keys.Component{Kind: "client", Name: n.Owner, Life: clientLife}
		if j.Server != "" {
			to = keys.Component{Kind: "server", Name: j.Server, Hosts: j.Hosts, Life: serverLife}
		}
		if made, err = p.issue(s, request, to); err != nil {
			return nil, err
		}
		return []auditlog.Act{act(auditlog.CertIssued, to, made, map[string]string{"join": n.ID})}, nil
	})
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	send(w, made)
}

// noun is the part of Store that reading a join token needs.
type noun interface {
	Noun(kind registry.NounKind, id string) (registry.Noun, error)
}

func (p *Pages) valid(token string, now time.Time) error {
	_, _, err := p.join(p.cfg.Store, token, now)
	return err
}

// join returns the join token. The hash is made and compared whether or not
// there is such a token, so that time does not tell.
func (p *Pages) join(s noun, token string, now time.Time) (registry.Noun, registry.Join, error) {
	var j registry.Join
	n, err := s.Noun(registry.KindJoin, keys.JoinID(token))
	if err == nil {
		j, err = registry.ValueOf[registry.Join](n)
	} else if !errors.Is(err, registry.ErrNotFound) {
		return n, j, err
	}
	equal := p.cfg.Ring.MatchToken(token, j.Hash)
	if err != nil || !equal || !now.Before(j.Expires) {
		return n, j, errRefused
	}
	return n, j, nil
}

// renew certifies a key for whom the certificate of this connection names.
func (p *Pages) renew(w http.ResponseWriter, r *http.Request) {
	now := p.cfg.Clock.Now().UTC()
	if !p.limit.take(r.RemoteAddr, now) {
		busy(w)
		return
	}
	who, err := p.cfg.Who(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	// Half of its life is when renewal begins; a little earlier is let
	// through for clocks that differ. Without this bound a stolen key could
	// fill the store.
	life := who.NotAfter.Sub(who.NotBefore)
	if early := who.NotBefore.Add(life * 2 / 5); now.Before(early) {
		fail(w, http.StatusConflict, "the certificate is too young to be renewed; come back at half of its life")
		return
	}
	request, ok := p.request(w, r)
	if !ok {
		return
	}
	to := keys.Component{Kind: who.Kind, Name: who.Name, Life: min(life-keys.Backdate, mostLife)}
	var made keys.Issued
	err = p.cfg.Store.ChangeRows(r.Context(), func(s registry.Store) ([]auditlog.Act, error) {
		var err error
		if to.Kind == "server" {
			if to.Hosts, err = hosts(s, who); err != nil {
				return nil, err
			}
		}
		if made, err = p.issue(s, request, to); err != nil {
			return nil, err
		}
		return []auditlog.Act{act(auditlog.CertRenewed, to, made, map[string]string{"before": who.Serial})}, nil
	})
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	send(w, made)
}

// hosts are those of the certificate that a server renews.
func hosts(s registry.Store, who Component) ([]string, error) {
	n, err := s.Noun(registry.KindComponentCert, who.Serial)
	if err != nil {
		return nil, err
	}
	c, err := registry.ValueOf[registry.ComponentCert](n)
	return c.Hosts, err
}

// issue signs and keeps a certificate for a component that may take part.
func (p *Pages) issue(s registry.Store, request keys.Request, to keys.Component) (keys.Issued, error) {
	if err := p.mayHave(s, to); err != nil {
		return keys.Issued{}, err
	}
	now := p.cfg.Clock.Now().UTC()
	made, err := p.cfg.Ring.CA().Enrol(request, to, now)
	if err != nil {
		return made, err
	}
	if to.Kind == "client" {
		return made, s.InsertCertificate(registry.Certificate{Serial: made.Serial, Agent: to.Name, NotAfter: made.NotAfter, CreatedAt: now})
	}
	n, err := registry.NewNoun(registry.KindComponentCert, made.Serial, "",
		registry.ComponentCert{Kind: to.Kind, Name: to.Name, Hosts: to.Hosts, Created: now, NotAfter: made.NotAfter})
	if err != nil {
		return made, err
	}
	return made, s.InsertNoun(n)
}

// mayHave refuses certificates for what was stopped since the token was made.
func (p *Pages) mayHave(s registry.Store, to keys.Component) error {
	view := p.cfg.Live.Load()
	if to.Kind == "client" {
		a, err := s.Agent(to.Name)
		if err != nil {
			return err
		}
		if a.State != registry.Active || view.Killed(to.Name, "", "") != "" {
			return errRefused
		}
		return nil
	}
	srv, err := s.Server(to.Name)
	if err != nil {
		return err
	}
	if srv.State == registry.Retired || srv.State == registry.Rejected || view.Killed("", to.Name, "") != "" {
		return errRefused
	}
	return nil
}

func act(kind auditlog.Kind, to keys.Component, made keys.Issued, detail map[string]string) auditlog.Act {
	detail["serial"], detail["until"] = made.Serial, made.NotAfter.UTC().Format(time.RFC3339)
	a := auditlog.Act{Kind: kind, Action: "enrol." + to.Kind, Subject: made.Serial, Change: detail}
	if to.Kind == "client" {
		a.Agent = to.Name
	} else {
		detail["server"] = to.Name
	}
	return a
}

// request reads the certificate request. Whoever gets here has proved who it
// is, so it is told what is wrong.
func (p *Pages) request(w http.ResponseWriter, r *http.Request) (keys.Request, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = keys.ErrRequest
	}
	var request keys.Request
	if err == nil {
		request, err = keys.ParseRequest(body)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return request, false
	}
	return request, true
}

// bearer returns the one bearer token of r, or "".
func bearer(r *http.Request) string {
	all := r.Header.Values("Authorization")
	if len(all) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(all[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, keys.JoinPrefix) || len(token) > 64 {
		return ""
	}
	return token
}

// refuse answers what everybody gets who may not have a certificate.
func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p.limit.failed(r.RemoteAddr)
	if !errors.Is(err, errRefused) {
		p.cfg.Log("a certificate was refused", err)
	}
	fail(w, http.StatusForbidden, "no certificate for this token or connection")
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	fail(w, http.StatusTooManyRequests, "too many requests from this address")
}

func fail(w http.ResponseWriter, status int, why string) {
	body, err := json.Marshal(map[string]string{"error": why})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, append(body, '\n'))
}

func send(w http.ResponseWriter, made keys.Issued) {
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	w.WriteHeader(http.StatusOK)
	write(w, made.Chain)
}

func write(w http.ResponseWriter, data []byte) {
	if _, err := w.Write(data); err != nil {
		return // the peer is gone
	}
}

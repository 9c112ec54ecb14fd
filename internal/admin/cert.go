package admin

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	neturl "net/url"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// joinLife is how long a join token waits to be used.
const joinLife = 15 * time.Minute

// componentLife is how long a certificate of a server or gateway lives when it
// is handed out as a file.
const componentLife = 24 * time.Hour

// crlLife is when outsiders fetch the list of revoked certificates again.
const crlLife = time.Hour

// CertQuery selects certificates; the zero value selects all that are in force.
type CertQuery struct {
	Name   string `json:"name,omitempty"`   // of the agent, server or gateway
	Serial string `json:"serial,omitempty"` // exactly one
	All    bool   `json:"all,omitempty"`    // also those that ended
}

// CertView is a certificate that the gateway issued.
type CertView struct {
	Serial    string     `json:"serial"`
	Kind      string     `json:"kind"` // client, server or gateway
	Name      string     `json:"name"`
	State     string     `json:"state"` // valid, expired or revoked
	SPIFFE    string     `json:"spiffeId"`
	Hosts     []string   `json:"hosts,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	NotAfter  time.Time  `json:"notAfter"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
}

// RevokeCert ends a certificate for good.
type RevokeCert struct {
	Change
	Serial string `json:"serial"`
}

// IssueComponent makes a certificate for a server that ends TLS itself, or for
// the gateway itself.
type IssueComponent struct {
	Change
	Server  string   `json:"server,omitempty"`  // a registered server, or
	Gateway bool     `json:"gateway,omitempty"` // this gateway, towards servers
	Hosts   []string `json:"hosts,omitempty"`   // default: the host of the server's URL
	Life    Duration `json:"life,omitempty"`    // default 24h; at most 30 days
}

// JoinToken makes a join token for an agent or a server.
type JoinToken struct {
	Change
	Agent  string   `json:"agent,omitempty"`
	Server string   `json:"server,omitempty"`
	Hosts  []string `json:"hosts,omitempty"` // of the server; default: the host of its URL
}

// NewJoin is a join token, which is shown only here.
type NewJoin struct {
	ID        string    `json:"id"`
	For       string    `json:"for"` // client NAME or server NAME
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	CAPEM     []byte    `json:"caPem"` // what to trust the gateway with
}

// String hides the token.
func (n NewJoin) String() string { return "join token " + n.ID }

// GoString hides the token.
func (n NewJoin) GoString() string { return n.String() }

// CRL is the signed lists of revoked certificates, one of each issuer.
type CRL struct {
	PEM  []byte    `json:"pem"`
	Next time.Time `json:"next"`
}

// Certificates lists certificates, those in force first by name.
func (o *operator) Certificates(_ context.Context, q CertQuery) ([]CertView, error) {
	all, err := o.certificates(o.cfg.Store)
	if err != nil {
		return nil, asError("certificates", err)
	}
	all = slices.DeleteFunc(all, func(v CertView) bool {
		return q.Name != "" && v.Name != q.Name || q.Serial != "" && v.Serial != q.Serial || !q.All && q.Serial == "" && v.State != "valid"
	})
	if q.Serial != "" && len(all) == 0 {
		return nil, asError("certificate "+q.Serial, registry.ErrNotFound)
	}
	return all, nil
}

func (o *operator) certificates(s registry.Store) ([]CertView, error) {
	now, views := o.cfg.Clock.Now(), []CertView{}
	ended, err := revocations(s)
	if err != nil {
		return nil, err
	}
	add := func(v CertView, revoked bool) {
		v.SPIFFE = o.cfg.Ring.CA().ID(v.Kind, v.Name).String()
		v.State = "valid"
		if !now.Before(v.NotAfter) {
			v.State = "expired"
		}
		if at, there := ended[v.Serial]; there || revoked {
			v.State = "revoked"
			if there {
				v.RevokedAt = &at
			}
		}
		views = append(views, v)
	}
	certs, err := s.Certificates()
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		add(CertView{Serial: c.Serial, Kind: "client", Name: c.Agent, CreatedAt: c.CreatedAt, NotAfter: c.NotAfter}, c.Revoked)
	}
	parts, err := s.Nouns(registry.KindComponentCert)
	if err != nil {
		return nil, err
	}
	for _, n := range parts {
		c, err := registry.ValueOf[registry.ComponentCert](n)
		if err != nil {
			return nil, err
		}
		add(CertView{Serial: n.ID, Kind: c.Kind, Name: c.Name, Hosts: c.Hosts, CreatedAt: c.Created, NotAfter: c.NotAfter}, false)
	}
	slices.SortStableFunc(views, func(a, b CertView) int {
		return compare(a.Kind+" "+a.Name+" "+a.Serial, b.Kind+" "+b.Name+" "+b.Serial)
	})
	return views, nil
}

func revocations(s registry.NounStore) (map[string]time.Time, error) {
	all, err := s.Nouns(registry.KindRevocation)
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Time, len(all))
	for _, n := range all {
		r, err := registry.ValueOf[registry.Revocation](n)
		if err != nil {
			return nil, err
		}
		out[n.ID] = r.At
	}
	return out, nil
}

// RevokeCertificate ends a certificate: its next request is refused, its calls
// and streams under way end, its connections are closed.
func (o *operator) RevokeCertificate(_ context.Context, r RevokeCert) (Done[CertView], error) {
	var out Done[CertView]
	var view CertView
	t := &act{kind: "cert.revoke", subject: r.Serial, noun: registry.NounRef{Kind: registry.KindRevocation, ID: r.Serial}, what: "certificate " + r.Serial, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		now := o.cfg.Clock.Now().UTC()
		kind, owner, until, err := holderOf(s, r.Serial)
		if err != nil {
			return nil, err
		}
		if kind == "client" {
			t.agent = owner
			if err := s.RevokeCertificate(r.Serial); err != nil {
				return nil, err
			}
		}
		n, err := registry.NewNoun(registry.KindRevocation, r.Serial, owner, registry.Revocation{At: now, NotAfter: until})
		if err != nil {
			return nil, err
		}
		if err := s.InsertNoun(n); err != nil && !errors.Is(err, registry.ErrExists) {
			return nil, err
		}
		all, err := o.certificates(s)
		if i := slices.IndexFunc(all, func(v CertView) bool { return v.Serial == r.Serial }); i >= 0 {
			view = all[i]
		}
		return map[string]string{"serial": r.Serial}, err
	})
	if err != nil {
		return out, err
	}
	return Done[CertView]{!r.DryRun, view, []string{}}, nil
}

// holderOf returns whose certificate it is; owner is empty unless an agent's.
func holderOf(s registry.Store, serial string) (kind, owner string, until time.Time, err error) {
	c, err := s.Certificate(serial)
	if err == nil {
		return "client", c.Agent, c.NotAfter, nil
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return "", "", until, err
	}
	n, err := s.Noun(registry.KindComponentCert, serial)
	if err != nil {
		return "", "", until, err
	}
	p, err := registry.ValueOf[registry.ComponentCert](n)
	return p.Kind, "", p.NotAfter, err
}

// IssueComponent makes a certificate with its key, shown only here.
func (o *operator) IssueComponent(_ context.Context, r IssueComponent) (Done[Credentials], error) {
	var out Done[Credentials]
	life := time.Duration(r.Life)
	if life == 0 {
		life = componentLife
	}
	if life < time.Minute || life > certificateLife || (r.Server == "") == !r.Gateway {
		return out, invalid("name one server or the gateway, and a life of 1m to 720h", "that certificate cannot be issued")
	}
	var cred Credentials
	t := &act{kind: "cert.issue", what: "server " + r.Server, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		now := o.cfg.Clock.Now().UTC()
		to := keys.Component{Kind: "gateway", Name: "gateway", Life: life}
		if r.Server != "" {
			hosts, err := hostsOf(s, r.Server, r.Hosts)
			if err != nil {
				return nil, err
			}
			to.Kind, to.Name, to.Hosts = "server", r.Server, hosts
		}
		made, key, err := o.cfg.Ring.CA().IssueComponent(to, now)
		if err != nil {
			return nil, err
		}
		t.subject, t.noun = made.Serial, registry.NounRef{Kind: registry.KindComponentCert, ID: made.Serial}
		cred = Credentials{Agent: to.Name, Serial: made.Serial, NotAfter: made.NotAfter, CertPEM: made.Chain, KeyPEM: key, CAPEM: o.cfg.Ring.CA().RootPEM()}
		n, err := registry.NewNoun(registry.KindComponentCert, made.Serial, "",
			registry.ComponentCert{Kind: to.Kind, Name: to.Name, Hosts: to.Hosts, Created: now, NotAfter: made.NotAfter})
		if err == nil {
			err = s.InsertNoun(n)
		}
		return map[string]string{"serial": made.Serial, "until": made.NotAfter.UTC().Format(time.RFC3339)}, err
	})
	if err != nil {
		return out, err
	}
	if r.DryRun {
		cred = Credentials{Agent: cred.Agent, NotAfter: cred.NotAfter}
	}
	return Done[Credentials]{!r.DryRun, cred, []string{}}, nil
}

// hostsOf returns the names of a server's certificate.
func hostsOf(s registry.Store, id string, given []string) ([]string, error) {
	srv, err := s.Server(id)
	if err != nil {
		return nil, err
	}
	if srv.State == registry.Retired || srv.State == registry.Rejected {
		return nil, wrongState("server "+id, srv.State, "it gets no certificate")
	}
	if len(given) == 0 {
		if u, err := neturl.Parse(srv.URL); err == nil && u.Hostname() != "" {
			given = []string{u.Hostname()}
		}
	}
	if len(given) == 0 || len(given) > 16 {
		return nil, invalid("add --host NAME", "the certificate of server %s needs between one and 16 host names", id)
	}
	for _, h := range given {
		if net.ParseIP(h) == nil && !plainHost(h) {
			return nil, invalid("use a DNS name or an IP address", "%q is not a host name; wildcards are not issued", h)
		}
	}
	return given, nil
}

func plainHost(h string) bool {
	if h == "" || len(h) > 253 || strings.Trim(h, "-.") != h {
		return false
	}
	for i := range len(h) {
		if c := h[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// CreateJoinToken makes a join token, bound to a registered agent or server.
func (o *operator) CreateJoinToken(_ context.Context, r JoinToken) (Done[NewJoin], error) {
	var out Done[NewJoin]
	if (r.Agent == "") == (r.Server == "") {
		return out, invalid("name an agent or a server", "a join token is for one of them")
	}
	now := o.cfg.Clock.Now().UTC()
	token, id, hash := o.cfg.Ring.NewJoinToken()
	made := NewJoin{ID: id, For: "client " + r.Agent, Token: token, ExpiresAt: now.Add(joinLife), CAPEM: o.cfg.Ring.CA().RootPEM()}
	t := &act{kind: "cert.join-token", subject: id, agent: r.Agent, noun: registry.NounRef{Kind: registry.KindJoin, ID: id}, what: "agent " + r.Agent, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		j := registry.Join{Hash: hash, Server: r.Server, Created: now, Expires: made.ExpiresAt}
		if r.Server == "" {
			if err := active(s, r.Agent); err != nil {
				return nil, err
			}
		} else {
			t.what, made.For = "server "+r.Server, "server "+r.Server
			var err error
			if j.Hosts, err = hostsOf(s, r.Server, r.Hosts); err != nil {
				return nil, err
			}
		}
		n, err := registry.NewNoun(registry.KindJoin, id, r.Agent, j)
		if err == nil {
			err = s.InsertNoun(n)
		}
		return map[string]string{"token": id, "server": r.Server}, err
	})
	if err != nil {
		return out, err
	}
	if r.DryRun {
		made.Token = ""
	}
	return Done[NewJoin]{!r.DryRun, made, []string{}}, nil
}

// RevocationList signs the lists of revoked certificates that have not expired:
// that of the issuer of agents, then that of the issuer of listeners.
func (o *operator) RevocationList(context.Context, None) (CRL, error) {
	var out CRL
	for _, use := range []keys.IssuerUse{keys.ForAgents, keys.ForListeners} {
		der, next, err := o.Admin.Own().CRL(use)
		if err != nil {
			return CRL{}, asError("the revocation list", err)
		}
		out.PEM, out.Next = append(out.PEM, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...), next
	}
	return out, nil
}

// CRL returns an issuer's list of revoked certificates in DER, and when it is to
// be fetched again. The certificates of an agent that was retired or erased are
// not in it: nobody but this gateway takes them.
func (o Own) CRL(use keys.IssuerUse) (der []byte, next time.Time, err error) {
	a := o.admin
	now := a.cfg.Clock.Now().UTC()
	all, err := (&operator{Admin: a}).certificates(a.cfg.Store)
	if err != nil {
		return nil, next, err
	}
	var ended []keys.Ended
	for _, v := range all {
		if v.State != "revoked" || !now.Before(v.NotAfter) || (v.Kind == "server") != (use == keys.ForListeners) {
			continue
		}
		at := v.CreatedAt
		if v.RevokedAt != nil {
			at = *v.RevokedAt
		}
		ended = append(ended, keys.Ended{Serial: v.Serial, At: at})
	}
	der, err = a.cfg.Ring.CA().CRL(use, ended, crlLife, now)
	return der, now.Add(crlLife), err
}

// ChangeRows is Change with all rows of the registry.
func (o Own) ChangeRows(ctx context.Context, do func(registry.Store) ([]auditlog.Act, error)) error {
	return o.Change(ctx, func(n registry.NounStore) ([]auditlog.Act, error) {
		rows, ok := n.(registry.Store)
		if !ok {
			return nil, errors.New("the transaction does not hold all rows")
		}
		return do(rows)
	})
}

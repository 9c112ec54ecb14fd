package admin

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// CAAPI is about the gateway's own certificate authority.
type CAAPI interface {
	Authority(context.Context, None) (AuthorityView, error)
	ExportRoot(context.Context, ExportRoot) (Done[ExportedRoot], error)
	DropRoot(context.Context, DropRoot) (Done[AuthorityView], error)
	RequestIssuers(context.Context, RequestIssuers) (Done[IssuerRequests], error)
	ImportIssuers(context.Context, ImportIssuers) (Done[AuthorityView], error)
}

// AuthorityView is the authority as operators see it; it holds no key.
type AuthorityView struct {
	TrustDomain string       `json:"trustDomain"`
	Root        string       `json:"root"` // its serial
	RootEnds    time.Time    `json:"rootEnds"`
	RootKey     string       `json:"rootKey"` // here or away
	Issuers     []IssuerView `json:"issuers"`
}

// IssuerView is one issuer.
type IssuerView struct {
	Use      keys.IssuerUse `json:"use"` // agents or listeners
	Serial   string         `json:"serial"`
	NotAfter time.Time      `json:"notAfter"`
	Waiting  bool           `json:"waiting,omitempty"` // its next key waits for a certificate
	Names    []string       `json:"names,omitempty"`   // what it may name alone: DNS names and networks
}

// ExportRoot seals the root with its key, to be kept elsewhere.
type ExportRoot struct {
	Change
	Recipient  string `json:"recipient,omitempty"` // age1..., or
	Passphrase []byte `json:"passphrase,omitempty"`
}

// String hides the passphrase.
func (e ExportRoot) String() string { return "export of the root" }

// GoString hides the passphrase.
func (e ExportRoot) GoString() string { return e.String() }

// ExportedRoot is an age file. The root's key stays on the machine until
// DropRoot.
type ExportedRoot struct {
	Root   string `json:"root"` // serial
	Sealed []byte `json:"sealed"`
}

// DropRoot removes the root's key from the machine.
type DropRoot struct {
	Change
	Root string `json:"root"` // serial of the root that was exported
}

// RequestIssuers makes the next issuers' keys.
type RequestIssuers struct{ Change }

// IssuerRequests are requests for their certificates.
type IssuerRequests struct {
	PEM []byte `json:"pem"`
}

// ImportIssuers takes certificates that the root made elsewhere.
type ImportIssuers struct {
	Change
	PEM []byte `json:"pem"`
}

// Authority describes the certificate authority.
func (o *operator) Authority(context.Context, None) (AuthorityView, error) {
	return viewAuthority(o.cfg.Ring.CA().Describe()), nil
}

func viewAuthority(a keys.AuthorityInfo) AuthorityView {
	v := AuthorityView{TrustDomain: a.Domain, Root: keys.Serial(a.Root), RootEnds: a.Root.NotAfter, RootKey: "here"}
	if a.Offline {
		v.RootKey = "away"
	}
	for _, use := range []keys.IssuerUse{keys.ForAgents, keys.ForListeners} {
		cert := a.Issuers[use]
		if cert == nil {
			continue
		}
		i := IssuerView{Use: use, Serial: keys.Serial(cert), NotAfter: cert.NotAfter, Names: keys.Hosts(cert)}
		for _, w := range a.Waiting {
			i.Waiting = i.Waiting || w == use
		}
		v.Issuers = append(v.Issuers, i)
	}
	return v
}

// ExportRoot seals the root. Who can open the file can make certificates for
// this gateway, so that the export is recorded and needs a reason.
func (o *operator) ExportRoot(_ context.Context, r ExportRoot) (Done[ExportedRoot], error) {
	var out Done[ExportedRoot]
	if err := reasoned(r.Change, "the root is exported"); err != nil {
		return out, err
	}
	if (r.Recipient == "") == (len(r.Passphrase) == 0) {
		return out, invalid("name a recipient or a passphrase", "it is sealed to one of them")
	}
	ca := o.cfg.Ring.CA()
	sealed, err := ca.ExportRoot(keys.Sealing{Recipient: r.Recipient, Passphrase: r.Passphrase})
	if err != nil {
		return out, asCAError(err)
	}
	root := keys.Serial(ca.Describe().Root)
	t := &act{kind: "ca.export-root", subject: root, what: "the root", Change: r.Change}
	if err := o.change(t, func(store.Store) (any, error) { return map[string]string{"root": root}, nil }); err != nil {
		return out, err
	}
	if r.DryRun {
		sealed = nil
	}
	return Done[ExportedRoot]{!r.DryRun, ExportedRoot{root, sealed}, []string{}}, nil
}

// DropRoot removes the root's key. It is recorded first: a process that dies in
// between still has the key, and the command is run again.
func (o *operator) DropRoot(_ context.Context, r DropRoot) (Done[AuthorityView], error) {
	var out Done[AuthorityView]
	if err := reasoned(r.Change, "the root's key is removed"); err != nil {
		return out, err
	}
	ca := o.cfg.Ring.CA()
	info := ca.Describe()
	if info.Offline {
		return out, asCAError(keys.ErrRootAway)
	}
	if root := keys.Serial(info.Root); r.Root != root {
		return out, invalid("export it first: ostiary ca export-root", "the root of this gateway is %s", root)
	}
	t := &act{kind: "ca.drop-root", subject: r.Root, what: "the root's key", Change: r.Change}
	if err := o.change(t, func(store.Store) (any, error) { return map[string]string{"root": r.Root}, nil }); err != nil {
		return out, err
	}
	if !r.DryRun {
		if err := ca.DropRoot(o.cfg.Clock.Now()); err != nil {
			return out, asCAError(err)
		}
	}
	notices := append(backupNotices(o.keyBackups()), "before the issuers end, ask for the next ones: ostiary ca request-issuers")
	return Done[AuthorityView]{!r.DryRun, viewAuthority(ca.Describe()), notices}, nil
}

// RequestIssuers makes the next issuers' keys and asks for their certificates.
func (o *operator) RequestIssuers(_ context.Context, r RequestIssuers) (Done[IssuerRequests], error) {
	var out Done[IssuerRequests]
	t := &act{kind: "ca.request-issuers", what: "the issuers", Change: r.Change}
	if err := o.change(t, func(store.Store) (any, error) { return nil, nil }); err != nil {
		return out, err
	}
	if r.DryRun {
		return out, nil
	}
	text, err := o.cfg.Ring.CA().RequestIssuers()
	if err != nil {
		return out, asCAError(err)
	}
	return Done[IssuerRequests]{true, IssuerRequests{text}, []string{
		"where the root is: ostiary ca issue-intermediate; then here: ostiary ca import-issuer"}}, nil
}

// ImportIssuers takes the next issuers. Certificates of the ones before stay
// good until they end.
func (o *operator) ImportIssuers(_ context.Context, r ImportIssuers) (Done[AuthorityView], error) {
	var out Done[AuthorityView]
	ca, now := o.cfg.Ring.CA(), o.cfg.Clock.Now()
	t := &act{kind: "ca.import-issuer", what: "the issuers", Change: r.Change}
	err := o.change(t, func(store.Store) (any, error) {
		taken, err := ca.CheckIssuers(r.PEM, o.listeners(), now)
		if err != nil {
			return nil, asCAError(err)
		}
		return map[string]any{"issuers": taken}, nil
	})
	if err != nil {
		return out, err
	}
	if !r.DryRun {
		if _, err := ca.ImportIssuers(r.PEM, o.listeners(), now); err != nil {
			return out, asCAError(err)
		}
	}
	return Done[AuthorityView]{!r.DryRun, viewAuthority(ca.Describe()), []string{}}, nil
}

// listeners are the hosts that the gateway's own listeners need certificates for.
func (o *operator) listeners() []string {
	if o.cfg.Listeners == nil {
		return nil
	}
	return o.cfg.Listeners()
}

// asCAError turns an error of the authority into an *Error.
func asCAError(err error) error {
	for _, one := range []struct {
		is   error
		code Code
		fix  string
	}{
		{keys.ErrRootAway, Conflict, "it was exported before; issue-intermediate needs that file"},
		{keys.ErrNoRequest, Invalid, "ask for issuers here first: ostiary ca request-issuers; a later request replaces an earlier one"},
		{keys.ErrBadIssuer, Invalid, "make it with ostiary ca issue-intermediate and this gateway's root"},
		{keys.ErrPassphrase, Invalid, "name a file or variable that holds it"},
		{keys.ErrFIPS, Invalid, "use a build without strict FIPS mode for the export"},
	} {
		if errors.Is(err, one.is) {
			return &Error{Code: one.code, Message: one.is.Error(), Cause: err.Error(), Fix: one.fix}
		}
	}
	return asError("the certificate authority", err)
}

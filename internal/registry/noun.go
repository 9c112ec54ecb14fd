package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A NounKind is a kind of stored value beside servers, agents, their
// credentials and grants. The kinds are a closed set: nounKinds.
type NounKind string

// NounRef names one noun.
type NounRef struct {
	Kind NounKind
	ID   string
}

// Noun is one stored value. Body is the JSON of the type that nounKinds names
// for the kind; it holds no name of a person, but their pseudonym.
type Noun struct {
	Kind     NounKind
	ID       string // at most 512 bytes; when it is Owner, it is stored as a pseudonym
	Owner    string // person or agent that it belongs to and is erased with; "" = nobody
	Body     []byte // at most 1 MiB
	Revision int64  // compare-and-set, as a server's
}

// nounKind says how values of a kind are read, and whether the data path sees
// them: what is many and rarely asked for stays in the store.
type nounKind struct {
	parse func([]byte) (any, error)
	live  bool
}

// nounKinds is the table of kinds. A new kind is a file with its type and a
// line here.
func nounKinds() map[NounKind]nounKind {
	return map[NounKind]nounKind{
		KindForeign:        {parseNoun[Foreign], true},
		KindRevokedJWT:     {parseNoun[RevokedJWT], true},
		KindCredential:     {parseNoun[Credential], true},
		KindUpstream:       {parseNoun[UpstreamToken], false},
		KindPolicy:         {parseNoun[Policy], true},
		KindPolicyVersion:  {parseNoun[Policy], false},
		KindPolicyProposal: {parseNoun[PolicyProposal], false},
		KindAccessRequest:  {parseNoun[AccessRequest], false},
		KindKill:           {parseNoun[Kill], true},
		KindJoin:           {parseNoun[Join], false},
		KindComponentCert:  {parseNoun[ComponentCert], false},
		KindRevocation:     {parseNoun[Revocation], true},
		KindApproval:       {parseNoun[Approval], true},
		KindBypass:         {parseNoun[Bypass], true},
		KindLimit:          {parseNoun[Limit], true},
		KindQuota:          {parseNoun[Quota], false},
		KindLogin:          {parseNoun[Login], true},
		KindOAuthClient:    {parseNoun[OAuthClient], true},
		KindCode:           {parseNoun[Code], false},
		KindRefresh:        {parseNoun[Refresh], false},
		KindDevice:         {parseNoun[Device], false},
		KindPerson:         {parseNoun[Person], true},
		KindFilter:         {parseNoun[Filter], true},
		KindFilterVersion:  {parseNoun[Filter], false},
		KindReveal:         {parseNoun[Reveal], false},
	}
}

// NounKinds returns every kind, sorted.
func NounKinds() []NounKind { return slices.Sorted(maps.Keys(nounKinds())) }

// Lives reports whether values of the kind stand in a Snapshot.
func (k NounKind) Lives() bool { return nounKinds()[k].live }

// parseNoun reads exactly one JSON object with known members.
func parseNoun[T any](body []byte) (any, error) {
	v := new(T)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("something follows the value")
	}
	return v, nil
}

// CheckNoun returns why n must not be stored.
func CheckNoun(n Noun) error {
	kind, known := nounKinds()[n.Kind]
	switch {
	case !known:
		return fmt.Errorf("there is no kind %q", n.Kind)
	case n.ID == "" || len(n.ID) > 512 || strings.ContainsRune(n.ID, 0):
		return fmt.Errorf("a %s has no usable id", n.Kind)
	case len(n.Body) > 1<<20:
		return fmt.Errorf("a %s is larger than 1 MiB", n.Kind)
	case n.Revision < 0:
		return fmt.Errorf("a %s has a negative revision", n.Kind)
	}
	if _, err := kind.parse(n.Body); err != nil {
		return fmt.Errorf("a %s cannot be read: %w", n.Kind, err)
	}
	return nil
}

// NewNoun returns the noun that holds v.
func NewNoun(kind NounKind, id, owner string, v any) (Noun, error) {
	body, err := json.Marshal(v)
	n := Noun{Kind: kind, ID: id, Owner: owner, Body: body}
	if err == nil {
		err = CheckNoun(n)
	}
	if err != nil {
		return Noun{}, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	return n, nil
}

// ValueOf returns what a noun of the store holds. T is the type of its kind.
func ValueOf[T any](n Noun) (T, error) {
	v, err := parseNoun[T](n.Body)
	if err != nil {
		var none T
		return none, fmt.Errorf("%s %s: %w", n.Kind, n.ID, err)
	}
	return *v.(*T), nil
}

// liveNoun is a noun in a Snapshot, parsed once.
type liveNoun struct {
	Noun
	value any // *T of the kind's type
}

// NounStore keeps nouns; the promises are those of Store.
type NounStore interface {
	Nouns(NounKind) ([]Noun, error)            // by id
	Noun(NounKind, string) (Noun, error)       // ErrNotFound
	InsertNoun(Noun) error                     // ErrExists
	UpdateNoun(Noun) error                     // ErrNotFound, ErrConflict
	DeleteNoun(kind NounKind, id string) error // ErrNotFound
}

// Get returns what the snapshot holds under kind and id, or nil. T is the type
// of the kind, whose values must live in snapshots.
func Get[T any](s *Snapshot, kind NounKind, id string) *T {
	if s == nil {
		return nil
	}
	n := s.nouns[kind][id]
	if n == nil {
		return nil
	}
	v, _ := n.value.(*T)
	return v
}

// All calls fn for every value of a kind in the snapshot, in no order.
func All[T any](s *Snapshot, kind NounKind, fn func(n *Noun, v *T)) {
	if s == nil {
		return
	}
	for _, n := range s.nouns[kind] {
		if v, ok := n.value.(*T); ok {
			fn(&n.Noun, v)
		}
	}
}

// WithNouns returns s with the nouns put and those of gone taken out, as
// Patch does. A noun that cannot be read is an error: nothing is decided by a
// view that is not whole.
func (s *Snapshot) WithNouns(put []Noun, gone []NounRef) (*Snapshot, error) {
	out := s.copy()
	out.nouns = maps.Clone(s.nouns)
	if out.nouns == nil {
		out.nouns = map[NounKind]map[string]*liveNoun{}
	}
	fresh := map[NounKind]bool{}
	of := func(kind NounKind) map[string]*liveNoun {
		if !fresh[kind] {
			fresh[kind] = true
			if out.nouns[kind] = maps.Clone(out.nouns[kind]); out.nouns[kind] == nil {
				out.nouns[kind] = map[string]*liveNoun{}
			}
		}
		return out.nouns[kind]
	}
	for _, n := range put {
		kind, known := nounKinds()[n.Kind]
		if !known {
			return nil, fmt.Errorf("there is no kind %q", n.Kind)
		}
		if !kind.live {
			continue
		}
		v, err := kind.parse(n.Body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", n.Kind, n.ID, err)
		}
		of(n.Kind)[n.ID] = &liveNoun{n, v}
	}
	for _, ref := range gone {
		if _, ok := out.nouns[ref.Kind][ref.ID]; ok {
			delete(of(ref.Kind), ref.ID)
		}
	}
	return out, nil
}

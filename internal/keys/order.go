package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// What an order is for.
const (
	OrderRotate  = "rotate"
	OrderMove    = "move"    // the root key went elsewhere
	OrderRecover = "recover" // the root key's file was made anew
)

// Order is a new key on its way into use, and into the log. It stands in the
// keystore until both are so, so that a process that dies in between neither
// uses a key that the log does not tell of nor loses what the log tells: the
// caller writes the entry between Prepare and Fulfil, and looks for it at start.
type Order struct {
	Act         string    `json:"act"`
	Name        string    `json:"name"` // a purpose, TenantKey or RootKey
	KeyID       string    `json:"key_id"`
	Version     uint32    `json:"version,omitempty"`
	Old         string    `json:"old,omitempty"` // id of the key before
	At          time.Time `json:"at"`
	Compromised bool      `json:"compromised,omitempty"`
	// Generation is the keystore's that has the order: an entry with an older one
	// is not its entry.
	Generation uint64    `json:"generation"`
	Handover   *Rotation `json:"handover,omitempty"` // of a signing key
	// Done says that the key is in use already. Tenant and root key wrap keys and
	// nothing else: what wraps them is written at once, or not at all.
	Done bool `json:"done"`
}

// order is an Order with its key, which only a waiting one has.
type order struct {
	Order
	key *dek
}

type orderDoc struct {
	Order
	Sealed []byte `json:"sealed,omitempty"` // seal record of the waiting key's 32 bytes
}

func (o Order) same(p Order) bool {
	return o.Name == p.Name && o.KeyID == p.KeyID && o.Generation == p.Generation
}

// give adds an order to s, which is about to be saved.
func (s *state) give(o order) Order {
	o.Generation = s.generation + 1
	s.orders = append(slices.DeleteFunc(s.orders, func(p order) bool { return p.Name == o.Name && !p.Done }), o)
	return o.Order
}

// orderDocs returns the documents of the orders.
func (s *state) orderDocs() ([]orderDoc, error) {
	var all []orderDoc
	for _, o := range s.orders {
		d := orderDoc{Order: o.Order}
		if o.key != nil {
			var err error
			if d.Sealed, err = wrap(s.tenant.key, o.Name, o.key); err != nil {
				return nil, err
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// openOrders is the opposite of orderDocs.
func (s *state) openOrders(all []orderDoc) error {
	for _, d := range all {
		o := order{Order: d.Order}
		if d.Done != (d.Sealed == nil) || !d.Done && !slices.Contains(purposes(), Purpose(d.Name)) {
			return fmt.Errorf("%w: an order for %.40q has another form", ErrDamaged, d.Name)
		}
		if d.Sealed != nil {
			var err error
			if o.key, err = unwrap(s.tenant.key, d.Name, d.KeyID, d.Sealed); err != nil {
				return err
			}
		}
		s.orders = append(s.orders, o)
	}
	return nil
}

// Prepare makes the next key of a name, as Rotate does, and keeps it aside: no
// value is sealed or signed with it until Fulfil. Order.Done says what cannot
// wait.
func (r *Ring) Prepare(name string, o RotateOptions) (Order, error) {
	if o.now.IsZero() {
		o.now = clock.Clock{}.Now().UTC().Truncate(time.Second)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readOnly {
		return Order{}, fmt.Errorf("rotate %s: %w", name, ErrReadOnly)
	}
	var out Order
	var err error
	switch p := Purpose(name); {
	case name == RootKey:
		out, err = r.rotateRoot(o)
	case name == TenantKey:
		out, err = r.rotateTenant(o)
	case p == RowIndex:
		err = fmt.Errorf("%w: every stored row is found by %s", ErrPurpose, p)
	case !slices.Contains(purposes(), p):
		err = fmt.Errorf("%w: it is one of %v, %s and %s", ErrPurpose, purposes(), TenantKey, RootKey)
	default:
		out, err = r.prepare(p, o)
	}
	if err != nil {
		return out, fmt.Errorf("rotate %s: %w", name, err)
	}
	return out, nil
}

func (r *Ring) prepare(p Purpose, o RotateOptions) (Order, error) {
	next := r.state.Load().clone()
	list := next.keys[p]
	old := list[len(list)-1]
	made := order{key: newDEK(), Order: Order{Act: OrderRotate, Name: string(p), Version: old.number + 1, Old: old.key.hexID(),
		At: o.now, Compromised: o.Compromised}}
	made.KeyID = made.key.hexID()
	if signs(p) {
		t := newRotation(p, made.Version, ed25519Of(old.key), ed25519Of(made.key), o)
		made.Handover = &t
	}
	out := next.give(made)
	return out, r.save(next)
}

// Fulfil takes the ordered key into use. It can be repeated.
func (r *Ring) Fulfil(o Order) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	at := slices.IndexFunc(next.orders, func(p order) bool { return p.same(o) })
	if at < 0 {
		return fmt.Errorf("rotate %s: %w", o.Name, ErrNoOrder)
	}
	made := next.orders[at]
	next.orders = slices.Delete(next.orders, at, at+1)
	p := Purpose(made.Name)
	if made.key != nil {
		if list := next.keys[p]; list[len(list)-1].number+1 != made.Version {
			return fmt.Errorf("rotate %s: %w: another key came before it", o.Name, ErrNoOrder)
		}
		next.bump(p, made.key, made.At)
		if made.Compromised {
			next.distrust(p)
		}
		if made.Handover != nil {
			next.rotations = append(next.rotations, *made.Handover)
		}
	}
	err := r.save(next)
	if err == nil && made.key != nil {
		err = r.adopt(p, next)
	}
	if err != nil {
		return fmt.Errorf("rotate %s: %w", o.Name, err)
	}
	return nil
}

// adopt lets what is beside the keystore follow a new key of p. The subjects'
// old key is kept until their file is under the new one, so that a kill in
// between loses nobody (TestRotateSubjectsKilled).
func (r *Ring) adopt(p Purpose, s *state) error {
	switch p {
	case LogSigning:
		r.handover.Clear()
	case Authority:
		return r.ca.reseal()
	case Subjects:
		return r.subjects.rewrap(s)
	}
	return nil
}

// ErrInPlace says that a key is in use and its order cannot be taken back.
var ErrInPlace = errors.New("the new key is in use already")

// Withdraw takes back an order that was not recorded.
func (r *Ring) Withdraw(o Order) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	at := slices.IndexFunc(next.orders, func(p order) bool { return p.same(o) })
	switch {
	case at < 0:
		return fmt.Errorf("take back a new key of %s: %w", o.Name, ErrNoOrder)
	case next.orders[at].Done:
		return fmt.Errorf("take back a new key of %s: %w", o.Name, ErrInPlace)
	}
	next.orders = slices.Delete(next.orders, at, at+1)
	if err := r.save(next); err != nil {
		return fmt.Errorf("take back a new key of %s: %w", o.Name, err)
	}
	return nil
}

// Orders returns the orders that were not fulfilled yet.
func (r *Ring) Orders() []Order {
	var all []Order
	for _, o := range r.state.Load().orders {
		all = append(all, o.Order)
	}
	return all
}

package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// invitationLife is how long an invitation is open.
const invitationLife = 15 * time.Minute

// maxPeople bounds them: each is in every view.
const maxPeople = 10_000

// UserAPI is what operators do about people.
type UserAPI interface {
	InviteUser(context.Context, InviteUser) (Done[Invitation], error)
	SetUser(context.Context, SetUser) (Done[UserView], error)
	MoveUser(context.Context, MoveUser) (Done[UserView], error)
	Users(context.Context, None) ([]UserView, error)
	User(context.Context, ID) (UserView, error)
}

// InviteUser lets somebody enrol.
type InviteUser struct {
	Change
	ID     string          `json:"id"`
	Roles  []registry.Role `json:"roles,omitempty"`
	Agents []string        `json:"agents,omitempty"` // that may act for them
}

// SetUser changes what somebody may do. What is nil stays.
type SetUser struct {
	Change
	ID     string           `json:"id"`
	Roles  *[]registry.Role `json:"roles,omitempty"`
	Agents *[]string        `json:"agents,omitempty"`
}

// UserAction is a move in the life of a person.
type UserAction string

// The moves. ResetMFA takes all factors away and invites again.
const (
	DisableUser UserAction = "disable"
	EnableUser  UserAction = "enable"
	RemoveUser  UserAction = "remove"
	ResetMFA    UserAction = "reset-mfa"
)

// MoveUser changes the state of a person.
type MoveUser struct {
	Change
	ID     string     `json:"id"`
	Action UserAction `json:"action"`
}

// UserView is a person as operators see them.
type UserView struct {
	ID        string          `json:"id"`
	State     string          `json:"state"`
	Roles     []registry.Role `json:"roles"`
	Agents    []string        `json:"agents"`
	Passkeys  int             `json:"passkeys"`
	Code      bool            `json:"code"`     // has an authenticator app
	Recovery  int             `json:"recovery"` // codes left
	Revision  int64           `json:"revision"`
	CreatedAt time.Time       `json:"createdAt"`
	UpdatedAt time.Time       `json:"updatedAt"`

	Invitation *Invitation `json:"invitation,omitempty"` // of reset-mfa only
}

// Invitation is shown only where it is made.
type Invitation struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`   // of the page, with the token behind #
	Token     string    `json:"token"` // secret
	ExpiresAt time.Time `json:"expiresAt"`
}

// String hides the token.
func (i Invitation) String() string { return "invitation of " + i.ID }

// GoString hides the token.
func (i Invitation) GoString() string { return i.String() }

func checkRoles(roles []registry.Role) ([]registry.Role, error) {
	roles = slices.Compact(slices.Sorted(slices.Values(roles)))
	for _, r := range roles {
		if !slices.Contains(registry.Roles(), r) {
			return nil, invalid(fmt.Sprintf("use one of %v", registry.Roles()), "there is no role %q", r)
		}
	}
	return roles, nil
}

// agentsOf returns the pseudonyms of agents that are there.
func agentsOf(s store.Store, names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		a, err := s.Agent(name)
		if err != nil {
			return nil, asError("agent "+name, err)
		}
		all = append(all, a.Pseudonym)
	}
	return slices.Compact(slices.Sorted(slices.Values(all))), nil
}

// invite opens an invitation in p.
func (o *operator) invite(id string, p *registry.Person) *Invitation {
	token := o.cfg.Ring.NewSecret()
	p.Enrol = &registry.Enrol{Hash: o.cfg.Ring.HashToken("portal-invitation:" + token), Expires: o.cfg.Clock.Now().UTC().Add(invitationLife)}
	inv := &Invitation{ID: id, Token: token, ExpiresAt: p.Enrol.Expires}
	if o.cfg.Gateway != nil {
		inv.URL = o.cfg.Gateway().URL + "/login/enrol#" + token
	}
	return inv
}

// InviteUser makes a person, or invites one again who has not enrolled yet.
func (o *operator) InviteUser(_ context.Context, r InviteUser) (Done[Invitation], error) {
	var out Done[Invitation]
	if err := registry.ValidID(r.ID); err != nil {
		return out, asError("user "+r.ID, err)
	}
	roles, err := checkRoles(r.Roles)
	if err != nil {
		return out, err
	}
	t := o.userAct("user.invite", r.ID, r.Change)
	err = o.change(t, func(s store.Store) (any, error) {
		// A person and an agent of one name would share a pseudonym, and
		// policies could not tell them apart.
		if _, err := s.Agent(r.ID); err == nil {
			return nil, &Error{Code: Exists, Message: "an agent has this name", Fix: "choose another one"}
		} else if !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		old, err := s.Noun(registry.KindPerson, r.ID)
		switch {
		case err == nil:
			return o.inviteAgain(s, old, r, &out)
		case !errors.Is(err, registry.ErrNotFound):
			return nil, err
		}
		if all, err := s.Nouns(registry.KindPerson); err != nil || len(all) >= maxPeople {
			return nil, errors.Join(err, invalid("remove some", "there are as many people as there may be"))
		}
		agents, err := agentsOf(s, r.Agents)
		if err != nil {
			return nil, err
		}
		now := o.cfg.Clock.Now().UTC()
		p := registry.Person{State: registry.PersonInvited, Roles: roles, Agents: agents, Created: now, Changed: now}
		out.Item = *o.invite(r.ID, &p)
		n, err := registry.NewNoun(registry.KindPerson, r.ID, r.ID, p)
		if err != nil {
			return nil, err
		}
		return entitled(p), s.InsertNoun(n)
	})
	if err != nil {
		return Done[Invitation]{}, err
	}
	if r.DryRun {
		out.Item.Token, out.Item.URL = "", ""
	}
	out.Applied, out.Notices = !r.DryRun, []string{"the invitation is shown once and is good for 15 minutes; the person opens it in a browser"}
	return out, nil
}

func (o *operator) inviteAgain(s store.Store, n registry.Noun, r InviteUser, out *Done[Invitation]) (any, error) {
	p, err := registry.ValueOf[registry.Person](n)
	if err != nil {
		return nil, err
	}
	if p.State != registry.PersonInvited || len(r.Roles)+len(r.Agents) > 0 {
		return nil, &Error{Code: Exists, Message: "user " + r.ID + " is there already",
			Fix: "ostiary user set " + r.ID + ", ostiary user reset-mfa " + r.ID + ", or invite again without --role and --agent"}
	}
	out.Item = *o.invite(r.ID, &p)
	return entitled(p), o.putPerson(s, n, p)
}

// entitlement is what the record says of a person.
type entitlement struct {
	State  string          `json:"state"`
	Roles  []registry.Role `json:"roles"`
	Agents []string        `json:"agents"` // pseudonyms
}

func entitled(p registry.Person) entitlement { return entitlement{p.State, p.Roles, p.Agents} }

func (o *operator) userAct(kind, id string, c Change) *act {
	return &act{kind: kind, agent: id, noun: registry.NounRef{Kind: registry.KindPerson, ID: id}, what: "user " + id, Change: c}
}

func (o *operator) putPerson(s store.Store, old registry.Noun, p registry.Person) error {
	p.Changed = o.cfg.Clock.Now().UTC()
	n, err := registry.NewNoun(old.Kind, old.ID, old.Owner, p)
	if err != nil {
		return err
	}
	n.Revision = old.Revision
	return s.UpdateNoun(n)
}

// editUser changes a person and returns the view of them.
func (o *operator) editUser(t *act, fn func(store.Store, *registry.Person) error) (UserView, error) {
	var view UserView
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindPerson, t.noun.ID)
		if err != nil {
			return nil, err
		}
		p, err := registry.ValueOf[registry.Person](n)
		if err != nil {
			return nil, err
		}
		wasAdmin := p.State == registry.PersonActive && p.Has()
		if err := fn(s, &p); err != nil {
			return nil, err
		}
		if wasAdmin && o.proof != nil && o.by == t.noun.ID && (p.State != registry.PersonActive || !p.Has()) {
			return nil, &Error{Code: Forbidden, Message: "nobody takes the role admin from themselves", Fix: "ask another admin"}
		}
		view = o.viewUser(t.noun.ID, n.Revision+1, p)
		return entitled(p), o.putPerson(s, n, p)
	})
	return view, err
}

// SetUser changes roles and agents. What was signed in keeps its session; both
// are looked up on each request.
func (o *operator) SetUser(_ context.Context, r SetUser) (Done[UserView], error) {
	var roles []registry.Role
	if r.Roles != nil {
		var err error
		if roles, err = checkRoles(*r.Roles); err != nil {
			return Done[UserView]{}, err
		}
	}
	if r.Roles == nil && r.Agents == nil {
		return Done[UserView]{}, invalid("add --role or --agent", "there is nothing to change")
	}
	v, err := o.editUser(o.userAct("user.set", r.ID, r.Change), func(s store.Store, p *registry.Person) (err error) {
		if r.Roles != nil {
			p.Roles = roles
		}
		if r.Agents != nil {
			p.Agents, err = agentsOf(s, *r.Agents)
		}
		return err
	})
	if err != nil {
		return Done[UserView]{}, err
	}
	return Done[UserView]{!r.DryRun, v, []string{}}, nil
}

// MoveUser disables, enables or removes a person, or takes their factors away.
// Each ends what was signed in: the generation grows.
func (o *operator) MoveUser(_ context.Context, r MoveUser) (Done[UserView], error) {
	t := o.userAct("user."+string(r.Action), r.ID, r.Change)
	if r.Action == RemoveUser {
		return o.removeUser(t, r)
	}
	var inv *Invitation
	v, err := o.editUser(t, func(_ store.Store, p *registry.Person) error {
		p.Generation++
		switch r.Action {
		case DisableUser:
			p.State, p.Enrol = registry.PersonDisabled, nil
		case EnableUser:
			if p.State != registry.PersonDisabled {
				return &Error{Code: Conflict, Message: "user " + r.ID + " is not disabled"}
			}
			if p.State = registry.PersonActive; p.Password == "" && len(p.Passkeys) == 0 {
				p.State = registry.PersonInvited
			}
		case ResetMFA:
			if p.State == registry.PersonDisabled {
				return &Error{Code: Conflict, Message: "user " + r.ID + " is disabled", Fix: "ostiary user enable " + r.ID}
			}
			p.State, p.Password, p.TOTP, p.Recovery, p.Passkeys, p.Step = registry.PersonInvited, "", nil, nil, nil, 0
			inv = o.invite(r.ID, p)
		default:
			return invalid("use disable, enable, remove or reset-mfa", "there is no action %q", r.Action)
		}
		return nil
	})
	if err != nil {
		return Done[UserView]{}, err
	}
	if !r.DryRun {
		v.Invitation = inv
	}
	return Done[UserView]{!r.DryRun, v, []string{}}, nil
}

func (o *operator) removeUser(t *act, r MoveUser) (Done[UserView], error) {
	var view UserView
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindPerson, r.ID)
		if err != nil {
			return nil, err
		}
		p, err := registry.ValueOf[registry.Person](n)
		if err != nil {
			return nil, err
		}
		if o.proof != nil && o.by == r.ID {
			return nil, &Error{Code: Forbidden, Message: "nobody removes themselves", Fix: "ask another admin"}
		}
		view = o.viewUser(r.ID, n.Revision, p)
		view.State = "removed"
		return entitled(p), s.DeleteNoun(n.Kind, n.ID)
	})
	if err != nil {
		return Done[UserView]{}, err
	}
	return Done[UserView]{!r.DryRun, view, []string{"their name stays readable in the record until: ostiary privacy subject erase " + r.ID}}, nil
}

// Users lists people by name.
func (o *operator) Users(context.Context, None) ([]UserView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindPerson)
	if err != nil {
		return nil, asError("the users", err)
	}
	views := []UserView{}
	for _, n := range all {
		p, err := registry.ValueOf[registry.Person](n)
		if err != nil {
			return nil, asError("the users", err)
		}
		views = append(views, o.viewUser(n.ID, n.Revision, p))
	}
	slices.SortFunc(views, func(a, b UserView) int { return compare(a.ID, b.ID) })
	return views, nil
}

// User returns one person.
func (o *operator) User(_ context.Context, r ID) (UserView, error) {
	n, err := o.cfg.Store.Noun(registry.KindPerson, r.ID)
	if err != nil {
		return UserView{}, asError("user "+r.ID, err)
	}
	p, err := registry.ValueOf[registry.Person](n)
	if err != nil {
		return UserView{}, asError("user "+r.ID, err)
	}
	return o.viewUser(n.ID, n.Revision, p), nil
}

func (o *operator) viewUser(id string, revision int64, p registry.Person) UserView {
	v := UserView{ID: id, State: p.State, Roles: p.Roles, Agents: []string{}, Passkeys: len(p.Passkeys), Code: len(p.TOTP) > 0,
		Recovery: len(p.Recovery), Revision: revision, CreatedAt: p.Created, UpdatedAt: p.Changed}
	if v.Roles == nil {
		v.Roles = []registry.Role{}
	}
	for _, a := range p.Agents {
		v.Agents = append(v.Agents, o.nameOf(a))
	}
	return v
}

package app

import (
	"net"
	"net/http"
	"net/url"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/issuer"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/portal"
)

// newPortal returns where people sign in. A follower has none: a sign-in
// changes the store, which another gateway owns.
func (a *App) newPortal() *portal.Portal {
	if a.config.Load().follows() {
		return nil
	}
	return portal.New(portal.Config{Origins: a.origins, Ring: a.ring, Live: a.live, Store: a.admin.Own(), Clock: a.clock, Desk: desk{a},
		Log: func(msg string, err error) { a.log.Warn(msg, logs.Err(err)) }})
}

// origins are where browsers find the gateway: its public origin, and the admin
// listener under the same host name. Passkeys are bound to that name.
func (a *App) origins() []string {
	all := []string{a.publicURL()}
	u, err := url.Parse(all[0])
	_, port, err2 := net.SplitHostPort(a.adminAddress())
	if err == nil && err2 == nil && u.Hostname() != "" {
		all = append(all, "https://"+net.JoinHostPort(u.Hostname(), port))
	}
	return all
}

// peoplePages adds the pages below /login.
func (a *App) peoplePages(all map[string]http.Handler) {
	if a.portal != nil {
		all["/login"] = a.portal
	}
}

// operatorPages adds the sign-in and the operators' API to the admin listener.
func (a *App) operatorPages(mux operatorMux) {
	if a.portal == nil {
		return
	}
	mux.handle("/login", a.portal)
	mux.handle("/login/", a.portal)
	mux.handle(approvalsAt, a.portal)
	mux.handle(approvalsAt+"/", a.portal)
	mux.handle("/api/v1/", a.admin.Remote(func(r *http.Request) (admin.Caller, bool) {
		v, ok := a.portal.Session(r)
		return callerOf(v), ok
	}))
}

// callerOf is somebody at the portal as the operators' functions know them.
func callerOf(v portal.Person) admin.Caller {
	return admin.Caller{Name: v.Name, Roles: v.Roles, Strength: v.Strength, AuthTime: v.AuthTime, HasKey: v.HasKey}
}

// signedIn are members who can sign in at the portal's pages.
type signedIn struct {
	members
	portal *portal.Portal
}

// Session implements issuer.Sessions, as does Require.
func (s signedIn) Session(r *http.Request) (issuer.Person, bool) {
	v, ok := s.portal.Session(r)
	return issuer.Person{Name: v.Name, Pseudonym: v.Pseudonym, Agents: v.Agents, Strength: v.Strength, AuthTime: v.AuthTime, Session: v.Session}, ok
}

// Require sends the browser to sign in.
func (s signedIn) Require(w http.ResponseWriter, r *http.Request, returnTo string) {
	s.portal.Require(w, r, returnTo)
}

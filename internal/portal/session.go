package portal

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/login"
	"ostiary.dev/ostiary/internal/registry"
)

// cookieName has the prefix that makes browsers refuse the cookie from another
// host, without TLS, or for a part of the paths.
const cookieName = "__Host-ostiary"

// Bounds of what is kept in memory.
const (
	maxSessions   = 10_000
	maxCeremonies = 1_000
)

// session is one browser in which somebody signed in.
type session struct {
	id         string
	name       string
	generation int64
	strength   identity.Strength
	at, seen   time.Time
}

// ceremony is a passkey that a browser was asked for. It is good for one try.
type ceremony struct {
	state []byte
	name  string // who adds one; "" = a sign-in
	until time.Time
}

func (p *Portal) key(secret string) string {
	return hex.EncodeToString(p.cfg.Ring.HashToken("portal-session:" + secret))
}

// Session returns who is signed in in the browser that sent r. A person who was
// disabled, or whose factors were reset, is nobody at once: each look compares
// the generation (TestK02SessionEndsWithPerson).
func (p *Portal) Session(r *http.Request) (Person, bool) {
	c := r.CookiesNamed(cookieName)
	if len(c) != 1 || len(c[0].Value) > 64 || c[0].Value == "" {
		return Person{}, false
	}
	key, now := p.key(c[0].Value), p.now()
	p.mu.Lock()
	s := p.sessions[key]
	if s != nil && (now.Sub(s.seen) > idleLife || now.Sub(s.at) > fullLife) {
		delete(p.sessions, key)
		s = nil
	}
	var have session
	if s != nil {
		s.seen = now
		have = *s
	}
	p.mu.Unlock()
	if s == nil {
		return Person{}, false
	}
	who := p.person(have.name)
	subject, ok := p.cfg.Ring.FindSubject(have.name)
	if who == nil || !ok || who.Generation != have.generation {
		p.end(key)
		return Person{}, false
	}
	v := p.view(have.name, subject.Pseudonym, who)
	v.Strength, v.AuthTime, v.Session = have.strength, have.at, have.id
	return v, true
}

func (p *Portal) end(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, key)
}

// start signs a person in. The cookie is new each time, so that none that was
// planted before is worth anything afterwards (session fixation,
// TestCookieIsNewAfterSignIn).
func (p *Portal) start(w http.ResponseWriter, r *http.Request, s session) {
	secret, now := p.cfg.Ring.NewSecret(), p.now()
	if old := r.CookiesNamed(cookieName); len(old) == 1 {
		p.end(p.key(old[0].Value))
	}
	s.id, s.at, s.seen = p.cfg.Ring.NewSecret()[:16], now, now
	p.mu.Lock()
	if len(p.sessions) >= maxSessions {
		p.forget(now)
	}
	p.sessions[p.key(secret)] = &s
	p.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: secret, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: int(fullLife / time.Second)})
}

// forget drops sessions that are over, or the idlest. The caller holds mu.
func (p *Portal) forget(now time.Time) {
	idlest := ""
	for key, s := range p.sessions {
		switch {
		case now.Sub(s.seen) > idleLife || now.Sub(s.at) > fullLife:
			delete(p.sessions, key)
		case idlest == "" || s.seen.Before(p.sessions[idlest].seen):
			idlest = key
		}
	}
	if len(p.sessions) >= maxSessions {
		delete(p.sessions, idlest)
	}
}

// keep keeps a ceremony and returns its id.
func (p *Portal) keep(c ceremony) (string, bool) {
	now := p.now()
	c.until = now.Add(tryLife)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ceremonies) >= maxCeremonies {
		for id, old := range p.ceremonies {
			if now.After(old.until) {
				delete(p.ceremonies, id)
			}
		}
	}
	if len(p.ceremonies) >= maxCeremonies {
		return "", false
	}
	id := p.cfg.Ring.NewSecret()
	p.ceremonies[id] = c
	return id, true
}

// take returns a ceremony, once (TestPasskeyAnswerCountsOnce).
func (p *Portal) take(id, name string) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.ceremonies[id]
	delete(p.ceremonies, id)
	return c.state, ok && c.name == name && p.now().Before(c.until)
}

// Require sends the browser to sign in, and back to returnTo, a path and query
// of ours.
func (p *Portal) Require(w http.ResponseWriter, r *http.Request, returnTo string) {
	http.Redirect(w, r, "/login?next="+url.QueryEscape(login.Next(returnTo)), http.StatusSeeOther)
}

func (p *Portal) logout(w http.ResponseWriter, r *http.Request) {
	if v, ok := p.Session(r); ok {
		c := r.CookiesNamed(cookieName)
		p.end(p.key(c[0].Value))
		p.note("person.logout", v.Name)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	p.page(w, http.StatusOK, view{Kind: "message", Title: "Signed out", Text: "You are signed out in this browser."})
}

// generation is what a session of a person is bound to.
func generation(who *registry.Person) int64 { return who.Generation }

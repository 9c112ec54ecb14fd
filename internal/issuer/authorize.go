package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// request is an authorization request that passed every check. A person is
// asked about exactly this, and the form carries it sealed.
type request struct {
	Client    string `json:"c"`
	Redirect  string `json:"r"`
	State     string `json:"s,omitempty"`
	HasState  bool   `json:"h,omitempty"`
	Challenge string `json:"p"`
	Resource  string `json:"u"`
	Scope     string `json:"o"`
	Nonce     string `json:"n"` // id of the code that it may become, once
}

// consentHandle is the purpose of the sealed request in a form.
const consentHandle = "oauth-consent"

// authorize asks the person in the browser whether the client may act for them.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := parseParams(r.URL.RawQuery)
	if err != nil {
		i.page(w, http.StatusBadRequest, problem("The app sent a request that cannot be read."))
		return
	}
	if err := i.start(r); err != nil {
		i.page(w, http.StatusTooManyRequests, problem("Too many logins were started from your network. Wait a minute."))
		return
	}
	// Until the client and its redirect URI are known to belong together,
	// nothing is sent anywhere: an error there would be an open redirector.
	c, err := i.client(r.Context(), q["client_id"])
	if err != nil {
		i.log("refused a login of an unknown client", err)
		i.page(w, http.StatusBadRequest, problem("The app that sent you here is not known, or does not describe itself as it must."))
		return
	}
	if !redirects(c.Redirects, q["redirect_uri"]) {
		i.log("refused a login", errors.New("the redirect URI is not one of the client's"))
		i.page(w, http.StatusBadRequest, problem("The app wants your answer sent to an address that is not one of its own."))
		return
	}
	req := request{Client: c.ID, Redirect: q["redirect_uri"], State: q["state"], Challenge: q["code_challenge"], Resource: q["resource"]}
	_, req.HasState = q["state"]
	if err := i.checkRequest(&req, q); err != nil {
		i.sendError(w, req, err)
		return
	}
	p, ok := i.cfg.Sessions.Session(r)
	switch {
	case (!ok || i.tooOld(p, q)) && q["prompt"] == "none":
		i.sendError(w, req, bad("login_required", "The person has to sign in."))
	case !ok || i.tooOld(p, q):
		i.cfg.Sessions.Require(w, r, r.URL.RequestURI())
	case q["prompt"] == "none":
		i.sendError(w, req, bad("consent_required", "The person has to be asked."))
	default:
		i.ask(w, p, c, req)
	}
}

// tooOld reports whether the client wants a login that is younger. At least a
// minute is allowed, so that the login it leads to is young enough.
func (i *Issuer) tooOld(p Person, q params) bool {
	age, err := strconv.Atoi(q["max_age"])
	if q["prompt"] == "login" {
		age, err = 0, nil
	}
	return err == nil && age >= 0 && i.now().Sub(p.AuthTime) > max(time.Minute, time.Duration(min(age, 1<<30))*time.Second)
}

// checkRequest checks what may be answered at the redirect URI.
func (i *Issuer) checkRequest(req *request, q params) error {
	_, byValue := q["request"]
	_, byURI := q["request_uri"]
	mode, hasMode := q["response_mode"]
	switch {
	case byValue || byURI:
		return bad("request_not_supported", "Request objects are not supported.")
	case q["response_type"] != "code" || hasMode && mode != "query":
		return bad("unsupported_response_type", "Only response_type=code in the query is supported.")
	case q["code_challenge_method"] != "S256":
		// Without this a client that was talked out of PKCE, or into "plain",
		// would be open to code injection (TestPKCEDowngrade).
		return bad("invalid_request", "PKCE with code_challenge_method=S256 is required.")
	case !isChallenge(req.Challenge):
		return bad("invalid_request", "The code_challenge has another form than that of S256.")
	case req.Resource == "":
		return bad("invalid_target", "The parameter resource is required: the URL of the MCP endpoint.")
	case !i.cfg.Resource(req.Resource):
		return bad("invalid_target", "The resource is not one of this gateway.")
	case len(req.State) > 2048:
		return bad("invalid_request", "The state is too long.")
	}
	scope, err := i.scope(q["scope"])
	req.Scope = scope
	return err
}

// scope returns what is asked for in a fixed order. Scopes that do not exist
// are left out, as RFC 6749 3.3 allows; the answer names what was given.
func (i *Issuer) scope(asked string) (string, error) {
	if len(asked) > 1024 {
		return "", bad("invalid_scope", "The scope is too long.")
	}
	if strings.TrimSpace(asked) == "" {
		return strings.Join(i.cfg.Scopes, " "), nil
	}
	var out []string
	for _, s := range strings.Fields(asked) {
		if slices.Contains(i.cfg.Scopes, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		return "", bad("invalid_scope", "None of the scopes exists here.")
	}
	return strings.Join(out, " "), nil
}

// ask shows the page on which the person decides.
func (i *Issuer) ask(w http.ResponseWriter, p Person, c client, req request) {
	agents := i.active(p.Agents)
	if len(agents) == 0 {
		i.page(w, http.StatusForbidden, problem("You are signed in, but no agent is open to you. Ask your operator: ostiary user set NAME --agent AGENT."))
		return
	}
	req.Nonce = i.cfg.Ring.NewSecret()
	sealed, err := json.Marshal(req)
	if err != nil {
		i.broken(w, "ask a person", err)
		return
	}
	form := i.cfg.Ring.Handles().Seal(consentHandle, p.Pseudonym, p.Session, sealed, i.now().Add(consentLife))
	to, err := checkRedirect(req.Redirect)
	if err != nil {
		i.broken(w, "ask a person", err)
		return
	}
	i.page(w, http.StatusOK, view{Kind: "consent", Target: origin(req.Redirect), Action: "/oauth/authorize", Request: form, Person: shown(p.Name),
		Client: c.title(), Vouched: c.Host, Unvouched: c.Host == "", SentTo: to.Host, Local: loopback(to), Agents: agents,
		Scopes: strings.Fields(req.Scope), Levels: levels(req.Scope), Resource: req.Resource})
}

// levels returns what a person may allow of a scope: all of it, or less from
// the broadest access down.
func levels(scope string) []string {
	var have, out []string
	for _, s := range strings.Fields(identity.ScopesFor("modify")) {
		if slices.Contains(strings.Fields(scope), s) {
			have = append(have, s)
		}
	}
	for n := len(have); n > 0 && len(have) > 1; n-- {
		out = append(out, strings.Join(have[:n], " "))
	}
	return out
}

// consented takes the person's decision.
func (i *Issuer) consented(w http.ResponseWriter, r *http.Request) {
	p, req, f, err := i.decided(r)
	if err != nil {
		i.log("refused a consent", err)
		i.page(w, http.StatusForbidden, problem("This form is no longer valid. Start again in the app."))
		return
	}
	c, err := i.client(r.Context(), req.Client)
	if err != nil || !redirects(c.Redirects, req.Redirect) {
		i.page(w, http.StatusForbidden, problem("The app that sent you here is not known any more."))
		return
	}
	if f["decision"] != "allow" {
		if err := i.cfg.Store.Note(auditlog.Act{Kind: auditlog.AuthnFailed, Action: "oauth.deny", By: p.Name, Subject: subjectOf(c.ID)}); err != nil {
			i.broken(w, "record a denial", err)
			return
		}
		i.sendError(w, req, bad("access_denied", "The person did not allow it."))
		return
	}
	agent := f["agent"]
	if !slices.Contains(i.active(p.Agents), agent) {
		i.page(w, http.StatusForbidden, problem("This agent is not open to you."))
		return
	}
	scope, err := narrower(req.Scope, f["scope"])
	if err != nil {
		i.page(w, http.StatusForbidden, problem("The app did not ask for this."))
		return
	}
	login := i.login(p, c, agent)
	login.Resource, login.Scope = req.Resource, scope
	code, err := i.giveCode(r.Context(), p, agent, req, login)
	if errors.Is(err, registry.ErrExists) {
		i.page(w, http.StatusForbidden, problem("This form was used already. Start again in the app."))
		return
	}
	if err != nil {
		i.log("could not give a code", err)
		i.sendError(w, req, &oauthError{code: "server_error", text: "The gateway could not do this now."})
		return
	}
	i.send(w, req, url.Values{"code": {code}})
}

// decided checks that a form comes from our own page in the browser of the
// person that it was made for: a page elsewhere can neither make the browser
// send it (Origin, Sec-Fetch-Site) nor make its content, which is sealed to
// person and session (K02, TestK02ConsentCSRF).
func (i *Issuer) decided(r *http.Request) (Person, request, params, error) {
	var req request
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return Person{}, req, nil, err
	}
	p, ok := i.cfg.Sessions.Session(r)
	if !ok {
		return p, req, nil, errors.New("nobody is signed in")
	}
	f, err := form(r)
	if err != nil {
		return p, req, nil, err
	}
	sealed, err := i.cfg.Ring.Handles().Open(consentHandle, p.Pseudonym, p.Session, f["request"], i.now())
	if err != nil {
		return p, req, nil, err
	}
	return p, req, f, json.Unmarshal(sealed, &req)
}

// login is what a person allows a client now.
func (i *Issuer) login(p Person, c client, agent string) registry.Login {
	now := i.now().UTC().Truncate(time.Second)
	l := registry.Login{Client: c.ID, Name: c.title(), Person: p.Pseudonym, Strength: int(p.Strength),
		AuthTime: p.AuthTime.UTC().Truncate(time.Second), Created: now, Expires: now.Add(loginLife)}
	if a := i.cfg.Live.Load().Agent(agent); a != nil {
		l.Agent = a.Pseudonym
	}
	return l
}

// giveCode keeps a code for what the person allowed. The request's nonce is its
// id, so that one form gives one code.
func (i *Issuer) giveCode(ctx context.Context, p Person, agent string, req request, login registry.Login) (string, error) {
	code := req.Nonce + "." + i.cfg.Ring.NewSecret()
	n, err := registry.NewNoun(registry.KindCode, req.Nonce, p.Name, registry.Code{Hash: i.hash("code", code), Login: login,
		Redirect: req.Redirect, Challenge: req.Challenge, Expires: i.now().UTC().Add(codeLife)})
	if err != nil {
		return "", err
	}
	return code, i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		return []auditlog.Act{{Kind: auditlog.AuthnSucceeded, Action: "oauth.allow", By: p.Name, Agent: agent, Subject: subjectOf(login.Client),
			Change: map[string]string{"redirect": origin(req.Redirect), "resource": req.Resource, "scope": login.Scope}}}, s.InsertNoun(n)
	})
}

// send sends the browser back to the client, with who answers (RFC 9207).
func (i *Issuer) send(w http.ResponseWriter, req request, v url.Values) {
	if req.HasState {
		v.Set("state", req.State)
	}
	v.Set("iss", i.id())
	u, err := checkRedirect(req.Redirect)
	if err != nil {
		i.broken(w, "answer a client", err)
		return
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += v.Encode()
	w.Header().Set("Location", u.String())
	w.WriteHeader(http.StatusSeeOther)
}

func (i *Issuer) sendError(w http.ResponseWriter, req request, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		i.broken(w, "check a request", err)
		return
	}
	i.log("refused a login", e)
	i.send(w, req, url.Values{"error": {e.code}, "error_description": {e.text}})
}

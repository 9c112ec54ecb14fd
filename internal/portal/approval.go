package portal

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// Desk is where calls wait for people. It checks by itself what each person may
// see and decide: the pages only ask and show.
type Desk interface {
	Waiting(ctx context.Context, who Person) ([]Call, error)
	Call(ctx context.Context, who Person, id string) (Call, error)
	Decide(ctx context.Context, who Person, d Decision) (Call, error)
	// Openings are broken glass that waits for somebody's review.
	Openings(ctx context.Context, who Person) ([]Opening, error)
	Review(ctx context.Context, who Person, id, finding string) error
}

// Opening is a while in which nobody was asked about the calls of an agent.
type Opening struct {
	ID, Agent, Server, By, Reason string
	Opened, Until                 time.Time

	Form string // token of its form; "" = no form
}

// Call is one call that waits for people, or did.
type Call struct {
	ID, State, Agent, Person, Server, Method, Name, Access, Definition, Exchange, Reason string

	Arguments json.RawMessage
	Policies  []string // that ask for a person
	Approvers []Approver
	Needed    int
	Passkey   bool // each approver must use one
	Created   time.Time
	Expires   time.Time
}

// Approver is somebody who said yes, and how they proved who they are.
type Approver struct{ Name, How string }

// Decision is a yes or no.
type Decision struct {
	ID     string
	Yes    bool
	Reason string
}

// Refusal is why Desk does not do what somebody asks for, in words for them.
type Refusal struct{ Text string }

// Error returns the words.
func (r *Refusal) Error() string { return r.Text }

// approvalsAt is where people find the calls that wait for them.
const approvalsAt = "/approvals"

// maxReason bounds what somebody writes, in bytes, as admin does.
const maxReason = 1024

// waiting lists what somebody may decide.
func (p *Portal) waiting(w http.ResponseWriter, r *http.Request) {
	v, ok := p.Session(r)
	if !ok {
		p.Require(w, r, approvalsAt)
		return
	}
	p.waitingPage(w, r, v, view{})
}

// waitingPage sends the list; page holds what went wrong with a review.
func (p *Portal) waitingPage(w http.ResponseWriter, r *http.Request, v Person, page view) {
	var err error
	page.Kind, page.Title, page.Person = "waiting", "Calls that wait for a person", v.Name
	if page.Calls, err = p.cfg.Desk.Waiting(r.Context(), v); err == nil {
		page.Openings, err = p.cfg.Desk.Openings(r.Context(), v)
	}
	if err != nil {
		p.undecided(w, err)
		return
	}
	may := decides(v)
	for i := range page.Openings {
		switch o := &page.Openings[i]; {
		case !may || o.By == v.Name:
		case !p.proven(v, false):
			page.Again = "/login?next=" + approvalsAt
		default:
			o.Form = p.formToken(v, glassAt+o.ID)
		}
	}
	status := http.StatusOK
	if page.Problem != "" {
		status = http.StatusForbidden
	}
	p.page(w, status, page)
}

// glassAt begins where reviews of broken glass are sent.
const glassAt = approvalsAt + "/glass/"

// review takes what somebody found about broken glass.
func (p *Portal) review(w http.ResponseWriter, r *http.Request) {
	id, finding := r.PathValue("id"), strings.TrimSpace(r.PostFormValue("reason"))
	v, ok := p.Session(r)
	var no *Refusal
	switch {
	case !ok:
		p.Require(w, r, approvalsAt)
	case !approvalID(id) || !p.formOf(v, glassAt+id, r.PostFormValue("form")):
		p.page(w, http.StatusForbidden, problem("This form is not of your present sign-in. Open the page again."))
	case finding == "" || len(finding) > maxReason:
		p.waitingPage(w, r, v, view{Problem: fmt.Sprintf("Say what you found, in at most %d bytes. The record keeps it.", maxReason)})
	default:
		switch err := p.cfg.Desk.Review(r.Context(), v, id, finding); {
		case errors.As(err, &no):
			p.waitingPage(w, r, v, view{Problem: no.Text})
		case err != nil:
			p.broken(w, "review broken glass", err)
		default:
			http.Redirect(w, r, approvalsAt, http.StatusSeeOther)
		}
	}
}

// decides reports whether somebody has a role to decide with.
func decides(v Person) bool {
	return slices.Contains(v.Roles, registry.RoleApprover) || slices.Contains(v.Roles, registry.RoleAdmin)
}

// undecided sends what Desk says against a request.
func (p *Portal) undecided(w http.ResponseWriter, err error) {
	var no *Refusal
	if !errors.As(err, &no) {
		p.broken(w, "look for calls that wait", err)
		return
	}
	page := problem(no.Text)
	page.Home = true
	p.page(w, http.StatusForbidden, page)
}

// approval shows one call. Whoever has the address need not be somebody who may
// see it: to them the page says the same whether there is such a call or not.
func (p *Portal) approval(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !approvalID(id) {
		p.page(w, http.StatusNotFound, problem("There is no such page."))
		return
	}
	v, ok := p.Session(r)
	if ok {
		c, err := p.cfg.Desk.Call(r.Context(), v, id)
		if err == nil {
			p.page(w, http.StatusOK, p.callView(v, &c))
			return
		}
		if no := (*Refusal)(nil); !errors.As(err, &no) {
			p.broken(w, "look for a call that waits", err)
			return
		}
	}
	p.page(w, http.StatusOK, view{Kind: "asked", Title: "A call waits for a person", State: id, Person: v.Name})
}

// callView is the page of one call, with a form only for somebody whose proof is
// good enough now; the desk checks all of it again.
func (p *Portal) callView(v Person, c *Call) view {
	c.Name = visible(c.Name)
	page := view{Kind: "approval", Title: "A call waits for a person", Action: approvalsAt + "/" + c.ID, Person: v.Name, Call: c, Arguments: shown(c.Arguments)}
	mine := c.Person == v.Name || c.Person == "" && slices.Contains(v.Agents, c.Agent)
	switch {
	case c.State != "pending":
		page.Title = "A call that waited for a person"
	case mine:
		page.Text = "You are behind this call, so another person decides about it."
	case !decides(v):
		page.Text = "Your roles let you see this call, not decide about it."
	case slices.ContainsFunc(c.Approvers, func(a Approver) bool { return a.Name == v.Name }):
		page.Text = "You have approved it. Another person must approve it too."
	case c.Passkey && !v.HasKey:
		page.Text, page.Account = "This call needs a passkey, and you have none. Add one to your account, sign in with it, and come back.", true
	case !p.proven(v, c.Passkey):
		page.Again = "/login?next=" + approvalsAt + "/" + c.ID
	default:
		page.Form = p.formToken(v, page.Action)
	}
	return page
}

// proven reports whether somebody need not sign in again.
func (p *Portal) proven(v Person, passkey bool) bool {
	least := identity.TwoStep
	if v.HasKey || passkey {
		least = identity.Passkey
	}
	age := p.now().Sub(v.AuthTime)
	return v.Strength >= least && age >= 0 && age < tryLife
}

// decide takes a yes or no. Beside the browser's word on where the form comes
// from, it must hold the token of this very session and page, so that nothing
// but a page that this person was shown decides (K02, TestK02ApprovalCSRF).
func (p *Portal) decide(w http.ResponseWriter, r *http.Request) {
	id, address := r.PathValue("id"), approvalsAt+"/"+r.PathValue("id")
	v, ok := p.Session(r)
	switch {
	case !approvalID(id):
		p.page(w, http.StatusNotFound, problem("There is no such page."))
		return
	case !ok:
		p.Require(w, r, address)
		return
	case !p.formOf(v, address, r.PostFormValue("form")):
		p.page(w, http.StatusForbidden, problem("This form is not of your present sign-in. Open the page again."))
		return
	}
	c, err := p.cfg.Desk.Call(r.Context(), v, id)
	if err != nil {
		p.undecided(w, err)
		return
	}
	d := Decision{ID: id, Yes: r.PostFormValue("decision") == "approve", Reason: strings.TrimSpace(r.PostFormValue("reason"))}
	again := p.callView(v, &c)
	again.Reason = d.Reason
	switch {
	case !d.Yes && r.PostFormValue("decision") != "deny":
		again.Problem = "Choose whether the call may be made."
	case d.Reason == "":
		again.Problem = "Say why. The record keeps it."
	case len(d.Reason) > maxReason:
		again.Problem = fmt.Sprintf("The reason is longer than %d bytes.", maxReason)
	}
	if again.Problem != "" {
		p.page(w, http.StatusUnprocessableEntity, again)
		return
	}
	var no *Refusal
	switch _, err = p.cfg.Desk.Decide(r.Context(), v, d); {
	case errors.As(err, &no):
		again.Problem = no.Text
		p.page(w, http.StatusForbidden, again)
	case err != nil:
		p.broken(w, "decide about a call", err)
	default:
		http.Redirect(w, r, address, http.StatusSeeOther)
	}
}

// formToken returns what a form of a page must hold to count: bound to the
// session and to the page, and worth nothing without the session's cookie.
func (p *Portal) formToken(v Person, address string) string {
	return hex.EncodeToString(p.cfg.Ring.HashToken("portal-form:" + v.Session + ":" + address))
}

func (p *Portal) formOf(v Person, address, token string) bool {
	have, err := hex.DecodeString(token)
	return err == nil && v.Session != "" && p.cfg.Ring.MatchToken("portal-form:"+v.Session+":"+address, have)
}

// approvalID reports whether id has the form of one.
func approvalID(id string) bool {
	if len(id) != 16 {
		return false
	}
	return strings.Trim(id, "0123456789abcdef") == ""
}

// shown is JSON as an approver reads it: indented, and with everything that is
// invisible, or turns the order of what is read, as an escape. What looks like
// one argument must not be another (K02, TestK02ArgumentsAreShownAsTheyAre).
func shown(raw []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		b.Reset()
		b.Write(raw)
	}
	return visible(b.String())
}

// visible is a text in which every character can be seen.
func visible(text string) string {
	var out strings.Builder
	for _, c := range text {
		switch {
		case c == '\n' || c == ' ' || unicode.IsGraphic(c) && !unicode.IsSpace(c) && !hidden(c):
			out.WriteRune(c)
		case c > 0xffff:
			hi, lo := (c-0x10000)>>10+0xd800, (c-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	return out.String()
}

// hidden reports whether a letter, mark or sign shows nothing.
func hidden(c rune) bool {
	switch c {
	case 0x2800, 0x3164, 0xffa0, 0x115f, 0x1160: // blanks that count as letters or signs
		return true
	}
	return unicode.Is(unicode.Variation_Selector, c) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, c)
}

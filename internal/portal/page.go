package portal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// view is what a page shows. Everything in it is escaped by the template.
type view struct {
	Kind     string // login, enrol, seed, codes, account, asked, waiting, approval or message
	Title    string
	Action   string
	Next     string
	Problem  string
	Text     string
	Keys     bool // this site can have passkeys
	Token    string
	State    string // sealed
	Person   string
	Seed     string
	Link     string
	Codes    []string
	Agents   []string
	Roles    []string
	Passkeys []string
	Left     int  // recovery codes
	Decides  bool // may approve calls
	Home     bool // somebody is signed in

	Account   bool // the account is where to go next
	Calls     []Call
	Openings  []Opening
	Call      *Call
	Arguments string
	Reason    string
	Form      string // token of the form; "" = no form
	Again     string // where to sign in again
}

func problem(text string) view { return view{Kind: "message", Title: "This did not work", Text: text} }

// sentence is an error as people read it.
func sentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}` +
	`h1{font-size:1.4rem}label{display:block;margin:.8rem 0}input{display:block;box-sizing:border-box;width:100%}` +
	`button,input{font:inherit;padding:.6rem .8rem;border:1px solid #555;border-radius:.3rem;color:inherit;background:inherit}` +
	`button{cursor:pointer;margin:.4rem 0}.main{background:#05c;color:#fff;border-color:#05c}` +
	`:focus-visible{outline:3px solid #05c;outline-offset:2px}.warn{border-left:4px solid #b50;padding-left:.8rem}` +
	`code,ul.codes{font:1.1rem ui-monospace,monospace;overflow-wrap:anywhere}[hidden]{display:none}` +
	approvalStyle + `@media(prefers-color-scheme:dark){body{color:#eee;background:#111}:focus-visible{outline-color:#8bf}a{color:#8bf}}`

// script asks for passkeys, and moves the token of an invitation from the
// fragment, which browsers keep to themselves, into the form. Without it
// everything but passkeys works.
const script = `"use strict";
const say=t=>{const e=document.getElementById("said");e.textContent=t;e.hidden=!t};
const post=async(u,b)=>{const r=await fetch(u,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(b)});
const j=await r.json();if(!r.ok)throw new Error(j.error||"This did not work.");return j};
const run=(id,go)=>{const b=document.getElementById(id);if(!b)return;if(!window.PublicKeyCredential||!PublicKeyCredential.parseRequestOptionsFromJSON)return;
b.hidden=false;b.addEventListener("click",async()=>{say("");b.disabled=true;
try{location.assign((await go()).next)}catch(e){say(e.name==="NotAllowedError"?"Nothing was chosen.":e.message)}finally{b.disabled=false}})};
run("key",async()=>{const o=await post("/login/passkey/begin",{});
const c=await navigator.credentials.get({publicKey:PublicKeyCredential.parseRequestOptionsFromJSON(o.options.publicKey)});
return post("/login/passkey",{id:o.id,response:c.toJSON(),next:document.getElementById("next").value})});
run("add",async()=>{const o=await post("/login/add/begin",{});
const c=await navigator.credentials.create({publicKey:PublicKeyCredential.parseCreationOptionsFromJSON(o.options.publicKey)});
return post("/login/add",{id:o.id,response:c.toJSON(),name:document.getElementById("keyname").value})});
const t=document.getElementById("token");
if(t&&location.hash.length>1){t.value=location.hash.slice(1);history.replaceState(null,"",location.pathname)}`

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var pages = template.Must(template.Must(template.New("page").Parse(approvalPages)).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>{{.Title}} - Ostiary</title><style>` + style + `</style></head><body><main><h1>{{.Title}}</h1>
{{if .Problem}}<p class="warn" role="alert" id="problem">{{.Problem}}</p>{{end}}<p class="warn" role="alert" id="said" hidden></p>
{{if eq .Kind "login"}}{{if .Keys}}<button class="main" id="key" type="button" hidden>Sign in with a passkey</button>{{end}}
<form method="post" action="{{.Action}}"><input type="hidden" id="next" name="next" value="{{.Next}}">
<label>Name <input name="name" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required{{if .Problem}} aria-describedby="problem"{{end}}></label>
<label>Password <input type="password" name="password" autocomplete="current-password" maxlength="256" required></label>
<label>Code of your authenticator app, or a recovery code <input name="code" autocomplete="one-time-code" autocapitalize="none" maxlength="32" required></label>
<button class="main">Sign in</button></form>
{{else if eq .Kind "enrol"}}<form method="post" action="{{.Action}}">
<label>Invitation <input id="token" name="token" value="{{.Token}}" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="128" required></label>
<label>New password, at least 12 characters <input type="password" name="password" autocomplete="new-password" minlength="12" maxlength="256" required></label>
<label>The same password again <input type="password" name="again" autocomplete="new-password" minlength="12" maxlength="256" required></label>
<button class="main">Continue</button></form>
{{else if eq .Kind "seed"}}<p>You are <bdi>{{.Person}}</bdi>. Add this key to your authenticator app, then type the code that it shows.</p>
<p><code>{{.Seed}}</code></p>{{if .Link}}<p>On the phone itself the app takes this address:<br><code>{{.Link}}</code></p>{{end}}
<form method="post" action="{{.Action}}"><input type="hidden" name="token" value="{{.Token}}"><input type="hidden" name="state" value="{{.State}}">
<label>Code <input name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="7" required></label><button class="main">Finish</button></form>
{{else if eq .Kind "codes"}}<p>Your account <bdi>{{.Person}}</bdi> is ready. Each of these codes replaces the app's code once, should you lose it. They are not shown again.</p>
<ul class="codes">{{range .Codes}}<li>{{.}}</li>{{end}}</ul><p><a href="/login">Sign in</a>, and add a passkey there.</p>
{{else if eq .Kind "account"}}<p>You are signed in as <bdi>{{.Person}}</bdi>.</p>
<h2>Passkeys</h2><ul>{{range .Passkeys}}<li><bdi>{{.}}</bdi></li>{{else}}<li>none yet</li>{{end}}</ul>
{{if .Keys}}<label>Name of a new one <input id="keyname" maxlength="64" value="passkey"></label><button id="add" type="button" hidden>Add a passkey</button>
{{else}}<p>Passkeys need a host name: this gateway's public URL is a bare address.</p>{{end}}
<h2>What you may do</h2><p>Roles: {{range .Roles}}{{.}} {{else}}none{{end}}</p><p>Agents that may act for you: {{range .Agents}}<bdi>{{.}}</bdi> {{else}}none{{end}}</p>
{{if .Decides}}<p><a href="/approvals">Calls that wait for a person</a></p>{{end}}<p>Recovery codes left: {{.Left}}</p><form method="post" action="{{.Action}}"><button>Sign out</button></form>
{{else if eq .Kind "asked"}}{{template "asked" .}}{{else if eq .Kind "waiting"}}{{template "waiting" .}}{{else if eq .Kind "approval"}}{{template "approval" .}}
{{else}}<p role="status">{{.Text}}</p><p>{{if .Home}}<a href="/login/account">Your account</a>{{else}}<a href="/login">Sign in</a>{{end}}</p>{{end}}</main><script>{{.Script}}</script></body></html>
`))

// Script is the page's script, which is ours and needs no escaping.
func (view) Script() template.JS { return template.JS(script) } //nolint:gosec // a constant

// page sends a page. Its policy allows our one style and one script by their
// hashes, nothing from elsewhere, no frame, and forms to us alone (K02,
// TestK02LoginPagePolicy). A redirect after a form may lead back to the page
// that an app's own login goes through, so no form-action names more than us.
func (p *Portal) page(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := pages.Execute(&b, v); err != nil {
		p.log("make a page", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+hashOf(style)+"; script-src "+hashOf(script)+
		"; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		return // the peer is gone
	}
}

func (p *Portal) broken(w http.ResponseWriter, what string, err error) {
	p.log(what, err)
	p.page(w, http.StatusInternalServerError, problem("The gateway could not do this now. Its log says why."))
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		return // the peer is gone
	}
}

func hostOf(origins []string) string {
	if len(origins) == 0 {
		return ""
	}
	u, err := url.Parse(origins[0])
	if err != nil {
		return ""
	}
	return u.Hostname()
}

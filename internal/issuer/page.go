package issuer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
)

// view is what a page shows. Everything in it is escaped by the template.
type view struct {
	Kind      string // consent, code, problem or done
	Title     string
	Target    string // origin that the answer is sent to, for the policy of the page
	Action    string
	Request   string // sealed
	Person    string
	Client    string
	Vouched   string // host whose document names the client
	Unvouched bool
	SentTo    string
	Local     bool
	Device    bool
	Agents    []string
	Scopes    []string
	Levels    []string // sets of scopes that the person may allow, the broadest first
	Resource  string
	Problem   string
}

func problem(text string) view {
	return view{Kind: "problem", Title: "This did not work", Problem: text}
}

// title is what a page calls a client.
func (c client) title() string {
	if c.Name != "" {
		return c.Name
	}
	if c.Host != "" {
		return c.Host
	}
	return "an app without a name"
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#111;background:#fff}` +
	`h1{font-size:1.4rem}dt{font-weight:600;margin-top:.6rem}dd{margin:0;overflow-wrap:anywhere}` +
	`button,input,select{font:inherit;padding:.5rem 1rem;margin:.4rem .4rem .4rem 0;border:1px solid #555;border-radius:.3rem}` +
	`:focus-visible{outline:3px solid #05c}.warn{border-left:4px solid #b50;padding-left:.8rem}` +
	`@media(prefers-color-scheme:dark){body{color:#eee;background:#111}button,input,select{color:#eee;background:#222}}`

// stylePolicy is the hash by which a page's policy allows its one style.
func stylePolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{if .Title}}{{.Title}}{{else}}Allow an app{{end}} - Ostiary</title><style>` + style + `</style></head><body><main>
{{if eq .Kind "consent"}}<h1>Allow <bdi>{{.Client}}</bdi>?</h1>
<p>You are signed in as <bdi>{{.Person}}</bdi>.</p>
{{if .Unvouched}}<p class="warn">The name was given by the app itself; nobody vouches for it. Allow it only if you have just started this login yourself.</p>{{end}}
<dl>{{if .Vouched}}<dt>Described by</dt><dd><bdi>{{.Vouched}}</bdi></dd>{{end}}
{{if .SentTo}}<dt>Your answer is sent to</dt><dd><bdi>{{.SentTo}}</bdi>{{if .Local}} (a program on the computer of this browser){{end}}</dd>{{end}}
<dt>It asks for</dt><dd>{{range .Scopes}}<bdi>{{.}}</bdi> {{end}}</dd><dt>At</dt><dd><bdi>{{.Resource}}</bdi></dd></dl>
<form method="post" action="{{.Action}}"><input type="hidden" name="request" value="{{.Request}}">
<label>It acts as the agent <select name="agent">{{range .Agents}}<option>{{.}}</option>{{end}}</select></label><br>
{{if .Levels}}<label>It may use at most <select name="scope">{{range .Levels}}<option>{{.}}</option>{{end}}</select></label><br>{{end}}
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Do not allow</button></form>
{{else if eq .Kind "code"}}<h1>Connect a device</h1><p>You are signed in as <bdi>{{.Person}}</bdi>.</p>
{{if .Problem}}<p class="warn" role="alert">{{.Problem}}</p>{{end}}
<p>Type the code that the device shows. If somebody sent you the code, stop: they want to act as you.</p>
<form method="post" action="{{.Action}}"><label>Code <input name="user_code" autocomplete="off" autocapitalize="characters" maxlength="16" required></label>
<button>Continue</button></form>
{{else}}<h1>{{.Title}}</h1><p role="status">{{.Problem}}</p>{{end}}</main></body></html>
`))

// page sends a page. Its policy allows no script and nothing from elsewhere; a
// form may only go to us, and to where the answer is redirected.
func (i *Issuer) page(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := pages.Execute(&b, v); err != nil {
		i.broken(w, "make a page", err)
		return
	}
	forms := "'none'"
	if v.Action != "" {
		forms = "'self'"
		if v.Target != "" {
			forms += " " + v.Target
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src "+stylePolicy()+"; frame-ancestors 'none'; base-uri 'none'; form-action "+forms)
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		return // the peer is gone
	}
}

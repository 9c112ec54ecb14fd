package portal

// approvalStyle is what only these pages need.
const approvalStyle = `pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #888;border-radius:.3rem;padding:.6rem;max-height:24rem;overflow:auto}` +
	`dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem .8rem}dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}` +
	`textarea{display:block;box-sizing:border-box;width:100%;font:inherit;padding:.6rem .8rem;border:1px solid #555;border-radius:.3rem;color:inherit;background:inherit}` +
	`.no{border-color:#b00;border-width:2px}`

// approvalPages are pages about calls that wait. Buttons decide by their value,
// so that they work without script.
const approvalPages = `{{define "asked"}}<p>Approval <code>{{.State}}</code>.</p>
{{if .Person}}<p>You are signed in as <bdi>{{.Person}}</bdi>. There is no call with this number that you may see; it may be over.</p>
<p><a href="/login/account">Your account</a></p>
{{else}}<p><a href="/login?next=/approvals/{{.State}}">Sign in</a> to see it, if you approve calls here. Otherwise an approver decides; once one has, make the same call again within five minutes.</p>{{end}}
{{end}}{{define "waiting"}}<p>You are signed in as <bdi>{{.Person}}</bdi>.</p>
{{if .Calls}}<ul>{{range .Calls}}<li><a href="/approvals/{{.ID}}"><bdi>{{.Agent}}</bdi>: <bdi>{{.Name}}</bdi> on <bdi>{{.Server}}</bdi></a>, until {{.Expires.UTC.Format "15:04:05"}} UTC</li>{{end}}</ul>
{{else}}<p role="status">No call waits.</p>{{end}}
{{if .Openings}}<h2>Broken glass to review</h2>
{{if .Again}}<p class="warn">A review needs a sign-in of the last five minutes, with your passkey if you have one. <a href="{{.Again}}">Sign in again</a></p>{{end}}
{{range .Openings}}<dl><dt>Agent</dt><dd><bdi>{{.Agent}}</bdi> at <bdi>{{.Server}}</bdi></dd>
<dt>Opened</dt><dd>{{.Opened.UTC.Format "2006-01-02 15:04:05"}} UTC by <bdi>{{.By}}</bdi></dd>
<dt>Until</dt><dd>{{.Until.UTC.Format "2006-01-02 15:04:05"}} UTC</dd><dt>Why</dt><dd><bdi>{{.Reason}}</bdi></dd>
<dt>Calls</dt><dd>their records name <code>{{.ID}}</code></dd></dl>
{{if .Form}}<form method="post" action="/approvals/glass/{{.ID}}"><input type="hidden" name="form" value="{{.Form}}">
<label>What you found <textarea name="reason" rows="2" maxlength="1024" required></textarea></label><button>Close the review</button></form>{{end}}{{end}}{{end}}
{{end}}{{define "approval"}}{{with .Call}}<dl>
<dt>State</dt><dd>{{.State}}</dd>
<dt>Agent</dt><dd><bdi>{{.Agent}}</bdi></dd>
<dt>Acts for</dt><dd>{{if .Person}}<bdi>{{.Person}}</bdi>{{else}}nobody who signed in{{end}}</dd>
<dt>Server</dt><dd><bdi>{{.Server}}</bdi></dd>
<dt>{{if eq .Method "tools/call"}}Tool{{else}}{{.Method}}{{end}}</dt><dd><bdi>{{.Name}}</bdi>{{if .Access}} ({{.Access}}){{end}}</dd>
{{if .Definition}}<dt>Definition</dt><dd><code>{{.Definition}}</code></dd>{{end}}
<dt>Asked by</dt><dd>{{range .Policies}}<bdi>{{.}}</bdi> {{end}}</dd>
<dt>Asked at</dt><dd>{{.Created.UTC.Format "2006-01-02 15:04:05"}} UTC</dd>
<dt>Good until</dt><dd>{{.Expires.UTC.Format "2006-01-02 15:04:05"}} UTC</dd>
<dt>Approved by</dt><dd>{{range .Approvers}}<bdi>{{.Name}}</bdi> ({{.How}}) {{else}}nobody yet{{end}}{{if gt .Needed 1}}; {{.Needed}} people are needed{{end}}</dd>
{{if .Reason}}<dt>Reason</dt><dd><bdi>{{.Reason}}</bdi></dd>{{end}}
<dt>Record</dt><dd><code>{{.Exchange}}</code></dd></dl>
{{end}}<h2 id="args">Arguments</h2><pre tabindex="0" aria-labelledby="args">{{.Arguments}}</pre>
{{if .Text}}<p role="status">{{.Text}}</p>{{end}}{{if .Account}}<p><a href="/login/account">Your account</a></p>{{end}}
{{if .Again}}<p class="warn">Deciding needs a sign-in of the last five minutes{{if .Call.Passkey}}, with a passkey{{else}}, with your passkey if you have one{{end}}.</p><p><a href="{{.Again}}">Sign in again</a></p>{{end}}
{{if .Form}}<form method="post" action="{{.Action}}"><input type="hidden" name="form" value="{{.Form}}">
<label>Why <textarea name="reason" rows="2" maxlength="1024" required{{if .Problem}} aria-describedby="problem"{{end}}>{{.Reason}}</textarea></label>
<button class="main" name="decision" value="approve">Let the call be made, once</button>
<button class="no" name="decision" value="deny">Refuse the call</button></form>{{end}}
<p><a href="/approvals">All calls that wait</a></p>{{end}}`

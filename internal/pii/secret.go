package pii

// secretForm is one vendor's token: a prefix, the least length of all of it and
// the bytes that may follow beside letters and digits.
type secretForm struct {
	prefix string
	least  int
	extra  string
	name   string
}

// secretForms follows the vendors' own documentation of their prefixes.
var secretForms = buildForms(`
ghp_ 36 _ github-pat
gho_ 36 _ github-oauth
ghu_ 36 _ github-app-token
ghs_ 36 _ github-app-token
ghr_ 36 _ github-refresh-token
github_pat_ 60 _ github-fine-grained-pat
glpat- 25 -_. gitlab-pat
glptt- 30 -_ gitlab-ptt
gldt- 22 -_ gitlab-deploy-token
glrt- 24 -_. gitlab-runner-authentication-token
glrtr- 24 -_ gitlab-runner-registration
glcbt- 22 -_ gitlab-cicd-job-token
glffct- 24 -_ gitlab-feature-flag-client-token
glft- 22 -_ gitlab-feed-token
glimt- 26 -_ gitlab-incoming-mail-token
glagent- 50 -_ gitlab-kubernetes-agent-token
gloas- 60 -_ gitlab-oauth-app-secret
glsoat- 24 -_ gitlab-scim-token
GR1348941 27 -_ gitlab-rrt
AKIA 20 . AWS_ACCESS_KEY
ASIA 20 . AWS_ACCESS_KEY
ABIA 20 . AWS_ACCESS_KEY
ACCA 20 . AWS_ACCESS_KEY
A3T 20 . AWS_ACCESS_KEY
ABSK 80 +/= aws-bedrock-api-key
AIza 39 -_ gcp-api-key
ya29. 40 -_. google-oauth
GOCSPX- 30 -_ google-client-secret
xoxb- 18 - slack-bot-token
xoxp- 18 - slack-user-token
xoxa- 14 - slack-legacy-workspace-token
xoxr- 14 - slack-legacy-workspace-token
xoxs- 18 - slack-legacy-token
xoxo- 18 - slack-legacy-token
xoxe- 30 -. slack-config-refresh-token
xoxe. 60 -. slack-config-access-token
xapp- 30 - slack-app-token
sk_live_ 20 _ stripe-access-token
sk_test_ 20 _ stripe-access-token
sk_prod_ 20 _ stripe-access-token
rk_live_ 20 _ stripe-access-token
rk_test_ 20 _ stripe-access-token
rk_prod_ 20 _ stripe-access-token
pk_live_ 24 _ stripe-publishable-key
whsec_ 30 +/= stripe-webhook-secret
sk-ant- 50 -_ anthropic-api-key
sk-proj- 40 -_ openai-api-key
sk-svcacct- 40 -_ openai-api-key
sk-or- 40 -_ openrouter-api-key
sk- 35 -_ openai-api-key
gsk_ 40 _ groq-api-key
xai- 60 -_ xai-api-key
pplx- 45 - perplexity-api-key
hf_ 30 _ huggingface-access-token
api_org_ 35 _ huggingface-organization-api-token
r8_ 35 _ replicate-api-token
SG. 40 -_.= sendgrid-api-token
SK 34 . twilio-api-key
AC 34 . twilio-account-sid
xkeysib- 60 - sendinblue-api-token
xsmtpsib- 60 - sendinblue-smtp-key
key- 36 . mailgun-private-api-token
pubkey- 39 . mailgun-pub-key
npm_ 36 _ npm-access-token
pypi-AgEI 40 -_ pypi-upload-token
rubygems_ 50 _ rubygems-api-token
dop_v1_ 60 _ digitalocean-pat
doo_v1_ 60 _ digitalocean-access-token
dor_v1_ 60 _ digitalocean-refresh-token
dapi 36 - databricks-api-token
shpat_ 36 _ shopify-access-token
shpca_ 36 _ shopify-custom-access-token
shppa_ 36 _ shopify-private-app-access-token
shpss_ 36 _ shopify-shared-secret
shippo_live_ 45 _ shippo-api-token
shippo_test_ 45 _ shippo-api-token
hvs. 60 -_ vault-service-token
hvb. 100 -_ vault-batch-token
hvr. 60 -_ vault-recovery-token
dt0c01. 80 -_. dynatrace-api-token
EZAK 50 . easypost-api-token
EZTK 50 . easypost-test-api-token
FLWSECK_TEST- 20 -_ flutterwave-encryption-key
FLWSECK- 30 -_ flutterwave-secret-key
FLWPUBK_TEST- 40 -_ flutterwave-public-key
FLWPUBK- 40 -_ flutterwave-public-key
duffel_test_ 40 -_= duffel-api-token
duffel_live_ 40 -_= duffel-api-token
CLOJARS_ 60 _ clojars-api-token
lin_api_ 45 _ linear-api-key
lin_oauth_ 40 _ linear-oauth
NRAK- 30 - new-relic-user-api-key
NRJS- 20 - new-relic-browser-api-token
NRII- 30 - new-relic-insert-key
NRAL- 30 - new-relic-license
glc_ 32 _+/= grafana-cloud-api-token
glsa_ 40 _ grafana-service-account-token
eyJrIjoi 60 +/= grafana-api-key
ico- 34 . infracost-api-token
PMAK- 60 - postman-api-token
pscale_tkn_ 40 -_.= planetscale-api-token
pscale_oauth_ 40 -_.= planetscale-oauth-token
pscale_pw_ 40 -_.= planetscale-password
pnu_ 40 _ prefect-api-token
pul- 40 - pulumi-api-token
rdme_ 70 _ readme-api-token
sntryu_ 60 _ sentry-user-token
sntrys_ 80 _+/= sentry-org-token
sm_aat_ 20 _ settlemint-application-access-token
sm_pat_ 20 _ settlemint-personal-access-token
sm_sat_ 20 _ settlemint-service-access-token
sha256~ 45 -_ openshift-user-token
tfp_ 40 _ typeform-api-token
secret_ 45 _ notion-api-token
ntn_ 40 _ notion-api-token
figd_ 40 -_ figma-token
dckr_pat_ 30 -_ docker-pat
dckr_oat_ 30 -_ docker-oat
dnkey- 60 -_= doppler
dp.pt. 45 . doppler-api-token
dp.st. 40 .-_ doppler-service-token
frame- 20 . 
fio-u- 60 -_= frameio-api-token
PRT- 30 . 
phc_ 40 _ posthog-project-key
phx_ 40 _ posthog-personal-key
sgp_ 40 _ sourcegraph-access-token
tskey- 20 - tailscale-key
fm1_ 60 +/= flyio-token
fm2_ 60 +/=, flyio-token
FlyV1 60 +/=,_ flyio-token
fo1_ 40 _ flyio-token
ops_eyJ 100 +/=-_ 1password-service-account-token
API- 30 . octopus-deploy-api-key
AGE-SECRET-KEY-1 70 - age-secret-key
atlasv1. 70 -_=. hcp-terraform-api-token
ATATT3 100 -_= atlassian-api-token
ATCTT3 100 -_= atlassian-api-token
BBDC- 40 +/= bitbucket-dc
cmVmd 60 . artifactory-reference-token
AKCp 70 . artifactory-api-key
EAA 60 . facebook-page-access-token
EAAC 60 . facebook-page-access-token
EAAAE 60 -_ square-access-token
sq0atp- 25 -_ square-access-token
sq0csp- 40 -_ square-secret
access-sandbox- 45 - plaid-api-token
access-development- 45 - plaid-api-token
access-production- 45 - plaid-api-token
live_pub_ 35 _ lob-pub-api-key
test_pub_ 35 _ lob-pub-api-key
AQVN 38 -_ yandex-api-key
t1. 60 -_.= yandex-access-token
YC 40 -_ yandex-aws-access-token
y0_ 50 -_ yandex-oauth
v2.local. 40 -_ paseto
PKAK 20 . 
LTAI 20 . alibaba-access-key-id
AKID 36 . tencent-secret-id
pat.  60 ._-  harness-api-key
sat. 60 ._- harness-api-key
patz 80 . airtable-personnal-access-token
pat 80 . airtable-personnal-access-token
SCW 20 . scaleway-access-key
rnd_ 30 _ render-api-key
rk_ 40 _ 
pcsk_ 60 _ pinecone-api-key
nvapi- 60 -_ nvidia-api-key
sbp_ 40 _ supabase-token
sb_secret_ 30 _- supabase-secret-key
vcp_ 40 _ vercel-token
cfut_ 40 _ cloudflare-token
pk. 80 .-_ mapbox-api-token
sk.eyJ 60 .-_ mapbox-secret-token
00D 100 !._ salesforce-access-token
3MVG9 80 ._ salesforce-client-id
pscale_ 40 -_.= planetscale
bkua_ 40 _ buildkite-token
CCIPAT_ 50 _ circleci-token
rpa_ 40 _ runpod-token
lsv2_pt_ 40 _ langsmith-token
lsv2_sk_ 40 _ langsmith-token
apify_api_ 40 _ apify-token
dG9rOi 60 +/= intercom-token
TF- 30 . 
ABSKQ 100 +/= aws-bedrock-api-key
A3- 30 - 1password-secret-key
RGAPI- 40 - riot-token
HRKU-AA 60 -_ heroku-api-key-v2
s-s4t2ud- 60 - intra42-client-secret
s-s4t2af- 60 - intra42-client-secret
squ_ 40 _ sonar-api-token
sqp_ 40 _ sonar-api-token
sqa_ 40 _ sonar-api-token
CFPAT- 45 -_ contentful-token
DO00 20 . digitalocean-spaces-key
pat-na1- 40 - hubspot-token
pat-eu1- 40 - hubspot-token
ZXlK 60 +/=-_ jwt-base64
ddapi_ 30 _ datadog-token
api-key- 30 - 
sdk- 40 - launchdarkly-sdk-key
mob- 40 - launchdarkly-mobile-key
shpua_ 36 _ shopify-user-token
tvly- 30 - tavily-key
fw_ 24 . fireworks-api-key
re_ 30 _ resend-api-key
sntrya_ 60 _ sentry-app-token
oy2 46 . nuget-api-key
xoxc- 30 - slack-client-token
xoxd- 60 -%+/ slack-cookie
SharedAccessSignature 60 =&%:/._- azure-sas
`)

func buildForms(text string) map[[2]byte][]secretForm {
	out := map[[2]byte][]secretForm{}
	for len(text) > 0 {
		line := text
		if i := indexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		f := fields(line)
		if len(f) < 4 {
			continue
		}
		n := 0
		for _, c := range f[1] {
			n = n*10 + int(c-'0')
		}
		k := [2]byte{f[0][0], f[0][1]}
		out[k] = append(out[k], secretForm{f[0], n, f[2], f[3]})
	}
	return out
}

func fields(s string) (out []string) {
	for i := 0; i < len(s); {
		if s[i] == ' ' {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] != ' ' {
			j++
		}
		out = append(out, s[i:j])
		i = j
	}
	return out
}

// formStart is a bit set over hashes of the first three bytes of all prefixes.
var formStart = func() (t [256]uint64) {
	set := func(a, b, c byte) {
		x := hash3(a, b, c)
		t[x>>6] |= 1 << (x & 63)
	}
	for k, forms := range secretForms {
		for _, f := range forms {
			if len(f.prefix) > 2 {
				set(k[0], k[1], f.prefix[2])
				continue
			}
			for c := range 256 {
				set(k[0], k[1], byte(c))
			}
		}
	}
	set('e', 'y', 'J')
	return t
}()

func hash3(a, b, c byte) int { return (int(a)<<9 ^ int(b)<<5 ^ int(c)*11) & (1<<14 - 1) }

// prefixStart reports whether a secret's prefix may begin at b[i].
func prefixStart(b []byte, i int) bool {
	if i+8 > len(b) {
		return false
	}
	x := hash3(b[i], b[i+1], b[i+2])
	return formStart[x>>6]&(1<<(x&63)) != 0
}

const maxSecret = 4096 // bytes of one token

// prefixed matches the token that begins at b[i] with the vendors' forms; j is
// the end of its first run of word bytes.
func (r *run) prefixed(v *view, i, j int) int {
	b := v.b
	if b[i] == 'e' && b[i+1] == 'y' {
		if k := r.jwt(v, i); k > i {
			return k
		}
	}
	for _, f := range secretForms[[2]byte{b[i], b[i+1]}] {
		if len(b)-i < f.least || !hasPrefix(b[i:], f.prefix) {
			continue
		}
		k := i + len(f.prefix)
		for k < len(b) && k-i < maxSecret && (isAlnum(b[k]) || indexByte(f.extra, b[k]) >= 0) {
			k++
		}
		for k > i && (b[k-1] == '.' || b[k-1] == ',') {
			k--
		}
		if k-i < f.least || k < len(b) && b[k] == '_' || !random(b[i+len(f.prefix):k]) && !capitals(f, b[i:k]) || !exact(f, b[i:k]) {
			continue
		}
		r.emit(v, i, k, Secret, f.name, 0.96, "prefix of "+f.name)
		return k
	}
	return j
}

// capitals accepts the key identifiers that are capitals and digits, of which one
// in a hundred has no digit.
func capitals(f secretForm, b []byte) bool {
	if len(f.prefix) != 4 || len(b) != 20 || f.name != "AWS_ACCESS_KEY" || !noLower(b) {
		return false
	}
	var seen [256]bool
	distinct := 0
	for _, c := range b[4:] {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
	}
	return distinct >= 9
}

// exact applies the stricter rules of short prefixes, where words and numbers
// would otherwise match.
func exact(f secretForm, b []byte) bool {
	rest := b[len(f.prefix):]
	switch f.prefix {
	case "AKIA", "ASIA", "ABIA", "ACCA", "A3T", "LTAI":
		return len(b) == 20 && noLower(b)
	case "SK", "AC":
		return len(b) == 34 && allHex(rest)
	case "key-", "dapi":
		return allHex(rest[:min(32, len(rest))])
	case "re_", "fw_", "oy2", "sdk-", "mob-", "DO00":
		return mixedCase(rest) && count(rest, '-') <= 5 && (f.prefix != "DO00" || noLower(b)) && (f.prefix != "oy2" || len(b) == 46)
	case "API-":
		return len(rest) >= 26 && noLower(rest) && !allHex(rest)
	case "YC", "AQVN":
		return len(b) == 40
	case "sk-":
		return count(rest, '-') <= 2
	case "pat", "patz", "pk.", "t1.", "pat.", "sat.", "00D":
		return count(b, '.')+count(b, '!') > 0 || f.prefix == "patz"
	case "GR1348941":
		return len(b) >= 29 && mixedCase(rest)
	case "EAA":
		return len(b) >= 80
	case "A3-":
		return noLower(b) && count(b, '-') >= 5
	case "SCW":
		return len(b) == 20 && noLower(b)
	}
	return true
}

func hasPrefix(b []byte, p string) bool { return len(b) >= len(p) && string(b[:len(p)]) == p }

func count(b []byte, c byte) (n int) {
	for _, x := range b {
		if x == c {
			n++
		}
	}
	return n
}

func noLower(b []byte) bool {
	for _, c := range b {
		if class[c]&cLower != 0 {
			return false
		}
	}
	return true
}

func mixedCase(b []byte) bool {
	var m uint8
	for _, c := range b {
		m |= class[c]
	}
	return m&cDigit != 0 && m&(cUpper|cLower) != 0
}

func allHex(b []byte) bool {
	for _, c := range b {
		if class[c]&cHex == 0 {
			return false
		}
	}
	return len(b) > 0
}

// random reports whether b looks generated: enough different bytes, a digit or
// both cases, and no long run of one byte.
func random(b []byte) bool {
	var seen [256]bool
	distinct, runLen, longest, rising := 0, 0, 0, 0
	var m uint8
	for i, c := range b {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		if i > 0 && b[i-1] == c {
			runLen++
		} else {
			runLen = 1
		}
		if i > 0 && c == b[i-1]+1 {
			rising++ // an alphabet is no secret
		}
		longest = max(longest, runLen)
		m |= class[c]
	}
	if rising*2 > len(b) {
		return false
	}
	least := 6
	if len(b) < 14 {
		least = 5
	}
	return distinct >= least && longest*3 < len(b)+6 && (m&cDigit != 0 || m&cUpper != 0 && m&cLower != 0)
}

// jwt reads a token of three base64url parts whose header is JSON (RFC 7519).
func (r *run) jwt(v *view, i int) int {
	b := v.b
	if b[i+2] != 'J' {
		return i
	}
	dots, k := 0, i
	var at [2]int
	for k < len(b) && k-i < 2*maxSecret && (isAlnum(b[k]) || b[k] == '-' || b[k] == '_' || b[k] == '.' || b[k] == '=') {
		if b[k] == '.' {
			if dots == 2 {
				break
			}
			at[dots] = k
			dots++
		}
		k++
	}
	if dots == 2 && k == at[1]+1 {
		k--
	}
	if dots < 2 || at[0]-i < 12 || at[1]-at[0] < 8 {
		return i
	}
	head, ok := decode64(b[i:at[0]], nil)
	if !ok || len(head) == 0 || head[0] != '{' || !containsFold(head, `"alg"`) && !containsFold(head, `"typ"`) && !containsFold(head, `"enc"`) {
		return i
	}
	r.emit(v, i, k, Secret, "jwt", 0.96, "JSON Web Token")
	return k
}

// pem reads a private key block from "-----BEGIN" at i to its footer, or to the
// end of the text if the footer is missing: half a key is still a key.
func (r *run) pem(v *view, i int) int {
	b := v.b
	if !hasPrefix(b[i:], "-----BEGIN ") {
		return i
	}
	head := i + 11
	k := head
	for k < len(b) && k-head < 40 && b[k] != '-' {
		k++
	}
	if !hasPrefix(b[k:], "-----") || !containsFold(b[head:k], "PRIVATE KEY") {
		return i
	}
	for e := k + 5; e < len(b); e++ {
		if b[e] == '-' && hasPrefix(b[e:], "-----END ") {
			for f := e + 9; f < len(b) && f-e < 60; f++ {
				if hasPrefix(b[f:], "-----") {
					r.emit(v, i, f+5, Secret, "PRIVATE_KEY", 0.98, "PEM private key")
					return f + 5
				}
			}
		}
	}
	if len(b)-k < 40 {
		return i
	}
	r.emit(v, i, len(b), Secret, "PRIVATE_KEY", 0.9, "PEM private key without an end")
	return len(b)
}

// hookSecret reports whether a URL without its scheme is a secret by itself.
func hookSecret(b []byte) bool {
	for _, p := range []string{"hooks.slack.com/services/", "hooks.slack.com/workflows/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"} {
		if hasPrefix(b, p) && len(b) >= len(p)+30 {
			return true
		}
	}
	return containsFold(b[:min(len(b), 64)], ".webhook.office.com/webhookb2/") && len(b) > 80
}

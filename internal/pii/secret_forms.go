package pii

import (
	"encoding/binary"
	"strconv"
	"strings"
)

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
fio-u- 60 -_= frameio-api-token
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
LTAI 20 . alibaba-access-key-id
AKID 36 . tencent-secret-id
pat.  60 ._-  harness-api-key
sat. 60 ._- harness-api-key
patz 80 . airtable-personnal-access-token
pat 80 . airtable-personnal-access-token
SCW 20 . scaleway-access-key
rnd_ 30 _ render-api-key
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

// buildForms reads a form per line: prefix, least length, extra bytes, name.
func buildForms(text string) map[[2]byte][]secretForm {
	out := map[[2]byte][]secretForm{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			panic("pii: not the form of a secret: " + line)
		}
		least, err := strconv.Atoi(f[1])
		if err != nil {
			panic("pii: " + err.Error())
		}
		k := [2]byte([]byte(f[0]))
		out[k] = append(out[k], secretForm{f[0], least, f[2], f[3]})
	}
	return out
}

// formStart is a bit set over hashes of the first three bytes of all prefixes of the
// words that introduce a password and of a key block's title. It is large, so that one
// token in a hundred passes that has none of them.
var formStart = func() (t [formBits / 64]uint64) {
	set := func(a, b, c byte) {
		x := hash3(uint32(a) | uint32(b)<<8 | uint32(c)<<16)
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
	set('B', 'E', 'G')
	for _, w := range []string{"pas", "ken", "con"} { // a password in prose
		for k := range 8 {
			fold := func(n int) byte { return w[n] &^ byte(k>>n&1<<5) }
			set(fold(0), fold(1), fold(2))
			for high := byte(0xc3); high <= 0xc5; high++ { // Latin letters with accents
				set(fold(0), fold(1), high)
				for low := byte(0x80); low < 0xc0; low++ {
					set(fold(0), high, low)
				}
			}
		}
	}
	return t
}()

const formBits = 1 << 16

// hash3 mixes three bytes, the first lowest.
func hash3(x uint32) uint32 { return x * 0x9e3779b1 >> 16 }

// prefixStart reports whether a secret's prefix may begin at b[i].
func prefixStart(b []byte, i int) bool {
	if i+8 > len(b) {
		return false
	}
	x := hash3(binary.LittleEndian.Uint32(b[i:]) & 0xffffff)
	return formStart[x>>6]&(1<<(x&63)) != 0
}

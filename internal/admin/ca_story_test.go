package admin

import "testing"

// caStory calls what is about the certificate authority, whose serials are drawn
// at random: only what is the same each time is compared.
func caStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	why := Change{Reason: "story"}
	a, err := api.Authority(ctx, None{})
	note("Authority", []any{a.TrustDomain, a.RootKey, len(a.Issuers)}, err)
	b, err := api.ExportRoot(ctx, ExportRoot{Change: why})
	note("ExportRoot", b, err)
	c, err := api.DropRoot(ctx, DropRoot{Root: "none"})
	note("DropRoot", c.Applied, err)
	d, err := api.RequestIssuers(ctx, RequestIssuers{Change{DryRun: true}})
	note("RequestIssuers", d, err)
	e, err := api.ImportIssuers(ctx, ImportIssuers{Change: why, PEM: []byte("nothing")})
	note("ImportIssuers", e.Applied, err)
}

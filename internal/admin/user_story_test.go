package admin

import (
	"context"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
)

// userStory calls what is about people. What is random or a time is taken out.
func userStory(t *testing.T, api API, note func(string, any, error)) {
	ctx := context.WithoutCancel(t.Context())
	why := Change{Reason: "story"}
	d, err := api.InviteUser(ctx, InviteUser{Change: why, ID: "pat", Roles: []registry.Role{registry.RoleAuditor}})
	d.Item.Token, d.Item.URL = "", ""
	note("InviteUser", d, err)
	none := []registry.Role{}
	v, err := api.SetUser(ctx, SetUser{Change: why, ID: "pat", Roles: &none})
	note("SetUser", v, err)
	m, err := api.MoveUser(ctx, MoveUser{Change: why, ID: "pat", Action: DisableUser})
	note("MoveUser", m, err)
	all, err := api.Users(ctx, None{})
	note("Users", all, err)
	one, err := api.User(ctx, ID{"pat"})
	note("User", one, err)
}

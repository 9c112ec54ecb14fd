package admin

import "testing"

// TestChangesLookAtNothingElse: a change, which holds the one connection of
// PostgreSQL, asks for no state of the gateway: the invitation of a person
// waited thirty seconds for itself, and every call with it.
func TestChangesLookAtNothingElse(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	w.gateway.Checks = func() []Check {
		t.Error("a change asks for the state of the gateway")
		return nil
	}
	why := Change{Reason: "test"}
	for range 2 { // the second is another invitation of the same person
		if _, err := api.InviteUser(ctx, InviteUser{ID: "pat", Change: why}); err != nil {
			t.Fatal(err)
		}
	}
}

package admin

import (
	"fmt"
	"reflect"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
)

// TestPatchedViews makes every kind of change, the refused and the dry ones too:
// after each of them the live view is the one that a start would read.
func TestPatchedViews(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("operator")
	var token, serial string
	for i, step := range []func() error{
		func() error {
			_, err := api.SubmitServer(ctx, SubmitServer{Change: Change{Reason: "r"}, ID: "files", Transport: registry.HTTP, URL: "https://files.example"})
			return err
		},
		func() error {
			_, err := api.ApproveServer(ctx, ApproveServer{ID: "files", Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			r, err := api.RegisterAgent(ctx, RegisterAgent{ID: "bot", Credentials: true, Change: Change{Reason: "r"}})
			if err == nil {
				serial = r.Item.Credentials.Serial
			}
			return err
		},
		func() error {
			_, err := api.RegisterAgent(ctx, RegisterAgent{ID: "person", Credentials: true, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.Grant(ctx, Grant{Agent: "bot", Server: "files", Access: registry.Read, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.Grant(ctx, Grant{Agent: "person", Server: "files", Access: registry.Write, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			r, err := api.CreateToken(ctx, CreateToken{Agent: "bot", Change: Change{Reason: "r"}})
			token = r.Item.ID
			return err
		},
		func() error {
			_, err := api.RevokeToken(ctx, RevokeToken{ID: token, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.Revoke(ctx, Revoke{Agent: "bot", Server: "files", Change: Change{Reason: "r", DryRun: true}})
			return err
		},
		func() error {
			if _, err := api.Grant(ctx, Grant{Agent: "nobody", Server: "files", Access: registry.Read}); err == nil {
				return fmt.Errorf("nobody was granted something")
			}
			return nil
		},
		func() error {
			_, err := api.SetAgent(ctx, SetAgent{ID: "bot", Receipts: new(true), Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.MoveServer(ctx, Move{ID: "files", Action: Suspend, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.MoveServer(ctx, Move{ID: "files", Action: Resume, Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.Revoke(ctx, Revoke{Agent: "bot", Server: "files", Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.EraseSubject(ctx, EraseSubject{ID: "person", Change: Change{Reason: "r"}})
			return err
		},
		func() error {
			_, err := api.MoveAgent(ctx, Move{ID: "bot", Action: Suspend, Change: Change{Reason: "r"}})
			return err
		},
	} {
		before := w.live.Load().Version()
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		want, err := w.admin.load(w.store, w.live.Load().Version())
		if err != nil {
			t.Fatal(err)
		}
		if got := w.live.Load(); !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: the view is not that of the rows", i)
		}
		if kept := i == 8 || i == 9; kept != (w.live.Load().Version() == before) {
			t.Errorf("step %d: version %d after %d", i, w.live.Load().Version(), before)
		}
	}
	if view := w.live.Load(); view.Agent("person") != nil || view.Agent("bot").State != registry.Suspended || view.Certificate(serial) == nil {
		t.Error("the last view is wrong")
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/keys"
)

var keyColumns = []string{"purpose", "version", "state", "id", "algorithm", "created", "destroyed"}

// maxIdentity bounds an age identity file.
const maxIdentity = 64 << 10

func newKey(c *cli) *cobra.Command {
	return group("key", "List, rotate, move and destroy the gateway's keys",
		newKeyList(c), newKeyShow(c), newKeyRotate(c), newKeyDestroy(c), newKeyRoot(c), newKeyRecover(c))
}

func newKeyList(c *cli) *cobra.Command {
	var q admin.KeyQuery
	cmd := &cobra.Command{Use: "list [PURPOSE]", Short: "List keys; their bytes are never shown", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				q.Purpose = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Keys(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "KeyList", columns: keyColumns, items: all})
			})
		}}
	cmd.Flags().BoolVar(&q.Destroyed, "destroyed", false, "list destroyed keys too")
	return cmd
}

func newKeyShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show ID|PURPOSE|tenant|root", Short: "Show one key, never its bytes", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				k, err := api.Key(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Key", items: []admin.KeyView{k}, wide: true,
					columns: append(keyColumns[:len(keyColumns):len(keyColumns)], "pseudonym", "provider", "subjects")})
			})
		}}
}

func newKeyRotate(c *cli) *cobra.Command {
	var r admin.RotateKey
	var reseal bool
	cmd := &cobra.Command{Use: "rotate PURPOSE|tenant|root --reason TEXT", Short: "Make a new version of a key, while serving", Args: args(1, 1),
		Long: "rotate makes a new version of a key. New values are sealed under it at once; old values open as before,\n" +
			"until the old version is destroyed. tenant and root wrap other keys: rotating them touches no value.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r.Name, r.Change = given[0], c.request()
			return c.with(cmd.Context(), func(api admin.API) error { return c.rotateKey(cmd.Context(), api, r, reseal) })
		}}
	cmd.Flags().BoolVar(&r.Compromised, "compromised", false, "the old version may be in somebody else's hands: recorded as key.compromised")
	cmd.Flags().BoolVar(&reseal, "reseal", false, "then seal what is stored anew (rows, upstream-credentials, pseudonyms)")
	return c.flags(cmd)
}

func (c *cli) rotateKey(ctx context.Context, api admin.API, r admin.RotateKey, reseal bool) error {
	d, err := api.RotateKey(ctx, r)
	if err != nil {
		return err
	}
	if reseal && d.Applied {
		n, err := c.reseal(ctx, api, r.Name)
		if err != nil {
			return err
		}
		d.Notices = append([]string{fmt.Sprintf("%d values are sealed anew", n)}, d.Notices...)
	}
	return c.print(done("Key", keyColumns, d))
}

// reseal waits until everything is sealed anew, and shows how far it is.
func (c *cli) reseal(ctx context.Context, api admin.API, name string) (int, error) {
	b := c.newBar("sealing anew", func(n int64) string { return fmt.Sprintf("%d rows", n) })
	defer b.done()
	v, err := api.ResealKey(ctx, admin.ResealKey{Name: name})
	for err == nil && !v.Finished {
		if err = ctx.Err(); err != nil {
			break
		}
		b.update(int64(v.Done), int64(v.Total))
		v, err = api.ResealKey(ctx, admin.ResealKey{Job: v.Job})
	}
	return v.Done, err
}

func newKeyDestroy(c *cli) *cobra.Command {
	var r admin.DestroyKey
	cmd := &cobra.Command{Use: "destroy ID --reason TEXT", Short: "Destroy an old version of a key, and what only it opens, for good", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Destroy key " + given[0] + " for good?"); err != nil {
				return err
			}
			r.ID, r.Change = given[0], c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.DestroyKey(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Key", keyColumns, d))
			})
		}}
	cmd.Flags().StringVar(&r.Confirm, "confirm", "", "the key's purpose: values in the data directory that need it may be lost")
	return c.flags(cmd)
}

// moved is what root move answers.
type moved struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func newKeyRoot(c *cli) *cobra.Command {
	var to app.InitOptions
	move := &cobra.Command{Use: "move --to PROVIDER --reason TEXT", Short: "Move the root key to another provider, and write that into ostiary.yaml", Args: args(0, 0),
		Long: "move wraps the tenant's key under a new root key and destroys the old one's file. Nothing else is touched.\n" +
			"The gateway must be stopped. For example\n" +
			"  ostiary key root move --to passphrase --set passphrase=file:/run/secrets/phrase --reason 'disk policy'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to.Root == "" {
				return invalid("add --to PROVIDER", "the provider is missing")
			}
			from, now, err := app.MoveRoot(cmd.Context(), c.dir, c.options(connectWait), to, c.request())
			if err != nil {
				return err
			}
			return c.print(done("RootKey", []string{"from", "to"}, admin.Done[moved]{Applied: !c.change.dryRun, Item: moved{from, now}, Notices: []string{
				"make a new backup of the keys: the old one opens with the old root key only"}}))
		}}
	move.Flags().StringVar(&to.Root, "to", "", "file, passphrase, vault, aws-kms, gcp-kms or pkcs11")
	move.Flags().StringArrayVar(&to.RootSet, "set", nil, "a key of keys.root for it, KEY=VALUE; secrets as env:NAME or file:PATH; repeatable")
	return group("root", "Move the root key, which opens all others", c.flags(move))
}

func newKeyRecover(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "recover --identity FILE", Short: "Make the lost file of the root key anew with the recovery identity", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readIdentity(file)
			if err != nil {
				return err
			}
			if err := app.RecoverRoot(cmd.Context(), c.dir, c.options(connectWait), text); err != nil {
				return err
			}
			return c.print(page{kind: "RootKey", columns: []string{"from", "to"}, items: []moved{{"recovery", keys.ProviderFile}}, notices: []string{
				"the root key is in a plain file now; seal it again with: ostiary key root move --to passphrase"}})
		}}
	cmd.Flags().StringVar(&file, "identity", "", "file with the age identity (AGE-SECRET-KEY-1...)")
	return cmd
}

// readIdentity reads a small file; a secret never stands in the arguments.
func readIdentity(path string) ([]byte, error) {
	if path == "" {
		return nil, invalid("add --identity FILE", "the file with the recovery identity is missing")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid("check the path", "the recovery identity cannot be read: %v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return nil, fmt.Errorf("read the recovery identity: %w", err)
	}
	return text, nil
}

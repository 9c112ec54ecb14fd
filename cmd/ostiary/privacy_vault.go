package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	vaultColumns    = []string{"token", "type", "form", "subject", "made", "expires", "expired", "scope"}
	revealedColumns = []string{"token", "type", "value", "request"}
	revealColumns   = []string{"id", "state", "by", "token", "purpose", "reason", "createdAt", "expiresAt", "approver"}
	statsColumns    = []string{"tokens", "expired", "keyed", "scopes", "subjects", "types", "made", "reused", "restored", "lookalikes", "cached"}
)

func newPrivacyVault(c *cli) *cobra.Command {
	return group("vault", "The map of pseudonyms: look tokens up, reveal values, count, rotate its key",
		newVaultLookup(c), newVaultReveal(c), newVaultRequests(c), newVaultDecide(c, true), newVaultDecide(c, false), newVaultStats(c), newVaultRotate(c))
}

func newVaultLookup(c *cli) *cobra.Command {
	return &cobra.Command{Use: "lookup TOKEN", Short: "Show what is known of a token: type, scope and times, never the value", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.VaultLookup(cmd.Context(), admin.VaultToken{Token: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Token", columns: vaultColumns, items: []admin.TokenInfo{v}, wide: true})
			})
		}}
}

func newVaultReveal(c *cli) *cobra.Command {
	var r admin.RevealToken
	cmd := c.flags(&cobra.Command{Use: "reveal TOKEN --purpose NAME --reason TEXT", Short: "Show the value behind a token; the record says who, why and for what", Args: args(1, 1),
		Long: "reveal shows the value behind a token. The entry about it is on stable storage before the value leaves. Where\n" +
			"people with the role admin are enrolled, one of them does it over the admin listener, signed in again; the\n" +
			"operator at the socket is refused then. One operator reveals at most twenty values an hour.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r.Token, r.Change = given[0], c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.VaultReveal(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Revealed", revealedColumns, d))
			})
		}})
	cmd.Flags().StringVar(&r.Purpose, "purpose", "", "what the value is needed for, for the record")
	return cmd
}

func newVaultRequests(c *cli) *cobra.Command {
	return &cobra.Command{Use: "requests", Short: "List what waits for a second person (privacy.reveal: two)", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.RevealRequests(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "RevealRequestList", columns: revealColumns, items: all})
			})
		}}
}

// newVaultDecide makes approve and deny.
func newVaultDecide(c *cli, approve bool) *cobra.Command {
	use, short := "approve ID --reason TEXT", "Agree that somebody else reveals a value, once"
	if !approve {
		use, short = "deny ID --reason TEXT", "End a request to reveal a value"
	}
	return c.flags(&cobra.Command{Use: use, Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.DecideReveal(cmd.Context(), admin.DecideReveal{Change: c.request(), ID: given[0], Approve: approve})
				if err != nil {
					return err
				}
				return c.print(done("RevealRequest", revealColumns, d))
			})
		}})
}

func newVaultStats(c *cli) *cobra.Command {
	return &cobra.Command{Use: "stats", Aliases: []string{"list"}, Short: "Count tokens by type, scopes and people; no token and no value is shown", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.VaultStats(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				if c.output == "json" || c.output == "yaml" || c.output == "jsonl" {
					return c.print(page{kind: "VaultStats", columns: statsColumns, items: []admin.VaultStats{v}, wide: true})
				}
				types := []string{}
				for _, name := range slices.Sorted(maps.Keys(v.Types)) {
					types = append(types, fmt.Sprintf("%s %d", name, v.Types[name]))
				}
				return c.print(page{kind: "VaultStats", columns: statsColumns, wide: true, items: []any{struct {
					admin.VaultStats
					Types []string `json:"types"`
				}{v, types}}})
			})
		}}
}

func newVaultRotate(c *cli) *cobra.Command {
	r := admin.RotateKey{Name: "pseudonyms"}
	var reseal bool
	cmd := c.flags(&cobra.Command{Use: "rotate --reason TEXT", Short: "Make a new version of the key of pseudonyms, while serving", Args: args(0, 0),
		Long: "rotate makes a new version of the key. A value that is met again gets a token of the new version; tokens that\n" +
			"were given resolve as before, until the old version is destroyed. --reseal moves the values behind them to the\n" +
			"new version first.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Change = c.request()
			return c.with(cmd.Context(), func(api admin.API) error { return c.rotateKey(cmd.Context(), api, r, reseal) })
		}})
	cmd.Flags().BoolVar(&r.Compromised, "compromised", false, "the old version may be in somebody else's hands: recorded as key.compromised")
	cmd.Flags().BoolVar(&reseal, "reseal", false, "then seal the values anew, so that the old version can be destroyed")
	return cmd
}

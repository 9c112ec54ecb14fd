package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var witnessColumns = []string{"name", "url", "state", "key"}

func newAuditWitness(c *cli) *cobra.Command {
	return group("witness", "Choose who cosigns the checkpoints of the logs",
		newAuditWitnessAdd(c), newAuditWitnessRemove(c), newAuditWitnessList(c), newAuditWitnessStatus(c))
}

func newAuditWitnessAdd(c *cli) *cobra.Command {
	var need int
	cmd := &cobra.Command{Use: "add NAME KEY URL", Short: "Ask a further witness", Args: args(3, 3),
		Long: "add writes the witness into the policy file. Without --need every witness must cosign. A policy\n" +
			"that was written by hand (c2sp.org/tlog-policy) is left alone.",
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.changeWitness(cmd, admin.WitnessChange{Name: given[0], Key: given[1], URL: given[2], Need: need})
		}}
	cmd.Flags().IntVar(&need, "need", 0, "how many witnesses are enough; 0 = all")
	return c.flags(cmd)
}

func newAuditWitnessRemove(c *cli) *cobra.Command {
	var need int
	cmd := &cobra.Command{Use: "remove NAME", Short: "Ask a witness no more", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Ask witness " + given[0] + " no more?"); err != nil {
				return err
			}
			return c.changeWitness(cmd, admin.WitnessChange{Name: given[0], Need: need, Remove: true})
		}}
	cmd.Flags().IntVar(&need, "need", 0, "how many of those that stay are enough; 0 = all")
	return c.flags(cmd)
}

func (c *cli) changeWitness(cmd *cobra.Command, r admin.WitnessChange) error {
	r.Change = c.request()
	return c.with(cmd.Context(), func(api admin.API) error {
		d, err := api.ChangeWitness(cmd.Context(), r)
		if err != nil {
			return err
		}
		p := page{kind: "WitnessList", columns: witnessColumns, items: d.Item, notices: d.Notices}
		if !d.Applied {
			p.notices = append([]string{"dry run: nothing was changed"}, p.notices...)
		}
		return c.print(p)
	})
}

func newAuditWitnessList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the witnesses", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.WitnessList(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "WitnessList", columns: witnessColumns, items: all})
			})
		}}
}

// cosigned is what one witness did for one log.
type cosigned struct {
	Name  string `json:"name"`
	Log   string `json:"log,omitempty"`
	Size  uint64 `json:"size"` // that it cosigned last
	At    string `json:"at,omitempty"`
	State string `json:"state"`
}

func newAuditWitnessStatus(c *cli) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Show what each witness cosigned since the gateway started", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.WitnessList(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				rows := []cosigned{}
				for _, w := range all {
					if len(w.Logs) == 0 {
						rows = append(rows, cosigned{Name: w.Name, State: w.State})
					}
					for _, l := range w.Logs {
						one := cosigned{Name: w.Name, Log: l.Log, Size: l.Size, State: l.State}
						if l.At != nil {
							one.At = l.At.Format("2006-01-02T15:04:05Z07:00")
						}
						rows = append(rows, one)
					}
				}
				return c.print(page{kind: "WitnessStatus", columns: []string{"name", "log", "size", "at", "state"}, items: rows})
			})
		}}
}

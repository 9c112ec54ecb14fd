package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

var stateColumns = []string{"log", "size", "state", "bad", "why"}

func newAuditVerify(c *cli) *cobra.Command {
	var log string
	cmd := &cobra.Command{Use: "verify", Short: "Recompute the log and name the first entry that is not what was written", Args: args(0, 0),
		Long: "verify recomputes every entry, hash and checkpoint. It exits with 0 when all of it is as it\n" +
			"was written, and with 7 when it is not. It needs this gateway's own word for the newest\n" +
			"checkpoint: what was cut off or rolled back together with it is found by a witness, or by\n" +
			"ostiary-verify with an older checkpoint.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.verify(cmd.Context(), log)
			if err != nil {
				return err
			}
			if err := c.print(page{kind: "AuditVerification", columns: stateColumns, items: all}); err != nil {
				return err
			}
			for _, s := range all {
				if s.State != "ok" {
					return &admin.Error{Code: admin.Integrity, Message: brokenText(s), Cause: s.Why,
						Fix: "keep the data directory as it is, and compare with a witness, an export or a backup"}
				}
			}
			return nil
		}}
	cmd.Flags().StringVar(&log, "log", "", "one log, such as control or calls/2026; default: all")
	return cmd
}

func brokenText(s admin.AuditState) string {
	if s.Bad == nil {
		return "the log " + s.Log + " does not verify"
	}
	return fmt.Sprintf("the log %s does not verify; the first bad index is %d", s.Log, *s.Bad)
}

// verify asks the gateway.
func (c *cli) verify(ctx context.Context, log string) ([]admin.AuditState, error) {
	var all []admin.AuditState
	err := c.with(ctx, func(api admin.API) (err error) {
		all, err = c.follow(ctx, api, log)
		return err
	})
	if err == nil || describe(err).exit != exitIntegrity {
		return all, err
	}
	// The gateway does not open what it finds changed: read it without.
	b := c.newBar("verify", entriesText)
	defer b.done()
	found, otherwise := app.VerifyLogs(ctx, c.dir, c.options(connectWait), log, func(done, total uint64) { b.update(int64(done), int64(total)) })
	if otherwise != nil {
		return nil, errors.Join(err, otherwise)
	}
	for _, s := range found {
		if s.State != "ok" {
			return found, nil
		}
	}
	return nil, err // the logs are good, something else is not
}

// follow waits for the end of a verification in the gateway.
func (c *cli) follow(ctx context.Context, api admin.API, log string) ([]admin.AuditState, error) {
	b := c.newBar("verify", entriesText)
	defer b.done()
	r := admin.AuditVerify{Log: log}
	for {
		v, err := api.AuditVerify(ctx, r)
		if err != nil {
			return nil, err
		}
		b.update(int64(v.Done), int64(v.Total))
		if v.Finished {
			return v.Logs, nil
		}
		r = admin.AuditVerify{Job: v.Job}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

var limitColumns = []string{"id", "agent", "server", "tool", "shared", "calls", "bytes", "cost", "inFlight", "weight"}

func newLimit(c *cli) *cobra.Command {
	return group("limit", "Bound what calls may use", newLimitSet(c), newLimitList(c), newLimitRemove(c))
}

func newLimitSet(c *cli) *cobra.Command {
	var r admin.SetLimit
	var calls, bytes, cost string
	cmd := &cobra.Command{Use: "set", Short: "Make or replace a limit",
		Long: "set bounds the calls that match --agent, --server and --tool; without one of them, all match.\n" +
			"What is counted, is counted for each agent, unless --shared.",
		Example: "  ostiary limit set --server crm --calls 100/1m --in-flight 8\n" +
			"  ostiary limit set --id nightly --agent report --bytes 1GiB/24h --cost 1000/24h\n" +
			"  ostiary limit set --server crm --tool export --weight 25",
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, one := range []struct {
				text, name string
				into       *admin.Amount
			}{{calls, "calls", &r.Calls}, {bytes, "bytes", &r.Bytes}, {cost, "cost", &r.Cost}} {
				if one.text == "" {
					continue
				}
				a, err := amount(one.text)
				if err != nil {
					return &admin.Error{Code: admin.Invalid, Message: "--" + one.name + " cannot be read", Cause: err.Error(), Fix: "write for example 100/1m"}
				}
				*one.into = a
			}
			r.Change = c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.SetLimit(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Limit", limitColumns, d))
			})
		}}
	f := cmd.Flags()
	f.StringVar(&r.ID, "id", "", "name of the limit (default: SERVER/TOOL)")
	f.StringVar(&r.Agent, "agent", "", "only calls of this agent")
	f.StringVar(&r.Server, "server", "", "only calls to this server")
	f.StringVar(&r.Tool, "tool", "", "only calls of this tool")
	f.BoolVar(&r.Shared, "shared", false, "one count for all agents together")
	f.StringVar(&calls, "calls", "", "calls in a window, such as 100/1m")
	f.StringVar(&bytes, "bytes", "", "bytes of requests and answers in a window, such as 1MiB/1h")
	f.StringVar(&cost, "cost", "", "cost in a window, such as 1000/24h; see --weight")
	f.IntVar(&r.InFlight, "in-flight", 0, "calls at once")
	f.Int64Var(&r.Weight, "weight", 0, "cost of one matching call; the highest one counts (default: 1)")
	return c.flags(cmd)
}

// amount reads NUMBER/DURATION; the number may be a size.
func amount(text string) (admin.Amount, error) {
	number, window, _ := strings.Cut(text, "/")
	n, err := app.ParseSize(number)
	if err != nil {
		return admin.Amount{}, err
	}
	if !strings.ContainsAny(window, "0123456789") {
		window = "1" + window
	}
	if days, ok := strings.CutSuffix(window, "d"); ok {
		if d, err := strconv.Atoi(days); err == nil {
			window = strconv.Itoa(24*d) + "h"
		}
	}
	d, err := time.ParseDuration(window)
	return admin.Amount{Limit: int64(n), Window: admin.Duration(d)}, err
}

func newLimitList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List limits", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Limits(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "LimitList", columns: limitColumns, items: all})
			})
		}}
}

func newLimitRemove(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "remove ID", Short: "Take a limit away", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RemoveLimit(cmd.Context(), admin.RemoveLimit{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Limit", limitColumns, d))
			})
		}})
}

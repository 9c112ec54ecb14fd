package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

func newStatus(c *cli) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Show the running gateway at a glance", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				s, err := api.Status(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				if !s.Running {
					return &admin.Error{Code: admin.Unavailable, Message: "no gateway runs on " + c.dir, Fix: "start it: ostiary up --dir " + c.dir}
				}
				return c.print(page{kind: "Status", items: []admin.Status{s}, wide: true, notices: statusNotices(s),
					columns: []string{"running", "version", "mode", "ready", "url", "servers", "active", "pending", "agents"}})
			})
		}}
}

// statusNotices are what an operator should see at a glance.
func statusNotices(s admin.Status) []string {
	var all []string
	for _, check := range s.Checks {
		if check.State != "ok" || check.Detail != "" {
			all = append(all, fmt.Sprintf("%s: %s: %s", check.State, check.Name, check.Detail))
		}
	}
	for _, k := range s.Killed {
		all = append(all, "kill switch on: "+k+"; take it back with: ostiary unkill "+k+" --reason TEXT")
	}
	if t := s.Shadow; t != nil {
		all = append(all, fmt.Sprintf("policies on trial: %d decisions, %d of them different; see: ostiary policy shadow", t.Decided, t.Different))
	}
	for _, h := range s.Hidden {
		all = append(all, fmt.Sprintf("server %s cannot be seen by clients that speak only the %s protocol", h.Server, h.From))
	}
	for _, id := range s.Pending {
		all = append(all, "server "+id+" waits: ostiary server approve "+id+" --reason TEXT")
	}
	return all
}

// build is what version answers.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func newVersion(c *cli) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Show the version of this program", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			return c.print(page{kind: "Version", columns: []string{"version", "go", "system"}, wide: true,
				items: []build{{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}}})
		}}
}

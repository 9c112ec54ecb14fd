package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

// maxTokenInput is how much of stdin is read.
const maxTokenInput = 32 << 10

func newDoctorAuth(c *cli) *cobra.Command {
	var server string
	cmd := &cobra.Command{Use: "auth", Short: "Say why a token on stdin would be accepted or refused", Args: args(0, 0),
		Long: "auth reads a token from stdin, verifies it as a call would, and says what a caller is never\n" +
			"told: which part is wrong. The token is not stored and not written to any log.",
		Example: "  ostiary doctor auth --server wiki < token",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := io.ReadAll(io.LimitReader(c.stdin, maxTokenInput+1))
			if err != nil {
				return err
			}
			token := strings.TrimSpace(string(text))
			for _, scheme := range []string{"Bearer ", "DPoP "} {
				token = strings.TrimPrefix(token, scheme)
			}
			if token == "" || len(text) > maxTokenInput {
				return invalid("ostiary doctor auth < FILE", "stdin holds no token")
			}
			var v admin.TokenVerdict
			err = c.with(cmd.Context(), func(api admin.API) error {
				var err error
				if v, err = api.ExplainToken(cmd.Context(), admin.ExplainToken{Token: token, Server: server}); err != nil {
					return err
				}
				return c.print(page{kind: "TokenVerdict", wide: true, items: []admin.TokenVerdict{v},
					columns: []string{"decision", "agent", "reason", "fix", "issuer", "subject", "audience", "algorithm", "type", "expiresAt"}})
			})
			if err == nil && v.Decision != "allow" {
				err = &admin.Error{Code: admin.Drift, Message: "the token is refused", Cause: v.Reason, Fix: v.Fix}
			}
			return err
		}}
	cmd.Flags().StringVar(&server, "server", "", "the endpoint of one server (default: /mcp)")
	return cmd
}

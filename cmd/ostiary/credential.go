package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/oauth"
)

var credentialColumns = []string{"server", "for", "grant", "issuer", "state", "scope", "expires"}

func newServerCredential(c *cli) *cobra.Command {
	return group("credential", "Say how the gateway obtains tokens for servers",
		newCredentialSet(c), newCredentialList(c), newCredentialRemove(c))
}

// whom adds the flags that say whose credential is meant.
func whom(cmd *cobra.Command, r *admin.CredentialRef) {
	cmd.Flags().StringVar(&r.Agent, "agent", "", "for this agent alone (default: for everybody)")
	cmd.Flags().StringVar(&r.Person, "person", "", "for this person alone")
}

func newCredentialSet(c *cli) *cobra.Command {
	var r admin.SetCredential
	refs := map[*string]*string{}
	s := &r.Settings
	cmd := &cobra.Command{Use: "set NAME", Short: "Set how tokens for a server are obtained",
		Long: "set stores, sealed, how the gateway obtains tokens for server NAME. Values of --client-secret,\n" +
			"--client-key and --idp-client-secret are references, env:NAME, file:PATH or stdin:.",
		Example: "  ostiary server credential set wiki --grant client-credentials --issuer https://as.example.com --client-id ostiary --client-secret stdin:\n" +
			"  ostiary server credential set crm --grant token-exchange --issuer https://idp.example.com --token-url https://idp.example.com/token --client-id ostiary --client-secret env:IDP --audience crm",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			for ref, into := range refs {
				if *ref == "" {
					continue
				}
				value, err := app.Resolve(*ref, "", c.environ, c.stdin)
				if err != nil {
					return &admin.Error{Code: admin.Invalid, Message: "there is no value for a secret of the client", Cause: err.Error(), Fix: "write env:NAME, file:PATH or stdin:"}
				}
				*into = string(value)
			}
			r.Server, r.Change = given[0], c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.SetCredential(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Credential", credentialColumns, d))
			})
		}}
	f := cmd.Flags()
	secret := func(into *string, name, use string) {
		ref := new(string)
		refs[ref] = into
		f.StringVar(ref, name, "", use)
	}
	f.StringVar(&s.Grant, "grant", oauth.Code, "authorization-code, client-credentials, token-exchange or id-jag")
	f.StringVar(&s.Issuer, "issuer", "", "the only authorization server that is accepted")
	f.StringVar(&s.ClientID, "client-id", "", "client that the authorization server knows")
	secret(&s.ClientSecret, "client-secret", "REF: its secret")
	secret(&s.ClientKey, "client-key", "REF: its private key, PKCS #8 PEM, for private_key_jwt")
	f.StringVar(&s.KeyID, "key-id", "", "the key's id at the authorization server")
	f.StringVar(&s.AuthMethod, "auth-method", "", "client_secret_basic, client_secret_post, private_key_jwt or none (default: what the authorization server prefers)")
	f.StringVar(&s.Document, "client-document", "", "https URL of the client's metadata document")
	f.StringArrayVar(&s.Scopes, "scope", nil, "ask for this scope too; may be repeated")
	f.BoolVar(&s.Undiscovered, "undiscovered", false, "loosening: accept a server without protected-resource metadata, as MCP 2025-03-26 had it")
	f.StringVar(&s.TokenURL, "token-url", "", "token-exchange, id-jag: token endpoint of the identity provider")
	f.StringVar(&s.Audience, "audience", "", "token-exchange: for whom the token is")
	f.StringVar(&s.SubjectType, "subject-type", "", "token-exchange, id-jag: type of the callers' tokens (default: access token)")
	f.StringVar(&s.IdPClientID, "idp-client-id", "", "id-jag: client at the identity provider (default: --client-id)")
	secret(&s.IdPClientSecret, "idp-client-secret", "REF: id-jag: its secret")
	whom(cmd, &r.CredentialRef)
	return c.flags(cmd)
}

func newCredentialList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list [NAME]", Short: "List credentials; their secrets are never shown", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var q admin.CredentialRef
			if len(given) > 0 {
				q.Server = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Credentials(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "CredentialList", columns: credentialColumns, items: all})
			})
		}}
}

func newCredentialRemove(c *cli) *cobra.Command {
	var r admin.RemoveCredential
	cmd := &cobra.Command{Use: "remove NAME", Short: "Forget a credential and its tokens", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Forget the credential for server " + given[0] + "?"); err != nil {
				return err
			}
			r.Server, r.Change = given[0], c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RemoveCredential(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Credential", credentialColumns, d))
			})
		}}
	whom(cmd, &r.CredentialRef)
	return c.flags(cmd)
}

// loginWait is how long a person may take in the browser.
const loginWait = 10 * time.Minute

func newServerLogin(c *cli) *cobra.Command {
	var r admin.CredentialRef
	var port uint16
	cmd := &cobra.Command{Use: "login NAME", Short: "Let a person log in at a server's authorization server",
		Long: "login prints a URL and waits until the browser comes back to this machine. It opens no\n" +
			"browser: the URL is of a stranger.",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			r.Server = given[0]
			return c.serverLogin(cmd.Context(), r, port)
		}}
	cmd.Flags().Uint16Var(&port, "port", 0, "local port of the redirect, for clients that registered one (default: any)")
	whom(cmd, &r)
	return c.flags(cmd)
}

func (c *cli) serverLogin(ctx context.Context, r admin.CredentialRef, port uint16) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return &admin.Error{Code: admin.Unavailable, Message: "no port for the redirect can be opened", Cause: err.Error(), Fix: "choose another --port"}
	}
	back := make(chan string, 1)
	srv := &http.Server{Handler: landing(back), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-served }()
	redirect := "http://" + l.Addr().String() + "/callback"
	return c.with(ctx, func(api admin.API) error {
		begun, err := api.BeginLogin(ctx, admin.BeginLogin{CredentialRef: r, Redirect: redirect})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.stderr, "Open this address in a browser on this machine:\n\n  %s\n\n", begun.URL); err != nil {
			return err
		}
		query, err := waitFor(ctx, back)
		if err != nil {
			return err
		}
		d, err := api.FinishLogin(ctx, admin.FinishLogin{Change: c.request(), CredentialRef: r, Handle: begun.Handle, Query: query})
		if err != nil {
			return err
		}
		return c.print(done("Credential", credentialColumns, d))
	})
}

func waitFor(ctx context.Context, back <-chan string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, loginWait)
	defer cancel()
	select {
	case query := <-back:
		return query, nil
	case <-ctx.Done():
		return "", errors.Join(&admin.Error{Code: admin.Unavailable, Message: "nobody logged in", Fix: "try again"}, ctx.Err())
	}
}

// landing takes the first redirect. It says the same to everybody: whether the
// login counts is told in the terminal.
func landing(back chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		select {
		case back <- r.URL.RawQuery:
		default:
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("Go back to the terminal. This window can be closed.\n"))
	})
}

// Command idp is an OpenID provider of other people: zitadel's library with the
// storage of its example, at a loopback address. It prints its issuer and
// serves until stdin ends. Its service user sid1 gets access tokens that are
// JWTs by client credentials. It deliberately changes nothing else of theirs.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// provider is the example's storage, whose service user has opaque tokens.
type provider struct{ *storage.Storage }

// ClientCredentials returns the service user, as one that gets JWTs.
func (p provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c, err := p.Storage.ClientCredentials(ctx, id, secret)
	if err != nil {
		return nil, err
	}
	return withJWT{c}, nil
}

// withJWT is a client whose access tokens are JWTs.
type withJWT struct{ op.Client }

// AccessTokenType says so.
func (withJWT) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	issuer := "http://" + l.Addr().String() + "/"
	users := storage.NewUserStore(issuer)
	handler := exampleop.SetupServer(issuer, provider{storage.NewStorage(users)}, nil, false)
	fmt.Println(issuer)
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err == nil {
			os.Exit(0)
		}
	}()
	fmt.Fprintln(os.Stderr, http.Serve(l, handler))
}

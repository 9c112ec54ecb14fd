//go:build ostiary_cloudkms

package kms

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsapi "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

// The clients of both clouds get everything they use handed in: the guarded
// dialler, the endpoint and the credential. Nothing is left for them to find in
// the environment, the home directory or a metadata service.

// cloudBuilt says that this build reaches the clouds.
const cloudBuilt = true

// awsKMS wraps through Tink, and asks the service itself for what Tink does
// not do: to re-encrypt, to describe and to destroy.
type awsKMS struct {
	conf   AWS
	means  Means
	client *http.Client
	api    *awsapi.Client
	aead   tink.AEADWithContext
}

func openAWS(c AWS, m Means) (Root, error) {
	if found := c.Problems(); len(found) > 0 {
		return nil, problems("keys.root.aws_kms", found)
	}
	ca, err := authorities(m, c.CA)
	if err != nil {
		return nil, err
	}
	client, err := newClient(m, ca, false)
	if err != nil {
		return nil, err
	}
	a := &awsKMS{conf: c, means: m, client: client}
	o := awsapi.Options{Region: c.region(), Credentials: aws.CredentialsProviderFunc(a.credentials), HTTPClient: client, Retryer: aws.NopRetryer{}}
	if c.Endpoint != "" {
		o.BaseEndpoint = &c.Endpoint
	}
	a.api = awsapi.New(o)
	a.aead, err = awskms.NewAEADWithContext(context.Background(), c.KeyARN, awskms.WithKMS(a.api))
	if err != nil {
		return nil, why(ErrConfig, "%w", err)
	}
	return a, nil
}

// region is the one that the ARN names, unless it is configured.
func (c AWS) region() string {
	if c.Region != "" {
		return c.Region
	}
	if parts := strings.Split(c.KeyARN, ":"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// credentials reads the references anew for each request.
func (a *awsKMS) credentials(context.Context) (aws.Credentials, error) {
	var out aws.Credentials
	for _, one := range []struct {
		ref string
		to  *string
	}{{a.conf.AccessKey, &out.AccessKeyID}, {a.conf.SecretKey, &out.SecretAccessKey}, {a.conf.Session, &out.SessionToken}} {
		if one.ref == "" {
			continue
		}
		value, err := a.means.Secret(one.ref)
		if err != nil {
			return aws.Credentials{}, why(ErrCredential, "%w", err)
		}
		if !printable(value) {
			return aws.Credentials{}, why(ErrCredential, "what %s points to is no credential", one.ref)
		}
		*one.to = string(value)
	}
	return out, nil
}

func (a *awsKMS) ID() string { return ProviderAWS + ":" + a.conf.KeyARN }

func (a *awsKMS) String() string { return a.ID() }

func (a *awsKMS) GoString() string { return a.ID() }

func (a *awsKMS) Check(ctx context.Context) error {
	return a.try(ctx, func(ctx context.Context) error {
		out, err := a.api.DescribeKey(ctx, &awsapi.DescribeKeyInput{KeyId: &a.conf.KeyARN})
		switch {
		case err != nil:
			return err
		case out.KeyMetadata == nil:
			return why(ErrAnswer, "it does not describe the key")
		case out.KeyMetadata.KeySpec != types.KeySpecSymmetricDefault || out.KeyMetadata.KeyUsage != types.KeyUsageTypeEncryptDecrypt:
			return why(ErrUnfit, "%s is not a symmetric key for encryption", a.ID())
		case !out.KeyMetadata.Enabled:
			return why(ErrUnfit, "%s is in the state %s", a.ID(), out.KeyMetadata.KeyState)
		}
		return nil
	})
}

func (a *awsKMS) Wrap(ctx context.Context, aad, plain []byte) (wrapped []byte, err error) {
	err = a.try(ctx, func(ctx context.Context) (err error) {
		wrapped, err = a.aead.EncryptWithContext(ctx, plain, aad)
		return err
	})
	return wrapped, err
}

func (a *awsKMS) Unwrap(ctx context.Context, aad, wrapped []byte) (plain []byte, err error) {
	err = a.try(ctx, func(ctx context.Context) (err error) {
		plain, err = a.aead.DecryptWithContext(ctx, wrapped, aad)
		return err
	})
	return plain, err
}

// Rewrap lets the service do it, with the encryption context that Tink writes.
func (a *awsKMS) Rewrap(ctx context.Context, aad, wrapped []byte) (renewed []byte, err error) {
	var with map[string]string
	if len(aad) > 0 {
		with = map[string]string{awskms.AssociatedData.String(): hex.EncodeToString(aad)}
	}
	err = a.try(ctx, func(ctx context.Context) error {
		out, err := a.api.ReEncrypt(ctx, &awsapi.ReEncryptInput{CiphertextBlob: wrapped, SourceKeyId: &a.conf.KeyARN, DestinationKeyId: &a.conf.KeyARN,
			SourceEncryptionContext: with, DestinationEncryptionContext: with})
		if err == nil {
			renewed = out.CiphertextBlob
		}
		return err
	})
	return renewed, err
}

// Destroy schedules the deletion: the service keeps a key for 7 to 30 days more.
func (a *awsKMS) Destroy(ctx context.Context) (effective time.Time, err error) {
	days := int32(a.conf.Days)
	if days == 0 {
		days = 30
	}
	err = a.try(ctx, func(ctx context.Context) error {
		out, err := a.api.ScheduleKeyDeletion(ctx, &awsapi.ScheduleKeyDeletionInput{KeyId: &a.conf.KeyARN, PendingWindowInDays: &days})
		switch {
		case err != nil:
			return err
		case out.DeletionDate == nil:
			return why(ErrAnswer, "it does not say when the key is gone")
		}
		effective = *out.DeletionDate
		return nil
	})
	return effective, err
}

func (a *awsKMS) Close() error { a.client.CloseIdleConnections(); return nil }

func (a *awsKMS) try(ctx context.Context, f func(context.Context) error) error {
	return retried(ctx, a.means, func(ctx context.Context) error { return a.explain(f(ctx)) })
}

// explain sorts an error of the service.
func (a *awsKMS) explain(err error) error {
	var said interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if err == nil || Fix(err) != "" {
		return err
	}
	if !errors.As(err, &said) {
		return unreachable(err)
	}
	is := ErrAnswer
	switch code := said.ErrorCode(); code {
	case "InvalidCiphertextException", "IncorrectKeyException":
		is = ErrWrapped
	case "NotFoundException":
		is = ErrMissing
	case "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException":
		is = ErrUnfit
	case "ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "InternalFailure", "ServiceUnavailable":
		is = ErrUnreachable
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "IncompleteSignatureException",
		"InvalidClientTokenId", "MissingAuthenticationTokenException":
		is = ErrAccess
	}
	return why(is, "%s: %s", a.ID(), quoted(said.ErrorCode()+": "+said.ErrorMessage()))
}

// gcpKMS wraps through Tink over REST, so that each byte crosses the guarded
// dialler, and asks the service itself to describe and to destroy.
type gcpKMS struct {
	conf  GCP
	means Means
	http  *http.Client
	api   *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService
	aead  tink.AEAD
}

const gcpEndpoint = "https://cloudkms.googleapis.com/"

func openGCP(c GCP, m Means) (Root, error) {
	if found := c.Problems(); len(found) > 0 {
		return nil, problems("keys.root.gcp_kms", found)
	}
	ca, err := authorities(m, c.CA)
	if err != nil {
		return nil, err
	}
	base, err := newClient(m, ca, false)
	if err != nil {
		return nil, err
	}
	g := &gcpKMS{conf: c, means: m, http: base}
	signed := *base
	signed.Transport = &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, g), Base: base.Transport}
	endpoint := gcpEndpoint
	if c.Endpoint != "" {
		endpoint = strings.TrimSuffix(c.Endpoint, "/") + "/"
	}
	options := []option.ClientOption{option.WithHTTPClient(&signed), option.WithEndpoint(endpoint)}
	ctx := context.Background()
	service, err := cloudkms.NewService(ctx, options...)
	if err != nil {
		return nil, why(ErrConfig, "%w", err)
	}
	g.api = service.Projects.Locations.KeyRings.CryptoKeys
	client, err := gcpkms.NewClient(ctx, "gcp-kms://"+c.Key, gcpkms.WithTransport(gcpkms.TransportREST), gcpkms.WithGoogleAPIClientOptions(options...))
	if err != nil {
		return nil, why(ErrConfig, "%w", err)
	}
	if g.aead, err = client.GetAEAD("gcp-kms://" + c.Key); err != nil {
		return nil, why(ErrConfig, "%w", err)
	}
	return g, nil
}

// Token gets an access token for the service account, and reads its key anew.
func (g *gcpKMS) Token() (*oauth2.Token, error) {
	text, err := g.means.Secret(g.conf.Credentials)
	if err != nil {
		return nil, why(ErrCredential, "%w", err)
	}
	conf, err := google.JWTConfigFromJSON(text, cloudkms.CloudkmsScope)
	if err != nil {
		return nil, why(ErrCredential, "what %s points to is not the key of a service account", g.conf.Credentials)
	}
	at, err := url.Parse(conf.TokenURL)
	if err != nil || checkAddress(at.Scheme+"://"+at.Host) != nil {
		return nil, why(ErrCredential, "the service account's token_uri is not an https URL")
	}
	return conf.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, g.http)).Token()
}

func (g *gcpKMS) ID() string { return ProviderGCP + ":" + g.conf.Key }

func (g *gcpKMS) String() string { return g.ID() }

func (g *gcpKMS) GoString() string { return g.ID() }

func (g *gcpKMS) Check(ctx context.Context) error {
	return g.try(ctx, ErrUnfit, func(ctx context.Context) error {
		k, err := g.api.Get(g.conf.Key).Context(ctx).Do()
		switch {
		case err != nil:
			return err
		case k.Purpose != "ENCRYPT_DECRYPT":
			return why(ErrUnfit, "%s has the purpose %s", g.ID(), quoted(k.Purpose))
		case k.Primary == nil || k.Primary.State != "ENABLED":
			return why(ErrUnfit, "%s has no enabled primary version", g.ID())
		}
		return nil
	})
}

func (g *gcpKMS) Wrap(ctx context.Context, aad, plain []byte) (wrapped []byte, err error) {
	err = g.try(ctx, ErrUnfit, func(context.Context) (err error) {
		wrapped, err = g.aead.Encrypt(plain, aad)
		return err
	})
	return wrapped, err
}

func (g *gcpKMS) Unwrap(ctx context.Context, aad, wrapped []byte) (plain []byte, err error) {
	err = g.try(ctx, ErrWrapped, func(context.Context) (err error) {
		plain, err = g.aead.Decrypt(wrapped, aad)
		return err
	})
	return plain, err
}

// Rewrap opens and wraps again here: the service has no operation for it.
func (g *gcpKMS) Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	plain, err := g.Unwrap(ctx, aad, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return g.Wrap(ctx, aad, plain)
}

// Destroy schedules the destruction of every version; the last date counts.
func (g *gcpKMS) Destroy(ctx context.Context) (effective time.Time, err error) {
	err = g.try(ctx, ErrKept, func(ctx context.Context) error {
		return g.api.CryptoKeyVersions.List(g.conf.Key).Pages(ctx, func(page *cloudkms.ListCryptoKeyVersionsResponse) error {
			for _, v := range page.CryptoKeyVersions {
				when, err := g.destroyVersion(ctx, v)
				if err != nil {
					return err
				}
				if when.After(effective) {
					effective = when
				}
			}
			return nil
		})
	})
	if err == nil && effective.IsZero() {
		err = why(ErrMissing, "%s has no version", g.ID())
	}
	return effective, err
}

func (g *gcpKMS) destroyVersion(ctx context.Context, v *cloudkms.CryptoKeyVersion) (time.Time, error) {
	at := v.DestroyTime
	switch v.State {
	case "DESTROYED":
		at = v.DestroyEventTime
	case "DESTROY_SCHEDULED":
	default:
		gone, err := g.api.CryptoKeyVersions.Destroy(v.Name, &cloudkms.DestroyCryptoKeyVersionRequest{}).Context(ctx).Do()
		if err != nil {
			return time.Time{}, err
		}
		at = gone.DestroyTime
	}
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return when, why(ErrAnswer, "it does not say when a version is gone")
	}
	return when, nil
}

func (g *gcpKMS) Close() error { g.http.CloseIdleConnections(); return nil }

// try repeats f; refused is what a status of 400 means to it. Tink's REST calls
// take no context: the HTTP client's own limit ends them.
func (g *gcpKMS) try(ctx context.Context, refused error, f func(context.Context) error) error {
	return retried(ctx, g.means, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return unreachable(ctx.Err())
		}
		return g.explain(f(ctx), refused)
	})
}

func (g *gcpKMS) explain(err, refused error) error {
	if err == nil || Fix(err) != "" {
		return err
	}
	if oauth := (*oauth2.RetrieveError)(nil); errors.As(err, &oauth) {
		return why(ErrAccess, "%s: no token for the service account: %s", g.ID(), quoted(oauth.ErrorCode))
	}
	said := (*googleapi.Error)(nil)
	if !errors.As(err, &said) {
		if strings.Contains(err.Error(), "checksum") {
			return why(ErrAnswer, "%s: the answer was damaged on its way", g.ID())
		}
		return unreachable(err)
	}
	is := ErrAnswer
	switch {
	case said.Code == http.StatusBadRequest:
		is = refused
	case said.Code == http.StatusUnauthorized || said.Code == http.StatusForbidden:
		is = ErrAccess
	case said.Code == http.StatusNotFound:
		is = ErrMissing
	case said.Code == http.StatusTooManyRequests || said.Code >= 500:
		is = ErrUnreachable
	}
	return why(is, "%s: status %d, %s", g.ID(), said.Code, quoted(said.Message))
}

package kms

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Vault is a key of the transit engine of Vault or OpenBao. The credential is
// Token, or RoleID with SecretID.
type Vault struct {
	Address   string // https://host:port
	Mount     string // of the transit engine; "" = transit
	Key       string // its name
	Token     string // reference
	RoleID    string // reference, AppRole
	SecretID  string // reference, AppRole
	AuthMount string // of AppRole; "" = approle
	CA        string // reference to PEM authorities; "" = the system's
	Namespace string // "" = none
	TLS12     bool   // speak TLS 1.2 to a server that has no 1.3
}

// vault is an opened root key of the transit engine.
//
// What it encrypts is framed with its place, although the engine takes
// associated data: its rewrap does not, and rewrap is what moves a key to a new
// version without showing it to us.
type vault struct {
	conf   Vault
	means  Means
	client *http.Client

	mu    sync.Mutex
	token []byte // of the last AppRole login; mu guards it
}

// Types of transit keys whose encryption is symmetric and authenticated. The
// frame says nothing about who encrypted under an asymmetric one: anybody can.
var vaultTypes = []string{"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"}

// vaultName is a name of a key; vaultPath a mount or a namespace.
var (
	vaultName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}[A-Za-z0-9_]$|^[A-Za-z0-9_]$`)
	vaultPath = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$`)
)

func (c *Vault) defaults() {
	c.Address = strings.TrimSuffix(c.Address, "/")
	if c.Mount == "" {
		c.Mount = "transit"
	}
	if c.AuthMount == "" {
		c.AuthMount = "approle"
	}
}

// Problems returns what is wrong with the form of c, each under the name of
// its key in the configuration.
func (c Vault) Problems() map[string]string {
	found := map[string]string{}
	c.defaults()
	if c.Address == "" {
		found["address"] = "is missing; write where the server is, such as https://vault.example.com:8200"
	} else if err := checkAddress(c.Address); err != nil {
		found["address"] = err.Error()
	}
	if !vaultName.MatchString(c.Key) {
		found["key"] = "must name a transit key: letters, digits, dots, hyphens and underscores"
	}
	for key, path := range map[string]string{"mount": c.Mount, "auth_mount": c.AuthMount} {
		if !vaultPath.MatchString(path) {
			found[key] = "must be the path of a mount, without slashes at its ends"
		}
	}
	if c.Namespace != "" && !vaultPath.MatchString(c.Namespace) {
		found["namespace"] = "must be a path, without slashes at its ends"
	}
	if err := c.credential(); err != nil {
		found["token"] = err.Error()
	}
	return found
}

func (c Vault) credential() error {
	role := c.RoleID != "" || c.SecretID != ""
	switch {
	case c.Token == "" && !role:
		return errors.New("is missing; write a reference to a token, or role_id and secret_id")
	case c.Token != "" && role:
		return errors.New("and role_id exclude each other")
	case role && (c.RoleID == "" || c.SecretID == ""):
		return errors.New("is missing, or one of role_id and secret_id")
	}
	return nil
}

func openVault(c Vault, m Means) (Root, error) {
	c.defaults()
	if found := c.Problems(); len(found) > 0 {
		return nil, problems("keys.root.vault", found)
	}
	ca, err := authorities(m, c.CA)
	if err != nil {
		return nil, err
	}
	client, err := newClient(m, ca, c.TLS12)
	if err != nil {
		return nil, err
	}
	return &vault{conf: c, means: m, client: client}, nil
}

// ID is the key's address without its scheme.
func (v *vault) ID() string {
	_, host, _ := strings.Cut(v.conf.Address, "://")
	id := ProviderVault + ":" + host + "/"
	if v.conf.Namespace != "" {
		id += v.conf.Namespace + "/"
	}
	return id + v.conf.Mount + "/" + v.conf.Key
}

func (v *vault) path(op string) string { return v.conf.Mount + "/" + op + "/" + v.conf.Key }

// vaultKey is what the engine says of a key, as far as we look at it.
type vaultKey struct {
	Type            string `json:"type"`
	Derived         bool   `json:"derived"`
	DeletionAllowed bool   `json:"deletion_allowed"`
	SoftDeleted     bool   `json:"soft_deleted"`
	CanEncrypt      bool   `json:"supports_encryption"`
}

// look reads the key's properties. The engine makes a missing key when
// somebody with the right to create encrypts under its name; so nothing is
// encrypted before the key was seen (TestVaultMakesNoKey).
func (v *vault) look(ctx context.Context) (vaultKey, error) {
	var k vaultKey
	err := v.call(ctx, http.MethodGet, v.path("keys"), nil, &k)
	switch {
	case err != nil:
		return k, err
	case !slices.Contains(vaultTypes, k.Type) || !k.CanEncrypt:
		return k, why(ErrUnfit, "%s is of type %q; it must be one of %s", v.ID(), k.Type, strings.Join(vaultTypes, ", "))
	case k.Derived:
		return k, why(ErrUnfit, "%s is made for derivation (derived=true)", v.ID())
	case k.SoftDeleted:
		return k, why(ErrMissing, "%s is soft-deleted", v.ID())
	}
	return k, nil
}

func (v *vault) Check(ctx context.Context) error {
	_, err := v.look(ctx)
	return err
}

func (v *vault) Wrap(ctx context.Context, aad, plain []byte) ([]byte, error) {
	if _, err := v.look(ctx); err != nil {
		return nil, err
	}
	framed := frame(aad, plain)
	defer clear(framed)
	var out struct {
		Ciphertext string `json:"ciphertext"`
	}
	err := v.call(ctx, http.MethodPost, v.path("encrypt"), map[string]string{"plaintext": base64.StdEncoding.EncodeToString(framed)}, &out)
	if err != nil {
		return nil, err
	}
	return v.ciphertext(out.Ciphertext)
}

func (v *vault) ciphertext(text string) ([]byte, error) {
	if !isVaultText([]byte(text)) {
		return nil, why(ErrAnswer, "%s gave no ciphertext", v.ID())
	}
	return []byte(text), nil
}

func (v *vault) Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	if !isVaultText(wrapped) {
		return nil, why(ErrWrapped, "it is not a ciphertext of the transit engine")
	}
	var out struct {
		Plaintext string `json:"plaintext"`
	}
	err := v.call(ctx, http.MethodPost, v.path("decrypt"), map[string]string{"ciphertext": string(wrapped)}, &out)
	if err != nil {
		return nil, err
	}
	framed, err := base64.StdEncoding.DecodeString(out.Plaintext)
	if err != nil {
		return nil, why(ErrAnswer, "%s gave no plaintext", v.ID())
	}
	defer clear(framed)
	return unframe(aad, framed)
}

// Rewrap lets the engine do the whole of it. aad stays inside.
func (v *vault) Rewrap(ctx context.Context, _, wrapped []byte) ([]byte, error) {
	if !isVaultText(wrapped) {
		return nil, why(ErrWrapped, "it is not a ciphertext of the transit engine")
	}
	var out struct {
		Ciphertext string `json:"ciphertext"`
	}
	if err := v.call(ctx, http.MethodPost, v.path("rewrap"), map[string]string{"ciphertext": string(wrapped)}, &out); err != nil {
		return nil, err
	}
	return v.ciphertext(out.Ciphertext)
}

// Destroy deletes the key, all versions, at once. It looks again afterwards:
// a certificate of destruction must not rest on a status code alone.
func (v *vault) Destroy(ctx context.Context) (time.Time, error) {
	k, err := v.look(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if !k.DeletionAllowed {
		return time.Time{}, why(ErrKept, "%s has deletion_allowed=false; write deletion_allowed=true to %s/config first", v.ID(), v.path("keys"))
	}
	if err := v.call(ctx, http.MethodDelete, v.path("keys"), nil, nil); err != nil {
		return time.Time{}, err
	}
	if _, err := v.look(ctx); !errors.Is(err, ErrMissing) {
		return time.Time{}, why(ErrAnswer, "%s said that it deleted the key, and still has it", v.ID())
	}
	return v.means.Clock.Now(), nil
}

func (v *vault) Close() error {
	v.client.CloseIdleConnections()
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.token)
	v.token = nil
	return nil
}

// vaultText is the engine's form of a ciphertext.
var vaultText = regexp.MustCompile(`^vault:v[1-9][0-9]{0,8}:([A-Za-z0-9+/]+={0,2})$`)

// isVaultText reports whether b is a ciphertext in its one form. The engine
// itself reads v0 as v1, and ignores the spare bits at the end of base64: an
// edited keystore would open (found by the suite on a real server).
func isVaultText(b []byte) bool {
	parts := vaultText.FindSubmatch(b)
	if parts == nil || len(b) > maxWrapped {
		return false
	}
	_, err := base64.StdEncoding.Strict().DecodeString(string(parts[1]))
	return err == nil
}

// problems joins what is wrong with a section into one error.
func problems(section string, found map[string]string) error {
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var errs []error
	for _, key := range keys {
		errs = append(errs, errors.New(section+"."+key+" "+found[key]))
	}
	return why(ErrConfig, "%w", errors.Join(errs...))
}

var _ json.Marshaler = (*vault)(nil)

// MarshalJSON keeps a credential out of anything that prints v.
func (v *vault) MarshalJSON() ([]byte, error) { return json.Marshal(v.ID()) }

// String keeps a credential out of anything that prints v.
func (v *vault) String() string { return v.ID() }

// GoString keeps a credential out of %#v.
func (v *vault) GoString() string { return v.ID() }

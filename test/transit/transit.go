// Package transit is a stand-in for the transit engine of Vault and OpenBao, for
// tests. It answers as the server's documentation and its source say, odd
// corners included; it deliberately keeps nothing and protects nothing.
package transit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Engine is the engine and what it needs of its server: AppRole, policies as
// far as one token may not decrypt, sealing. It encrypts with AES-256-GCM. Mu
// guards the rest while it serves.
type Engine struct {
	Mu     sync.Mutex
	Keys   map[string]*Key
	Tokens map[string]string // token -> policy: "root", "wrap-only", "update"
	Logins int
	Fail   []int    // statuses that the next requests get
	Seen   []string // method and path of each request
	Spaces []string // X-Vault-Namespace of each request
}

// Key is a key of the engine.
type Key struct {
	kind              string
	derived, deletion bool
	versions          []cipher.AEAD
	minimum           int // oldest version that decrypts
}

// NewKey makes a key of type aes256-gcm96.
func NewKey() *Key {
	return &Key{kind: "aes256-gcm96", versions: []cipher.AEAD{NewAEAD()}, minimum: 1}
}

// RootToken may do everything.
const RootToken = "test-root-token"

// New returns an engine with the key "ostiary" and the token RootToken.
func New() *Engine {
	return &Engine{Keys: map[string]*Key{"ostiary": NewKey()}, Tokens: map[string]string{RootToken: "root"}}
}

// NewAEAD returns AES-256-GCM under a new key.
func NewAEAD() cipher.AEAD {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Reply writes an answer as the server does.
func Reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func refuse(w http.ResponseWriter, status int, text string) {
	Reply(w, status, map[string]any{"errors": []string{text}})
}

func (s *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.Seen = append(s.Seen, r.Method+" "+path)
	s.Spaces = append(s.Spaces, r.Header.Get("X-Vault-Namespace"))
	if len(s.Fail) > 0 {
		status := s.Fail[0]
		s.Fail = s.Fail[1:]
		refuse(w, status, "Vault is sealed")
		return
	}
	var body map[string]any
	if text, _ := io.ReadAll(r.Body); len(text) > 0 && json.Unmarshal(text, &body) != nil {
		refuse(w, http.StatusBadRequest, "failed to parse JSON input")
		return
	}
	if path == "auth/approle/login" {
		s.login(w, body)
		return
	}
	policy, known := s.Tokens[r.Header.Get("X-Vault-Token")]
	if !known {
		refuse(w, http.StatusForbidden, "permission denied")
		return
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[0] != "transit" {
		refuse(w, http.StatusNotFound, "no handler for route")
		return
	}
	s.serve(w, r.Method, call{op: parts[1], name: parts[2], rest: strings.Join(parts[3:], "/"), policy: policy, body: body})
}

type call struct {
	op, name, rest, policy string
	body                   map[string]any
}

func (c call) text(key string) string { s, _ := c.body[key].(string); return s }

func (s *Engine) login(w http.ResponseWriter, body map[string]any) {
	if body["role_id"] != "test-role" || body["secret_id"] != "test-secret" {
		refuse(w, http.StatusBadRequest, "invalid role or secret ID")
		return
	}
	s.Logins++
	token := fmt.Sprintf("s.login-%d", s.Logins)
	s.Tokens[token] = "update"
	Reply(w, http.StatusOK, map[string]any{"data": nil, "auth": map[string]any{"client_token": token, "lease_duration": 60}})
}

func (s *Engine) serve(w http.ResponseWriter, method string, c call) {
	k := s.Keys[c.name]
	switch {
	case c.policy == "wrap-only" && c.op != "encrypt" && c.op != "keys":
		refuse(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case c.op == "keys":
		s.serveKey(w, method, c)
	case c.op == "encrypt" && k == nil && c.policy == "root":
		s.Keys[c.name] = NewKey()
		s.serve(w, method, c) // as the engine does for whoever may create
	case k == nil:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	case c.op == "encrypt":
		plain, err := base64.StdEncoding.DecodeString(c.text("plaintext"))
		if err != nil {
			refuse(w, http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		Reply(w, http.StatusOK, map[string]any{"data": map[string]any{"ciphertext": k.Encrypt(plain), "key_version": len(k.versions)}})
	case c.op == "decrypt" || c.op == "rewrap":
		plain, err := k.decrypt(c.text("ciphertext"))
		switch {
		case err != nil:
			refuse(w, http.StatusBadRequest, err.Error())
		case c.op == "rewrap":
			Reply(w, http.StatusOK, map[string]any{"data": map[string]any{"ciphertext": k.Encrypt(plain)}})
		default:
			Reply(w, http.StatusOK, map[string]any{"data": map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}})
		}
	default:
		refuse(w, http.StatusNotFound, "unsupported path")
	}
}

func (s *Engine) serveKey(w http.ResponseWriter, method string, c call) {
	k := s.Keys[c.name]
	switch {
	case method == http.MethodPost && c.rest == "" && k == nil:
		kind := c.text("type")
		if kind == "" {
			kind = "aes256-gcm96"
		}
		derived, _ := c.body["derived"].(bool)
		s.Keys[c.name] = &Key{kind: kind, derived: derived, versions: []cipher.AEAD{NewAEAD()}, minimum: 1}
		Reply(w, http.StatusNoContent, nil)
	case k == nil && method == http.MethodGet:
		Reply(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	case k == nil:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	case method == http.MethodGet:
		Reply(w, http.StatusOK, map[string]any{"data": map[string]any{"name": c.name, "type": k.kind, "derived": k.derived,
			"deletion_allowed": k.deletion, "supports_encryption": k.kind != "ed25519", "latest_version": len(k.versions)}})
	case method == http.MethodPost && c.rest == "rotate":
		k.versions = append(k.versions, NewAEAD())
		Reply(w, http.StatusNoContent, nil)
	case method == http.MethodPost && c.rest == "config":
		if v, ok := c.body["deletion_allowed"].(bool); ok {
			k.deletion = v
		}
		if v, ok := c.body["min_decryption_version"].(float64); ok {
			k.minimum = int(v)
		}
		Reply(w, http.StatusNoContent, nil)
	case method == http.MethodDelete && !k.deletion:
		refuse(w, http.StatusBadRequest, "error deleting policy "+c.name+": deletion is not allowed for this key")
	case method == http.MethodDelete:
		delete(s.Keys, c.name)
		Reply(w, http.StatusNoContent, nil)
	default:
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	}
}

// Encrypt returns what the engine gives for plain.
func (k *Key) Encrypt(plain []byte) string {
	n := len(k.versions)
	return fmt.Sprintf("vault:v%d:%s", n, base64.StdEncoding.EncodeToString(k.versions[n-1].Seal(nil, nil, plain, nil)))
}

func (k *Key) decrypt(text string) ([]byte, error) {
	var n int
	var rest string
	if _, err := fmt.Sscanf(text, "vault:v%d:%s", &n, &rest); err != nil || n < 0 || n > len(k.versions) {
		return nil, fmt.Errorf("invalid ciphertext: no prefix")
	}
	n = max(n, 1) // as the engine does
	if n < k.minimum {
		return nil, fmt.Errorf("ciphertext or signature version is disallowed by policy (too old)")
	}
	raw, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return nil, fmt.Errorf("invalid ciphertext: could not decode base64")
	}
	if len(raw) < 28 {
		return nil, fmt.Errorf("invalid ciphertext length")
	}
	plain, err := k.versions[n-1].Open(nil, nil, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("invalid ciphertext: unable to decrypt")
	}
	return plain, nil
}

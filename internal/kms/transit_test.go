package kms

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

// transit is a stand-in for the transit engine and what it needs of its server:
// AppRole, policies as far as one token may not decrypt, sealing. It answers as
// the server's documentation and its source say, with AES-256-GCM.
type transit struct {
	mu     sync.Mutex
	keys   map[string]*transitKey
	tokens map[string]string // token -> policy: "root", "wrap-only", "update"
	logins int
	fail   []int // statuses that the next requests get
	seen   []string
	spaces []string // X-Vault-Namespace of each request
}

type transitKey struct {
	kind              string
	derived, deletion bool
	versions          []cipher.AEAD
	minimum           int // oldest version that decrypts
}

func newTransit() *transit {
	return &transit{keys: map[string]*transitKey{}, tokens: map[string]string{"test-root-token": "root"}}
}

func newVersion() cipher.AEAD {
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

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func refuse(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]any{"errors": []string{text}})
}

func (s *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.seen = append(s.seen, r.Method+" "+path)
	s.spaces = append(s.spaces, r.Header.Get("X-Vault-Namespace"))
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
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
	policy, known := s.tokens[r.Header.Get("X-Vault-Token")]
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

func (s *transit) login(w http.ResponseWriter, body map[string]any) {
	if body["role_id"] != "test-role" || body["secret_id"] != "test-secret" {
		refuse(w, http.StatusBadRequest, "invalid role or secret ID")
		return
	}
	s.logins++
	token := fmt.Sprintf("s.login-%d", s.logins)
	s.tokens[token] = "update"
	reply(w, http.StatusOK, map[string]any{"data": nil, "auth": map[string]any{"client_token": token, "lease_duration": 60}})
}

func (s *transit) serve(w http.ResponseWriter, method string, c call) {
	k := s.keys[c.name]
	switch {
	case c.policy == "wrap-only" && c.op != "encrypt" && c.op != "keys":
		refuse(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case c.op == "keys":
		s.serveKey(w, method, c)
	case c.op == "encrypt" && k == nil && c.policy == "root":
		s.keys[c.name] = &transitKey{kind: "aes256-gcm96", versions: []cipher.AEAD{newVersion()}, minimum: 1}
		s.serve(w, method, c) // as the engine does for whoever may create
	case k == nil:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	case c.op == "encrypt":
		plain, err := base64.StdEncoding.DecodeString(c.text("plaintext"))
		if err != nil {
			refuse(w, http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"ciphertext": k.encrypt(plain), "key_version": len(k.versions)}})
	case c.op == "decrypt" || c.op == "rewrap":
		plain, err := k.decrypt(c.text("ciphertext"))
		switch {
		case err != nil:
			refuse(w, http.StatusBadRequest, err.Error())
		case c.op == "rewrap":
			reply(w, http.StatusOK, map[string]any{"data": map[string]any{"ciphertext": k.encrypt(plain)}})
		default:
			reply(w, http.StatusOK, map[string]any{"data": map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}})
		}
	default:
		refuse(w, http.StatusNotFound, "unsupported path")
	}
}

func (s *transit) serveKey(w http.ResponseWriter, method string, c call) {
	k := s.keys[c.name]
	switch {
	case method == http.MethodPost && c.rest == "" && k == nil:
		kind := c.text("type")
		if kind == "" {
			kind = "aes256-gcm96"
		}
		derived, _ := c.body["derived"].(bool)
		s.keys[c.name] = &transitKey{kind: kind, derived: derived, versions: []cipher.AEAD{newVersion()}, minimum: 1}
		reply(w, http.StatusNoContent, nil)
	case k == nil && method == http.MethodGet:
		reply(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	case k == nil:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	case method == http.MethodGet:
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"name": c.name, "type": k.kind, "derived": k.derived,
			"deletion_allowed": k.deletion, "supports_encryption": k.kind != "ed25519", "latest_version": len(k.versions)}})
	case method == http.MethodPost && c.rest == "rotate":
		k.versions = append(k.versions, newVersion())
		reply(w, http.StatusNoContent, nil)
	case method == http.MethodPost && c.rest == "config":
		if v, ok := c.body["deletion_allowed"].(bool); ok {
			k.deletion = v
		}
		if v, ok := c.body["min_decryption_version"].(float64); ok {
			k.minimum = int(v)
		}
		reply(w, http.StatusNoContent, nil)
	case method == http.MethodDelete && !k.deletion:
		refuse(w, http.StatusBadRequest, "error deleting policy "+c.name+": deletion is not allowed for this key")
	case method == http.MethodDelete:
		delete(s.keys, c.name)
		reply(w, http.StatusNoContent, nil)
	default:
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	}
}

func (k *transitKey) encrypt(plain []byte) string {
	n := len(k.versions)
	return fmt.Sprintf("vault:v%d:%s", n, base64.StdEncoding.EncodeToString(k.versions[n-1].Seal(nil, nil, plain, nil)))
}

func (k *transitKey) decrypt(text string) ([]byte, error) {
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

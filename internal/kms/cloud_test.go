//go:build ostiary_cloudkms

package kms

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/transit"
)

const testARN = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"

// awsStandIn answers as AWS KMS's JSON API does: X-Amz-Target, blobs in base64,
// an encryption context that must come back, errors by __type.
type awsStandIn struct {
	mu    sync.Mutex
	state string // of the one key
	spec  string
	fail  []string // codes that the next requests get
	seen  []string
	keys  []cipher.AEAD
	auth  string // of the last request
}

func newAWSStandIn() *awsStandIn {
	return &awsStandIn{state: "Enabled", spec: "SYMMETRIC_DEFAULT", keys: []cipher.AEAD{transit.NewAEAD()}}
}

func (s *awsStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	s.seen, s.auth = append(s.seen, op), r.Header.Get("Authorization")
	var in struct {
		KeyID       string            `json:"KeyId"`
		SourceKeyID string            `json:"SourceKeyId"`
		Plaintext   []byte            `json:"Plaintext"`
		Ciphertext  []byte            `json:"CiphertextBlob"`
		Context     map[string]string `json:"EncryptionContext"`
		Source      map[string]string `json:"SourceEncryptionContext"`
		Destination map[string]string `json:"DestinationEncryptionContext"`
		Days        int               `json:"PendingWindowInDays"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	switch {
	case len(s.fail) > 0:
		code := s.fail[0]
		s.fail = s.fail[1:]
		awsError(w, code)
	case err != nil:
		awsError(w, "SerializationException")
	case !strings.Contains(s.auth, "AWS4-HMAC-SHA256 Credential=AKIDTEST/"):
		awsError(w, "UnrecognizedClientException")
	case in.KeyID+in.SourceKeyID != testARN:
		awsError(w, "NotFoundException")
	case op == "DescribeKey":
		transit.Reply(w, http.StatusOK, map[string]any{"KeyMetadata": map[string]any{"KeyId": testARN, "Enabled": s.state == "Enabled", "KeyState": s.state,
			"KeySpec": s.spec, "KeyUsage": "ENCRYPT_DECRYPT"}})
	case s.state != "Enabled":
		awsError(w, "KMSInvalidStateException")
	case op == "Encrypt":
		transit.Reply(w, http.StatusOK, map[string]any{"CiphertextBlob": s.encrypt(in.Plaintext, in.Context), "KeyId": testARN})
	case op == "Decrypt", op == "ReEncrypt":
		with := in.Context
		if op == "ReEncrypt" {
			with = in.Source
		}
		plain, err := s.decrypt(in.Ciphertext, with)
		if err != nil {
			awsError(w, "InvalidCiphertextException")
		} else if op == "Decrypt" {
			transit.Reply(w, http.StatusOK, map[string]any{"Plaintext": plain, "KeyId": testARN})
		} else {
			transit.Reply(w, http.StatusOK, map[string]any{"CiphertextBlob": s.encrypt(plain, in.Destination), "KeyId": testARN})
		}
	case op == "ScheduleKeyDeletion":
		s.state = "PendingDeletion"
		transit.Reply(w, http.StatusOK, map[string]any{"DeletionDate": 1796000000 + in.Days*86400, "KeyId": testARN, "KeyState": s.state})
	default:
		awsError(w, "UnknownOperationException")
	}
}

func (s *awsStandIn) encrypt(plain []byte, with map[string]string) []byte {
	aad, _ := json.Marshal(with)
	return append([]byte{byte(len(s.keys))}, s.keys[len(s.keys)-1].Seal(nil, nil, plain, aad)...)
}

func (s *awsStandIn) decrypt(blob []byte, with map[string]string) ([]byte, error) {
	if len(blob) < 29 || blob[0] < 1 || int(blob[0]) > len(s.keys) {
		return nil, errors.New("no ciphertext")
	}
	aad, _ := json.Marshal(with)
	return s.keys[blob[0]-1].Open(nil, nil, blob[1:], aad)
}

func awsError(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	if code == "KMSInternalException" {
		status = http.StatusInternalServerError
	}
	w.Header().Set("X-Amzn-ErrorType", code)
	transit.Reply(w, status, map[string]any{"__type": code, "message": "text of the service"})
}

func awsRoot(t *testing.T) (*awsStandIn, Root, map[string]string) {
	t.Helper()
	s := newAWSStandIn()
	srv := httptest.NewTLSServer(s)
	t.Cleanup(srv.Close)
	values := map[string]string{"env:ID": "AKIDTEST", "env:KEY": "test-secret", "file:ca.pem": caOf(srv)}
	root, err := Open(Config{Provider: ProviderAWS, AWS: AWS{KeyARN: testARN, AccessKey: "env:ID", SecretKey: "env:KEY",
		Endpoint: srv.URL, CA: "file:ca.pem", Days: 7}}, means(values))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return s, root, values
}

// cloudSuite is what both clouds must do for us.
func cloudSuite(t *testing.T, root Root, rotate func()) {
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := root.Unwrap(t.Context(), []byte("place"), wrapped); err != nil || !bytes.Equal(back, secret) {
		t.Fatalf("%q, %v", back, err)
	}
	for _, aad := range []string{"", "place ", "Place"} {
		_, err := root.Unwrap(t.Context(), []byte(aad), wrapped)
		refused(t, err, ErrWrapped)
	}
	for i := range wrapped {
		edited := bytes.Clone(wrapped)
		edited[i] ^= 1
		_, err := root.Unwrap(t.Context(), []byte("place"), edited)
		refused(t, err, ErrWrapped)
	}
	rotate()
	renewed, err := root.Rewrap(t.Context(), []byte("place"), wrapped)
	if err != nil || bytes.Equal(renewed, wrapped) {
		t.Fatalf("rewrap: %v", err)
	}
	if back, err := root.Unwrap(t.Context(), []byte("place"), renewed); err != nil || !bytes.Equal(back, secret) {
		t.Errorf("after rewrap: %q, %v", back, err)
	}
	_, err = root.Rewrap(t.Context(), []byte("other"), wrapped)
	refused(t, err, ErrWrapped)
}

func TestAWS(t *testing.T) {
	s, root, values := awsRoot(t)
	cloudSuite(t, root, func() { s.keys = append(s.keys, transit.NewAEAD()) })
	if !strings.Contains(s.auth, "/eu-central-1/kms/") {
		t.Errorf("signed for another region: %s", s.auth)
	}
	values["env:ID"] = "AKIDOTHER"
	refused(t, root.Check(t.Context()), ErrAccess)
	values["env:ID"] = "two words"
	refused(t, root.Check(t.Context()), ErrCredential)
	delete(values, "env:ID")
	refused(t, root.Check(t.Context()), ErrCredential)
}

func TestAWSRefusals(t *testing.T) {
	s, root, _ := awsRoot(t)
	s.fail = []string{"ThrottlingException", "KMSInternalException"}
	if err := root.Check(t.Context()); err != nil {
		t.Errorf("it is not asked again: %v", err)
	}
	for code, want := range map[string]error{"AccessDeniedException": ErrAccess, "DisabledException": ErrUnfit, "SomethingNew": ErrAnswer, "NotFoundException": ErrMissing} {
		s.fail = []string{code}
		refused(t, root.Check(t.Context()), want)
	}
	s.spec = "RSA_2048"
	refused(t, root.Check(t.Context()), ErrUnfit)
}

func TestAWSDestructionIsScheduled(t *testing.T) {
	s, root, _ := awsRoot(t)
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if when, err := root.Destroy(t.Context()); err != nil || when.Unix() != 1796000000+7*86400 {
		t.Errorf("%v, %v", when, err)
	}
	_, err = root.Unwrap(t.Context(), []byte("place"), wrapped)
	refused(t, err, ErrUnfit)
	refused(t, root.Check(t.Context()), ErrUnfit)
	if s.state != "PendingDeletion" {
		t.Errorf("the key is in the state %s", s.state)
	}
}

const testKey = "projects/p/locations/l/keyRings/r/cryptoKeys/k"

// gcpStandIn answers as Cloud KMS's REST API does, checksums included, and as
// the token endpoint of its service accounts.
type gcpStandIn struct {
	mu      sync.Mutex
	keys    []cipher.AEAD
	states  []string // of the versions
	fail    []int
	damaged bool // checksums of answers are wrong
	tokens  int
}

func sumOf(b []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))), 10)
}

func (s *gcpStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		s.tokens++
		transit.Reply(w, http.StatusOK, map[string]any{"access_token": "test-token", "token_type": "Bearer", "expires_in": 3600})
		return
	}
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		gcpError(w, status)
		return
	}
	if r.Header.Get("Authorization") != "Bearer test-token" {
		gcpError(w, http.StatusUnauthorized)
		return
	}
	var in struct {
		Plaintext  string `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
		AAD        string `json:"additionalAuthenticatedData"`
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			gcpError(w, http.StatusBadRequest)
			return
		}
	}
	path, op, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	aad, plain, blob := fromGoogle(in.AAD), fromGoogle(in.Plaintext), fromGoogle(in.Ciphertext)
	switch {
	case !strings.HasPrefix(path, testKey):
		gcpError(w, http.StatusNotFound)
	case op == "encrypt":
		n := len(s.keys)
		blob = append([]byte{byte(n)}, s.keys[n-1].Seal(nil, nil, plain, aad)...)
		sum := sumOf(blob)
		if s.damaged {
			sum = "1"
		}
		transit.Reply(w, http.StatusOK, map[string]any{"name": testKey + "/cryptoKeyVersions/1", "ciphertext": blob, "ciphertextCrc32c": sum,
			"verifiedPlaintextCrc32c": true, "verifiedAdditionalAuthenticatedDataCrc32c": true})
	case op == "decrypt":
		if len(blob) < 29 || blob[0] < 1 || int(blob[0]) > len(s.keys) {
			gcpError(w, http.StatusBadRequest)
			return
		}
		plain, err := s.keys[blob[0]-1].Open(nil, nil, blob[1:], aad)
		if err != nil {
			gcpError(w, http.StatusBadRequest)
			return
		}
		transit.Reply(w, http.StatusOK, map[string]any{"plaintext": plain, "plaintextCrc32c": sumOf(plain)})
	case op == "destroy":
		n, _ := strconv.Atoi(path[strings.LastIndex(path, "/")+1:])
		s.states[n-1] = "DESTROY_SCHEDULED"
		transit.Reply(w, http.StatusOK, s.version(n))
	case strings.HasSuffix(path, "/cryptoKeyVersions"):
		var all []any
		for n := range s.states {
			all = append(all, s.version(n+1))
		}
		transit.Reply(w, http.StatusOK, map[string]any{"cryptoKeyVersions": all})
	default:
		transit.Reply(w, http.StatusOK, map[string]any{"name": testKey, "purpose": "ENCRYPT_DECRYPT", "primary": s.version(len(s.states))})
	}
}

func (s *gcpStandIn) version(n int) map[string]any {
	v := map[string]any{"name": testKey + "/cryptoKeyVersions/" + strconv.Itoa(n), "state": s.states[n-1]}
	if s.states[n-1] == "DESTROY_SCHEDULED" {
		v["destroyTime"] = time.Unix(1796000000+int64(n), 0).UTC().Format(time.RFC3339)
	}
	return v
}

// fromGoogle reads base64 in either alphabet, as the service does.
func fromGoogle(text string) []byte {
	b, _ := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text))
	return b
}

func gcpError(w http.ResponseWriter, status int) {
	transit.Reply(w, status, map[string]any{"error": map[string]any{"code": status, "message": "text of the service", "status": "X"}})
}

func gcpRoot(t *testing.T) (*gcpStandIn, Root, map[string]string) {
	t.Helper()
	s := &gcpStandIn{keys: []cipher.AEAD{transit.NewAEAD()}, states: []string{"ENABLED"}}
	srv := httptest.NewTLSServer(s)
	t.Cleanup(srv.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "gateway@p.example", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": srv.URL + "/token"})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"file:sa.json": string(account), "file:ca.pem": caOf(srv)}
	root, err := Open(Config{Provider: ProviderGCP, GCP: GCP{Key: testKey, Credentials: "file:sa.json", Endpoint: srv.URL, CA: "file:ca.pem"}}, means(values))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return s, root, values
}

func TestGCP(t *testing.T) {
	s, root, _ := gcpRoot(t)
	cloudSuite(t, root, func() {
		s.keys, s.states = append(s.keys, transit.NewAEAD()), append(s.states, "ENABLED")
	})
	if s.tokens != 1 {
		t.Errorf("%d tokens were fetched", s.tokens)
	}
	s.fail = []int{503, 429}
	if err := root.Check(t.Context()); err != nil {
		t.Errorf("it is not asked again: %v", err)
	}
	for status, want := range map[int]error{403: ErrAccess, 404: ErrMissing, 418: ErrAnswer} {
		s.fail = []int{status}
		refused(t, root.Check(t.Context()), want)
	}
	s.damaged = true
	_, err := root.Wrap(t.Context(), []byte("place"), secret)
	refused(t, err, ErrAnswer)
	s.damaged = false
	if when, err := root.Destroy(t.Context()); err != nil || when.Unix() != 1796000002 {
		t.Errorf("%v, %v", when, err)
	}
	refused(t, root.Check(t.Context()), ErrUnfit)
}

func TestGCPCredentialsAreRefused(t *testing.T) {
	_, root, values := gcpRoot(t)
	good := values["file:sa.json"]
	for name, text := range map[string]string{"no JSON": "x", "a user's": `{"type":"authorized_user","refresh_token":"r"}`, "external": `{"type":"external_account"}`,
		"plain http": strings.Replace(good, "https://", "http://metadata.example", 1)} {
		t.Run(name, func(t *testing.T) {
			values["file:sa.json"] = text
			refused(t, root.Check(t.Context()), ErrCredential)
		})
	}
}

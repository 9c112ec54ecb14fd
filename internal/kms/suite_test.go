package kms

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func tls12() *tls.Config { return &tls.Config{MaxVersion: tls.VersionTLS12} }

// engine is a transit engine that the suite may administer: the stand-in, or a
// real server.
type engine struct {
	conf   Vault
	means  Means
	values map[string]string
}

// admin sends a request as root.
func (e engine) admin(t *testing.T, method, path string, body map[string]any) vaultAnswer {
	t.Helper()
	v, err := openVault(e.conf, e.means)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	answer, err := adminCall(t, v.(*vault), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// TestVaultStandIn runs the suite on the stand-in.
func TestVaultStandIn(t *testing.T) {
	_, c, values := standIn(t)
	suite(t, engine{conf: c, means: means(values), values: values})
}

// suite is what every transit engine must do for us.
func suite(t *testing.T, e engine) {
	for _, one := range []struct {
		name string
		test func(*testing.T, engine)
	}{
		{"a key comes back", suiteRoundTrip}, {"another place does not open", suiteAnotherPlaceDoesNotOpen},
		{"edited bytes do not open", suiteEdited}, {"rewrap moves to the new version", suiteRewrap},
		{"a missing key is not made", suiteMakesNoKey}, {"unfit keys are refused", suiteUnfit}, {"destruction", suiteDestroy},
	} {
		t.Run(one.name, func(t *testing.T) { one.test(t, e) })
	}
}

func suiteRoundTrip(t *testing.T, e engine) {
	root := openRoot(t, e.conf, e.means)
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		plain := bytes.Repeat([]byte{byte(n)}, 1+n*(maxKey-1)/2)
		wrapped, err := root.Wrap(t.Context(), []byte("place"), plain)
		if err != nil {
			t.Fatal(err)
		}
		again, err := root.Wrap(t.Context(), []byte("place"), plain)
		if err != nil || bytes.Equal(wrapped, again) {
			t.Errorf("two wrappings are equal, or %v", err)
		}
		if back, err := root.Unwrap(t.Context(), []byte("place"), wrapped); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
}

func suiteAnotherPlaceDoesNotOpen(t *testing.T, e engine) {
	root := openRoot(t, e.conf, e.means)
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, aad := range []string{"", "plac", "place ", "Place"} {
		_, err := root.Unwrap(t.Context(), []byte(aad), wrapped)
		refused(t, err, ErrWrapped)
	}
	e.admin(t, http.MethodPost, "transit/keys/other", nil)
	other := e.conf
	other.Key = "other"
	_, err = openRoot(t, other, e.means).Unwrap(t.Context(), []byte("place"), wrapped)
	refused(t, err, ErrWrapped)
}

func suiteEdited(t *testing.T, e engine) {
	root := openRoot(t, e.conf, e.means)
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wrapped {
		edited := bytes.Clone(wrapped)
		edited[i] ^= 1
		if _, err := root.Unwrap(t.Context(), []byte("place"), edited); !errors.Is(err, ErrWrapped) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	for _, cut := range [][]byte{nil, []byte("vault:v1:"), wrapped[:len(wrapped)/2], append(bytes.Clone(wrapped), "AAAA"...), []byte("plain"),
		[]byte("vault:v1:\n"), make([]byte, maxWrapped+1)} {
		_, err := root.Unwrap(t.Context(), []byte("place"), cut)
		refused(t, err, ErrWrapped)
		_, err = root.Rewrap(t.Context(), []byte("place"), cut)
		refused(t, err, ErrWrapped)
	}
}

func suiteRewrap(t *testing.T, e engine) {
	e.admin(t, http.MethodPost, "transit/keys/turning", nil)
	c := e.conf
	c.Key = "turning"
	root := openRoot(t, c, e.means)
	old, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	e.admin(t, http.MethodPost, "transit/keys/turning/rotate", nil)
	renewed, err := root.Rewrap(t.Context(), []byte("place"), old)
	if err != nil || !strings.HasPrefix(string(renewed), "vault:v2:") {
		t.Fatalf("%.12q, %v", renewed, err)
	}
	e.admin(t, http.MethodPost, "transit/keys/turning/config", map[string]any{"min_decryption_version": 2})
	if back, err := root.Unwrap(t.Context(), []byte("place"), renewed); err != nil || !bytes.Equal(back, secret) {
		t.Errorf("the new form: %v", err)
	}
	_, err = root.Unwrap(t.Context(), []byte("other place"), renewed)
	refused(t, err, ErrWrapped)
	_, err = root.Unwrap(t.Context(), []byte("place"), old)
	refused(t, err, ErrWrapped)
}

func suiteMakesNoKey(t *testing.T, e engine) {
	c := e.conf
	c.Key = "mistyped"
	root := openRoot(t, c, e.means)
	_, err := root.Wrap(t.Context(), []byte("place"), secret)
	refused(t, err, ErrMissing)
	refused(t, root.Check(t.Context()), ErrMissing)
	_, err = root.Unwrap(t.Context(), []byte("place"), []byte("vault:v1:AAAA"))
	refused(t, err, ErrMissing)
	c.Mount = "nowhere"
	refused(t, openRoot(t, c, e.means).Check(t.Context()), ErrMissing)
}

func suiteUnfit(t *testing.T, e engine) {
	for name, body := range map[string]map[string]any{
		"asymmetric": {"type": "rsa-2048"}, "signing": {"type": "ed25519"}, "derived": {"derived": true},
	} {
		e.admin(t, http.MethodPost, "transit/keys/"+name, body)
		c := e.conf
		c.Key = name
		root := openRoot(t, c, e.means)
		_, err := root.Wrap(t.Context(), []byte("place"), secret)
		refused(t, err, ErrUnfit)
		refused(t, root.Check(t.Context()), ErrUnfit)
	}
}

func suiteDestroy(t *testing.T, e engine) {
	e.admin(t, http.MethodPost, "transit/keys/doomed", nil)
	c := e.conf
	c.Key = "doomed"
	root := openRoot(t, c, e.means)
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	_, err = root.Destroy(t.Context())
	refused(t, err, ErrKept)
	if _, err := root.Unwrap(t.Context(), []byte("place"), wrapped); err != nil {
		t.Errorf("it is gone although it was kept: %v", err)
	}
	e.admin(t, http.MethodPost, "transit/keys/doomed/config", map[string]any{"deletion_allowed": true})
	if when, err := root.Destroy(t.Context()); err != nil || when.IsZero() {
		t.Fatalf("%v, %v", when, err)
	}
	_, err = root.Unwrap(t.Context(), []byte("place"), wrapped)
	refused(t, err, ErrMissing)
	_, err = root.Destroy(t.Context())
	refused(t, err, ErrMissing)
}

// adminCall is call with a body of any kind; only tests administer an engine.
func adminCall(t *testing.T, v *vault, method, path string, body map[string]any) (answer vaultAnswer, err error) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(t.Context(), method, v.conf.Address+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	token, err := v.credential(t.Context())
	if err != nil {
		return answer, err
	}
	req.Header.Set("X-Vault-Token", string(token))
	resp, err := v.client.Do(req)
	if err != nil {
		return answer, err
	}
	text, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return answer, err
	}
	if resp.StatusCode >= 300 {
		return answer, fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	if len(text) > 0 {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

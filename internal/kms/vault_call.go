package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// vaultAnswer is the envelope of every answer.
type vaultAnswer struct {
	Data   json.RawMessage `json:"data"`
	Errors []string        `json:"errors"`
	Auth   *struct {
		Token string `json:"client_token"`
	} `json:"auth"`
}

// call sends one request to path below /v1/, repeats it while the server
// cannot take it, and reads data into out. With AppRole a refused token is
// renewed once: it may have ended.
func (v *vault) call(ctx context.Context, method, path string, body map[string]string, out any) error {
	token, err := v.credential(ctx)
	if err != nil {
		return err
	}
	answer, err := v.retry(ctx, vaultRequest{method, path, body, token})
	if errors.Is(err, ErrAccess) && v.conf.Token == "" {
		v.forget()
		if token, err = v.credential(ctx); err != nil {
			return err
		}
		answer, err = v.retry(ctx, vaultRequest{method, path, body, token})
	}
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return why(ErrAnswer, "%s: the answer has no data", v.ID())
	}
	return nil
}

// vaultRequest is one request, before it is written.
type vaultRequest struct {
	method, path string
	body         map[string]string
	token        []byte // nil: none, for a login
}

func (v *vault) retry(ctx context.Context, r vaultRequest) (vaultAnswer, error) {
	var answer vaultAnswer
	err := retried(ctx, v.means, func(ctx context.Context) (err error) {
		answer, err = v.once(ctx, r)
		return err
	})
	return answer, err
}

func (v *vault) once(ctx context.Context, r vaultRequest) (vaultAnswer, error) {
	var none vaultAnswer
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return none, err
		}
		defer clear(text)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, v.conf.Address+"/v1/"+r.path, body)
	if err != nil {
		return none, why(ErrConfig, "%s", "the address cannot be used")
	}
	req.Header.Set("X-Vault-Request", "true")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != nil {
		req.Header.Set("X-Vault-Token", string(r.token))
	}
	if v.conf.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", v.conf.Namespace)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return none, unreachable(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return none, unreachable(err)
	}
	defer clear(text)
	return v.read(resp.StatusCode, text)
}

// read sorts an answer by its status. Text of the server stands in errors cut
// and quoted: it is another program's, and may hold anything.
func (v *vault) read(status int, text []byte) (vaultAnswer, error) {
	var a vaultAnswer
	parsed := json.Unmarshal(text, &a)
	said := v.ID() + ": status " + strconv.Itoa(status)
	if len(a.Errors) > 0 {
		said += ", " + quoted(strings.Join(a.Errors, "; "))
	}
	switch {
	case status == http.StatusNoContent:
		return a, nil
	case status == http.StatusOK && parsed == nil:
		return a, nil
	case status >= 300 && status < 400:
		return a, why(ErrAnswer, "%s: it redirects, which is not followed; name the active server", said)
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return a, why(ErrAccess, "%s", said)
	case status == http.StatusNotFound:
		return a, why(ErrMissing, "%s", said)
	case status == http.StatusBadRequest:
		return a, why(refusal(a.Errors), "%s", said)
	case status == http.StatusTooManyRequests || status == http.StatusPreconditionFailed || status == 472 || status == 473 || status >= 500:
		return a, why(ErrUnreachable, "%s", said)
	}
	return a, why(ErrAnswer, "%s", said)
}

// refusal says what a status of 400 means, which the engine tells in words.
func refusal(errs []string) error {
	said := strings.ToLower(strings.Join(errs, "; "))
	switch {
	case strings.Contains(said, "key not found"):
		return ErrMissing
	case strings.Contains(said, "invalid role"), strings.Contains(said, "invalid secret"):
		return ErrAccess
	case strings.Contains(said, "message authentication failed"), strings.Contains(said, "invalid ciphertext"),
		strings.Contains(said, "ciphertext"), strings.Contains(said, "version is disallowed"):
		return ErrWrapped
	}
	return ErrAnswer
}

// quoted makes another program's text safe to print.
func quoted(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// credential returns the token to send: the referenced one, read anew, or that
// of the last login.
func (v *vault) credential(ctx context.Context) ([]byte, error) {
	if v.conf.Token != "" {
		return v.secret(v.conf.Token)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token == nil {
		token, err := v.login(ctx)
		if err != nil {
			return nil, err
		}
		v.token = token
	}
	return bytes.Clone(v.token), nil
}

func (v *vault) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.token)
	v.token = nil
}

// login gets a token for the AppRole.
func (v *vault) login(ctx context.Context) ([]byte, error) {
	role, err := v.secret(v.conf.RoleID)
	if err != nil {
		return nil, err
	}
	secret, err := v.secret(v.conf.SecretID)
	if err != nil {
		return nil, err
	}
	answer, err := v.retry(ctx, vaultRequest{http.MethodPost, "auth/" + v.conf.AuthMount + "/login",
		map[string]string{"role_id": string(role), "secret_id": string(secret)}, nil})
	if err != nil {
		return nil, err
	}
	if answer.Auth == nil || !printable([]byte(answer.Auth.Token)) {
		return nil, why(ErrAnswer, "%s: the login gave no token", v.ID())
	}
	return []byte(answer.Auth.Token), nil
}

// secret resolves a reference to a value that fits a header.
func (v *vault) secret(ref string) ([]byte, error) {
	value, err := v.means.Secret(ref)
	if err != nil {
		return nil, why(ErrCredential, "%w", err)
	}
	if !printable(value) {
		return nil, why(ErrCredential, "what %s points to is no token: it holds spaces, control characters or foreign letters", ref)
	}
	return value, nil
}

// printable reports whether b is a token: not empty, ASCII without spaces.
func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 4096
}

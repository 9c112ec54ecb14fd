package issuer

import (
	"errors"
	"net/http"
)

// oauthError is a refusal in the words of RFC 6749 5.2. Its description is a
// sentence of ours and holds nothing that was sent.
type oauthError struct {
	status int
	code   string
	text   string
	cause  error // for our own log
}

// Error returns the code, the sentence and the cause.
func (e *oauthError) Error() string {
	if e.cause != nil {
		return e.code + ": " + e.text + ": " + e.cause.Error()
	}
	return e.code + ": " + e.text
}

// Unwrap returns the cause.
func (e *oauthError) Unwrap() error { return e.cause }

func bad(code, text string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: code, text: text}
}

// errGrant is the one answer to every code, token and device code that is not
// in force for who shows it: nobody learns which part was nearly right.
func errGrant(cause string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: "invalid_grant",
		text: "The grant is unknown, used, expired or not for this client.", cause: errors.New(cause)}
}

// errClient is the one answer to every client that is not who it says.
func errClient(cause error) *oauthError {
	return &oauthError{status: http.StatusUnauthorized, code: "invalid_client", text: "The client is unknown or did not prove itself.", cause: cause}
}

func fail(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, map[string]string{"error": code, "error_description": text})
}

// refuse answers err in JSON. What is no oauthError is our own failure.
func (i *Issuer) refuse(w http.ResponseWriter, what string, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		i.broken(w, what, err)
		return
	}
	i.log("refused to "+what, e)
	fail(w, e.status, e.code, e.text)
}

// broken answers that we failed.
func (i *Issuer) broken(w http.ResponseWriter, what string, err error) {
	i.log("could not "+what, err)
	fail(w, http.StatusInternalServerError, "server_error", "The gateway could not do this now.")
}

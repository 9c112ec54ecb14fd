package admin

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// csrfHeader is what no form can send, and no page elsewhere without asking
// first: nobody answers such a question.
const csrfHeader = "Ostiary-CSRF"

// maxRemote bounds one request over the network, in bytes.
const maxRemote = 1 << 20

// Remote serves the methods to people who signed in: POST /api/v1/METHOD on the
// admin listener, never on the data listener. who returns the caller of a
// request, or false.
func (a *Admin) Remote(who func(*http.Request) (Caller, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, status, err := a.remote(w, r, who)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				e = &Error{Code: Failed, Message: "the request failed"}
			}
			if status == 0 {
				status = statusOf(e.Code)
			}
			w.WriteHeader(status)
			result = map[string]*Error{"error": e}
		}
		if err := json.NewEncoder(w).Encode(result); err != nil {
			return // the peer is gone
		}
	})
}

func (a *Admin) remote(w http.ResponseWriter, r *http.Request, who func(*http.Request) (Caller, bool)) (any, int, error) {
	c, ok := who(r)
	if !ok {
		return nil, http.StatusUnauthorized, &Error{Code: Forbidden, Message: "nobody is signed in", Fix: "open /login"}
	}
	// A browser sends the cookie along with what a page elsewhere made it
	// send; such a request has a foreign origin, and neither the header nor
	// the type (K02, TestK02RemoteCSRF).
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || r.Header.Get(csrfHeader) != "1" || http.NewCrossOriginProtection().Check(r) != nil {
		return nil, http.StatusForbidden, &Error{Code: Forbidden, Message: "the request does not come from a page of this gateway"}
	}
	if r.Method != http.MethodPost {
		return nil, http.StatusMethodNotAllowed, invalid("", "use POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRemote))
	if err != nil {
		return nil, http.StatusRequestEntityTooLarge, invalid("", "the request cannot be read")
	}
	c.Socket = false
	out, err := a.Call(r.Context(), c, strings.TrimPrefix(r.URL.Path, prefix), body)
	return out, 0, err
}

package issuer

import (
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxForm bounds a form or query, bytes.
const maxForm = 16 << 10

// params are the parameters of a request, each at most once (RFC 6749 3.1): a
// second one could mean something else to another reader.
type params map[string]string

var errForm = bad("invalid_request", "The request cannot be read, or has a parameter twice.")

func parseParams(raw string) (params, error) {
	if len(raw) > maxForm {
		return nil, errForm
	}
	values, err := url.ParseQuery(raw)
	if err != nil || len(values) > 64 {
		return nil, errForm
	}
	p := params{}
	for name, v := range values {
		if len(v) != 1 {
			return nil, errForm
		}
		p[name] = v[0]
	}
	return p, nil
}

// form reads a form from the body. A query beside it is refused: tokens and
// codes do not belong into URIs, which proxies log.
func form(r *http.Request) (params, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		return nil, errForm
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return nil, errForm
	}
	return parseParams(string(body))
}

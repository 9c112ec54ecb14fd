package http1

// facts are what the fields of a head say about its message and connection.
type facts struct {
	length   int64 // of Content-Length, -1 if absent
	chunked  bool
	close    bool   // Connection: close
	upgrade  bool   // any request to switch protocols
	expect   string // value of Expect
	expects  int
	hosts    int
	host     string
	hostAt   int // index of the Host field
	hasCodes bool
}

// readFacts goes over the fields once. It refuses every doubtful framing of
// RFC 9112 section 6.3: what is left has one reading.
func readFacts(h Header) (facts, error) {
	f := facts{length: -1}
	for i := range h {
		if err := f.add(i, &h[i]); err != nil {
			return f, err
		}
	}
	if f.hasCodes && f.length >= 0 {
		return f, errBoth
	}
	return f, nil
}

func (f *facts) add(i int, field *Field) error {
	switch len(field.Name) {
	case len("Host"):
		if same(field.Name, "Host") {
			f.hosts, f.host, f.hostAt = f.hosts+1, field.Value, i
		}
	case len("Expect"):
		if same(field.Name, "Expect") {
			f.expects, f.expect = f.expects+1, field.Value
		}
	case len("Upgrade"): // also Trailer
		if same(field.Name, "Upgrade") {
			f.upgrade = true
		} else if same(field.Name, "Trailer") {
			return checkTrailer(field.Value)
		}
	case len("Connection"):
		if same(field.Name, "Connection") {
			return f.connection(field.Value)
		}
	case len("Content-Length"): // also HTTP2-Settings
		if same(field.Name, "Content-Length") {
			return f.contentLength(field.Value)
		}
		if same(field.Name, "HTTP2-Settings") {
			f.upgrade = true
		}
	case len("Transfer-Encoding"):
		if same(field.Name, "Transfer-Encoding") {
			if f.hasCodes || !same(field.Value, "chunked") {
				return errCoding
			}
			f.hasCodes, f.chunked = true, true
		}
	}
	return nil
}

func (f *facts) connection(value string) error {
	for option := range elements(value) {
		if same(option, "close") {
			f.close = true
		} else if same(option, "upgrade") {
			f.upgrade = true
		}
	}
	return nil
}

// contentLength takes digits only, at most 18 of them, and only once.
func (f *facts) contentLength(value string) error {
	if f.length >= 0 || value == "" || len(value) > 18 {
		return errLength
	}
	f.length = 0
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return errLength
		}
		f.length = f.length*10 + int64(value[i]-'0')
	}
	return nil
}

// checkTrailer refuses the announcement of trailers that frame the message.
func checkTrailer(value string) error {
	for name := range elements(value) {
		if same(name, "Transfer-Encoding") || same(name, "Content-Length") || same(name, "Trailer") || same(name, "Host") {
			return errTrailerName
		}
	}
	return nil
}

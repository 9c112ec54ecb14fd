package witness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// Server is a witness. It serves add-checkpoint under any prefix, to anybody:
// what counts is the log's own signature.
type Server struct {
	key   *keys.Cosigner
	state *State
	logs  map[string][]note.Verifier // by origin
	clock clock.Clock
	seen  func(Seen)

	mu sync.Mutex // check and change of the state are one
}

// Seen is what became of one request, for the witness's own log. Note is set
// for a checkpoint that the log signed and that does not extend what was seen
// before: together with that one it proves what the log did.
type Seen struct {
	Origin string
	Size   uint64
	Status int
	Why    string
	Note   []byte
}

// ServerConfig is what a witness needs.
type ServerConfig struct {
	Key   *keys.Cosigner
	State *State
	Logs  []string // verifier keys; one log may have several
	Clock clock.Clock
	Seen  func(Seen) // may be nil
}

// NewServer returns a witness for the listed logs.
func NewServer(c ServerConfig) (*Server, error) {
	s := &Server{key: c.Key, state: c.State, clock: c.Clock, seen: c.Seen, logs: map[string][]note.Verifier{}}
	if s.seen == nil {
		s.seen = func(Seen) {}
	}
	for _, vkey := range c.Logs {
		v, err := parseLogKey(vkey)
		if err != nil {
			return nil, err
		}
		s.logs[v.Name()] = append(s.logs[v.Name()], v.Verifier)
	}
	return s, nil
}

// CheckLogKey reports whether vkey can be the verifier key of a log.
func CheckLogKey(vkey string) (origin string, err error) {
	v, err := parseLogKey(vkey)
	if err != nil {
		return "", err
	}
	return v.Name(), nil
}

// ServeHTTP answers add-checkpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "use POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	line, err := s.Add(body)
	var refused *Refusal
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(refused.Status)
		_, err = fmt.Fprintf(w, "%d\n", refused.Size)
	case errors.As(err, &refused):
		http.Error(w, refused.Why, refused.Status)
		return
	case err != nil: // it could not be made durable, so it was not signed
		http.Error(w, "the witness cannot write its state", http.StatusInternalServerError)
		return
	default:
		_, err = io.WriteString(w, line)
	}
	if err != nil {
		return // the peer is gone
	}
}

// Refusal is an answer other than a cosignature.
type Refusal struct {
	Status int
	Size   uint64 // for 409: the size that the witness knows
	Why    string
}

func (r *Refusal) Error() string { return r.Why }

// Add takes the body of one request and returns the cosignature, a signature
// line. The state is durable before it returns.
func (s *Server) Add(body []byte) (string, error) {
	seen := Seen{Status: http.StatusOK}
	line, err := s.add(body, &seen)
	var refused *Refusal
	if errors.As(err, &refused) {
		seen.Status, seen.Why = refused.Status, refused.Why
	} else if err != nil {
		seen.Status, seen.Why = http.StatusInternalServerError, err.Error()
	}
	s.seen(seen)
	return line, err
}

func (s *Server) add(body []byte, seen *Seen) (string, error) {
	r, err := parseRequest(body)
	if err != nil {
		return "", &Refusal{Status: http.StatusBadRequest, Why: err.Error()}
	}
	now, err := ParseCheckpoint(string(r.note))
	if err != nil {
		return "", &Refusal{Status: http.StatusBadRequest, Why: err.Error()}
	}
	known := s.logs[now.Origin]
	if len(known) == 0 {
		return "", &Refusal{Status: http.StatusNotFound, Why: "this log is not known here"}
	}
	seen.Origin, seen.Size = now.Origin, now.Size
	signed, err := note.Open(r.note, note.VerifierList(known...))
	if err != nil {
		return "", &Refusal{Status: http.StatusForbidden, Why: "no signature of the log's key"}
	}
	if r.old > now.Size {
		return "", &Refusal{Status: http.StatusBadRequest, Why: "the old size is larger than the new one"}
	}
	return s.extend(now, r, signed.Text, seen)
}

// extend checks now against what is remembered, remembers it and signs.
func (s *Server) extend(now Checkpoint, r request, text string, seen *Seen) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.state.Last(now.Origin)
	if r.old != last.Size {
		why := "the old size is not the one that was cosigned last"
		if now.Size < last.Size {
			// An honest log never shrinks, but an old message may arrive
			// late: kept for people, not an alarm by itself.
			seen.Note, why = r.note, "the log was larger before"
		}
		return "", &Refusal{Status: http.StatusConflict, Size: last.Size, Why: why}
	}
	if err := consistent(last, now, r.proof); err != nil {
		seen.Note = r.note
		return "", &Refusal{Status: http.StatusUnprocessableEntity, Why: "the proof does not show that the log only grew"}
	}
	if now.Size == last.Size && last.Size > 0 {
		if now.Root != last.Root {
			seen.Note = r.note
			return "", &Refusal{Status: http.StatusConflict, Size: last.Size, Why: "two different trees of the same size"}
		}
		return s.key.Cosign(text, s.clock.Now()), nil
	}
	if err := s.state.set(now); err != nil {
		return "", err
	}
	return s.key.Cosign(text, s.clock.Now()), nil
}

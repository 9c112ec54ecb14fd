package sealed

import (
	"errors"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

// errInvalid says that a row must not be stored: a value is outside its set.
var errInvalid = errors.New("the row is not valid")

// The stored forms. Their JSON names are a format: a name that was stored keeps
// its meaning, and a reader refuses names that it does not know. Times are
// nanoseconds since 1970 UTC, 0 = none. Agents and operators stand as
// pseudonyms. A noun's revision is its row's, less one.

type serverRow struct {
	ID           string        `json:"id"`
	State        string        `json:"state"`
	Transport    string        `json:"transport"`
	URL          string        `json:"url,omitempty"`
	Private      bool          `json:"private,omitempty"`
	Command      []string      `json:"command,omitempty"`
	Dir          string        `json:"dir,omitempty"`
	Secrets      []secretRow   `json:"secrets,omitempty"`
	PassEnv      []string      `json:"pass_env,omitempty"`
	CAFile       string        `json:"ca_file,omitempty"`
	Pins         []string      `json:"pins,omitempty"`
	ClientCert   string        `json:"client_cert,omitempty"`
	ClientKey    string        `json:"client_key,omitempty"`
	TLS12        bool          `json:"tls12,omitempty"`
	Eras         []string      `json:"eras,omitempty"`
	Examined     bool          `json:"examined,omitempty"`
	Tools        []toolRow     `json:"tools,omitempty"`
	Labels       []string      `json:"labels,omitempty"`
	Zone         string        `json:"zone,omitempty"`
	MessageBytes int           `json:"message_bytes,omitempty"`
	CallTimeout  time.Duration `json:"call_timeout,omitempty"`
	InFlight     int           `json:"in_flight,omitempty"`
	Basis        string        `json:"basis,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	By           string        `json:"by,omitempty"`
	CreatedAt    int64         `json:"created_at"`
	UpdatedAt    int64         `json:"updated_at"`
}

type secretRow struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

type toolRow struct {
	Name       string             `json:"name"`
	Access     registry.Access    `json:"access,omitempty"`
	Definition string             `json:"definition,omitempty"`
	Digest     string             `json:"digest,omitempty"`
	State      registry.ToolState `json:"state,omitempty"`
	Labels     []string           `json:"labels,omitempty"`
}

type agentRow struct {
	Subject   string   `json:"subject"`
	State     string   `json:"state"`
	Era       string   `json:"era,omitempty"`
	Receipts  bool     `json:"receipts,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	Clearance []string `json:"clearance,omitempty"`
	Zone      string   `json:"zone,omitempty"`
	Basis     string   `json:"basis,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	By        string   `json:"by,omitempty"`
	CreatedAt int64    `json:"created_at"`
	UpdatedAt int64    `json:"updated_at"`
}

type tokenRow struct {
	ID        string `json:"id"`
	Subject   string `json:"subject"`
	Hash      []byte `json:"hash"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt int64  `json:"expires_at,omitempty"`
	Revoked   bool   `json:"revoked,omitempty"`
	Scope     string `json:"scope,omitempty"`
	Server    string `json:"server,omitempty"`
}

type certificateRow struct {
	Serial    string `json:"serial"`
	Subject   string `json:"subject"`
	NotAfter  int64  `json:"not_after"`
	CreatedAt int64  `json:"created_at"`
	Revoked   bool   `json:"revoked,omitempty"`
}

type grantRow struct {
	Subject   string   `json:"subject"`
	Server    string   `json:"server"`
	Access    string   `json:"access"`
	Tools     []string `json:"tools,omitempty"`
	Purpose   string   `json:"purpose,omitempty"`
	By        string   `json:"by,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	CreatedAt int64    `json:"created_at"`
}

type metaRow struct {
	Key   string `json:"key"`
	Value []byte `json:"value"` // bytes: any string is kept
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func stamp(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func serverOf(v serverRow, revision int64) registry.Server {
	s := registry.Server{ID: v.ID, State: registry.State(v.State), Transport: registry.Transport(v.Transport), URL: v.URL,
		Private: v.Private, Command: slices.Clone(v.Command), Dir: v.Dir, PassEnv: slices.Clone(v.PassEnv), CAFile: v.CAFile, Pins: slices.Clone(v.Pins),
		ClientCert: v.ClientCert, ClientKey: v.ClientKey, TLS12: v.TLS12, Eras: slices.Clone(v.Eras), Examined: v.Examined, Labels: slices.Clone(v.Labels), Zone: v.Zone,
		MessageBytes: v.MessageBytes, CallTimeout: v.CallTimeout, InFlight: v.InFlight, Basis: v.Basis, Reason: v.Reason,
		By: v.By, CreatedAt: stamp(v.CreatedAt), UpdatedAt: stamp(v.UpdatedAt), Revision: revision - 1}
	for _, x := range v.Secrets {
		s.Secrets = append(s.Secrets, registry.Secret{Name: x.Name, Sealed: slices.Clone(x.Sealed)})
	}
	for _, x := range v.Tools {
		s.Tools = append(s.Tools, registry.Tool(x))
	}
	return s
}

func rowOf(s registry.Server) serverRow {
	v := serverRow{ID: s.ID, State: string(s.State), Transport: string(s.Transport), URL: s.URL,
		Private: s.Private, Command: s.Command, Dir: s.Dir, PassEnv: s.PassEnv, CAFile: s.CAFile, Pins: s.Pins,
		ClientCert: s.ClientCert, ClientKey: s.ClientKey, TLS12: s.TLS12, Eras: s.Eras, Examined: s.Examined, Labels: s.Labels, Zone: s.Zone,
		MessageBytes: s.MessageBytes, CallTimeout: s.CallTimeout, InFlight: s.InFlight, Basis: s.Basis, Reason: s.Reason,
		By: s.By, CreatedAt: nanos(s.CreatedAt), UpdatedAt: nanos(s.UpdatedAt)}
	for _, x := range s.Secrets {
		v.Secrets = append(v.Secrets, secretRow(x))
	}
	for _, x := range s.Tools {
		v.Tools = append(v.Tools, toolRow(x))
	}
	return v
}

// The checks of what the types cannot forbid. The database sees sealed bodies
// and can check none of it.

func checkServer(s registry.Server) error {
	return valid(s.ID != "", "a server without an id",
		slices.Contains([]registry.State{registry.Submitted, registry.Active, registry.Suspended, registry.Rejected, registry.Retired}, s.State), "a server's state",
		slices.Contains([]registry.Transport{registry.HTTP, registry.SSE, registry.Stdio}, s.Transport), "a server's transport",
		s.MessageBytes >= 0 && s.CallTimeout >= 0 && s.InFlight >= 0, "a server's limits",
		s.Revision >= 0, "a server's revision")
}

func checkAgent(a registry.Agent) error {
	return valid(a.ID != "", "an agent without an id",
		slices.Contains([]registry.State{registry.Active, registry.Suspended, registry.Retired}, a.State), "an agent's state",
		slices.Contains([]string{"", "legacy", "modern"}, a.Era), "an agent's era",
		a.Revision >= 0, "an agent's revision")
}

// valid takes pairs of a condition and what is wrong when it is false.
func valid(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if ok, _ := pairs[i].(bool); !ok {
			what, _ := pairs[i+1].(string)
			return &invalidRow{what}
		}
	}
	return nil
}

type invalidRow struct{ what string }

func (e *invalidRow) Error() string { return errInvalid.Error() + ": " + e.what }

func (e *invalidRow) Unwrap() error { return errInvalid }

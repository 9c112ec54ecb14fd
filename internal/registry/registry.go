// Package registry holds what takes part: servers with their tools, agents
// with their tokens, and who was granted what; and the one table of moves that
// a server or an agent may make between the states of its life cycle.
//
// It is pure data and rules: it opens no file, no socket and no key. The store
// drivers keep its rows, admin changes them, and the data path reads them only
// through a Snapshot, an immutable view that is swapped as a whole. It
// deliberately does not decide who may call what: policy does.
package registry

import (
	"errors"
	"time"
)

// Errors of the registry's store methods. Drivers translate native errors.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	ErrConflict = errors.New("changed meanwhile") // compare-and-set lost
)

// State is a place in the life cycle of a server or an agent.
type State string

// The states. Only an Active component takes part in an exchange.
const (
	Submitted State = "submitted" // server: waits for approval
	Active    State = "active"
	Suspended State = "suspended"
	Rejected  State = "rejected"
	Retired   State = "retired" // final
)

// Access is what a grant or a tool's class allows: Modify includes Write,
// Write includes Read.
type Access string

// The accesses, from weakest to strongest. The zero value of a tool's class
// means that nobody classified it: it counts as Modify.
const (
	Read   Access = "read"
	Write  Access = "write"
	Modify Access = "modify"
)

// Transport is how the gateway reaches a server.
type Transport string

// The transports.
const (
	HTTP  Transport = "http"  // Streamable HTTP, either era
	SSE   Transport = "sse"   // HTTP+SSE of 2024-11-05
	Stdio Transport = "stdio" // a child process
)

// Secret is a value sealed under the upstream-credentials key. Only forward
// opens it. It prints as a marker.
type Secret struct {
	Name   string // header or environment variable
	Sealed []byte // seal record; identity: tenant, "server-secret", server, Name
}

// Server is one registered MCP server. Values are copied, never shared.
type Server struct {
	ID        string // [a-z0-9]+(-[a-z0-9]+)*, at most 32 bytes
	State     State
	Transport Transport
	URL       string   // HTTP, SSE: absolute, http or https
	Private   bool     // operator allows loopback and private addresses
	Command   []string // Stdio: program and arguments, started without a shell
	Dir       string   // Stdio: working directory, "" = the gateway's data directory's "run" folder
	Secrets   []Secret // headers (HTTP, SSE) or environment values (Stdio)
	PassEnv   []string // Stdio: names of the gateway's own variables passed on

	CAFile     string   // HTTP, SSE: PEM bundle that replaces the system roots
	Pins       []string // HTTP, SSE: "sha256/BASE64" of SubjectPublicKeyInfo; any one must match
	ClientCert string   // HTTP, SSE: PEM file of certificate chain shown to the server
	ClientKey  string   // HTTP, SSE: PEM file of its key
	TLS12      bool     // HTTP, SSE: named loosening

	Eras     []string // "legacy", "modern": what the last examination found; empty = never examined
	Examined bool     // Tools is the complete list of an examination: unknown tools are refused
	Tools    []Tool

	Labels []string // what it holds, for policies: "secret", "health"; sorted
	Zone   string   // where it runs, for policies: "intern"; "" = not told

	MessageBytes int           // 0 = the gateway's limit
	CallTimeout  time.Duration // absolute limit of one call; 0 = the gateway's default
	InFlight     int           // 0 = the gateway's default

	Basis     string // how it was approved: "operator" or "import"
	Reason    string // why it was approved, suspended, rejected
	By        string // who did the last change
	CreatedAt time.Time
	UpdatedAt time.Time
	Revision  int64 // compare-and-set

	tools map[string]*Tool // set by NewSnapshot: Tools by name
}

// Tool is one tool of a server as it was examined and approved.
type Tool struct {
	Name       string
	Access     Access // "" = not classified, counts as Modify
	Definition string // JSON as the server sent it; "" = named by the operator, never examined
	Digest     string // hex SHA-256 of the canonical (key-ordered) definition
	State      ToolState
	Labels     []string // beside those of its server; sorted
}

// ToolState says whether a tool may be called.
type ToolState string

// The states of a tool. A tool that appears or changes after approval is not
// callable until an operator approves the difference.
const (
	ToolApproved ToolState = "approved"
	ToolChanged  ToolState = "changed"
	ToolNew      ToolState = "new"
)

// Agent is one client: an app, a model, a program.
type Agent struct {
	ID        string // same form as a server's
	Pseudonym string // what the log calls it; drawn at random, gone for good with its key
	State     State
	Era       string   // "", "legacy" or "modern": pinned to one era
	Basis     string   // "operator" or "import"
	Receipts  bool     // its answers carry a signed receipt
	Roles     []string // for policies; sorted
	Clearance []string // labels that it may see, for policies; sorted
	Zone      string   // where it runs, for policies; "" = not told
	Reason    string
	By        string
	CreatedAt time.Time
	UpdatedAt time.Time
	Revision  int64
}

// Token is an API token of an agent. The token itself is never stored.
type Token struct {
	ID        string // the visible part: [a-z2-7]{16}
	Agent     string
	Hash      []byte // keyed hash of the whole token
	CreatedAt time.Time
	ExpiresAt time.Time // zero = none
	Revoked   bool
	Scope     string // what it reaches at most, as in access tokens; "" = what the agent may
	Server    string // whose endpoint alone it is good at; "" = every one
}

// Certificate is one leaf that the gateway's CA issued to an agent.
type Certificate struct {
	Serial    string // lower-case hex
	Agent     string
	NotAfter  time.Time
	CreatedAt time.Time
	Revoked   bool
}

// Grant allows an agent to use a server.
type Grant struct {
	Agent     string
	Server    string
	Access    Access
	Tools     []string // empty = every tool up to Access
	Purpose   string   // what for; policies see it; "" = not told
	By        string
	Reason    string
	CreatedAt time.Time
}

// Store is what the registry needs of a database. Every method is atomic and
// durable on return. Update methods compare Revision with the stored row and
// return ErrConflict when it differs; they store Revision+1.
type Store interface {
	Servers() ([]Server, error)
	Server(id string) (Server, error)     // ErrNotFound
	InsertServer(Server) error            // ErrExists
	UpdateServer(Server) error            // ErrNotFound, ErrConflict
	Agents() ([]Agent, error)             //
	Agent(id string) (Agent, error)       // ErrNotFound
	InsertAgent(Agent) error              // ErrExists
	UpdateAgent(Agent) error              // ErrNotFound, ErrConflict
	Tokens() ([]Token, error)             //
	Token(id string) (Token, error)       // ErrNotFound
	InsertToken(Token) error              // ErrExists
	RevokeToken(id string) error          // ErrNotFound
	Certificates() ([]Certificate, error) //
	Certificate(serial string) (Certificate, error)
	InsertCertificate(Certificate) error // ErrExists
	RevokeCertificate(serial string) error
	DeleteCertificate(serial string) error // ErrNotFound
	Grants() ([]Grant, error)
	Grant(agent, server string) (Grant, error) // ErrNotFound
	PutGrant(Grant) error                      // replaces the one of the same agent and server
	DeleteGrant(agent, server string) error

	NounStore
}

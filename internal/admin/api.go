package admin

import (
	"context"
	"encoding/json"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// API is everything that an operator can do. Admin's callers in this process
// and Client, over the socket, both implement it, so that a command does the
// same whether or not the gateway runs. Every error is *Error.
type API interface {
	Status(context.Context, None) (Status, error)

	SubmitServer(context.Context, SubmitServer) (Done[ServerView], error)
	ApproveServer(context.Context, ApproveServer) (Done[ServerView], error)
	MoveServer(context.Context, Move) (Done[ServerView], error)
	ScanServer(context.Context, Scan) (Done[ServerView], error)
	SetServer(context.Context, SetServer) (Done[ServerView], error)
	Servers(context.Context, None) ([]ServerView, error)
	Server(context.Context, ID) (ServerView, error)

	SetCredential(context.Context, SetCredential) (Done[CredentialView], error)
	Credentials(context.Context, CredentialRef) ([]CredentialView, error)
	RemoveCredential(context.Context, RemoveCredential) (Done[CredentialView], error)
	BeginLogin(context.Context, BeginLogin) (LoginBegun, error)
	FinishLogin(context.Context, FinishLogin) (Done[CredentialView], error)

	Tools(context.Context, ToolQuery) ([]ToolView, error)
	ApproveTool(context.Context, ApproveTool) (Done[ToolView], error)
	SetTool(context.Context, SetTool) (Done[ToolView], error)

	RegisterAgent(context.Context, RegisterAgent) (Done[Registration], error)
	MoveAgent(context.Context, Move) (Done[AgentView], error)
	SetAgent(context.Context, SetAgent) (Done[AgentView], error)
	Agents(context.Context, None) ([]AgentView, error)
	Agent(context.Context, ID) (AgentView, error)
	IssueCertificate(context.Context, IssueCertificate) (Done[Credentials], error)

	Certificates(context.Context, CertQuery) ([]CertView, error)
	RevokeCertificate(context.Context, RevokeCert) (Done[CertView], error)
	IssueComponent(context.Context, IssueComponent) (Done[Credentials], error)
	CreateJoinToken(context.Context, JoinToken) (Done[NewJoin], error)
	RevocationList(context.Context, None) (CRL, error)

	Kill(context.Context, Switch) (Done[KillView], error)
	Kills(context.Context, None) ([]KillView, error)

	CreateToken(context.Context, CreateToken) (Done[NewToken], error)
	Tokens(context.Context, TokenQuery) ([]TokenView, error)
	RevokeToken(context.Context, RevokeToken) (Done[TokenView], error)
	ExplainToken(context.Context, ExplainToken) (TokenVerdict, error)

	Grant(context.Context, Grant) (Done[GrantView], error)
	Revoke(context.Context, Revoke) (Done[GrantView], error)
	Grants(context.Context, GrantQuery) ([]GrantView, error)
	Explain(context.Context, Explain) (Explanation, error)

	Attach(context.Context, Attach) (Attachment, error)

	BackupBegin(context.Context, BackupBegin) (BackupBegun, error)
	BackupRead(context.Context, ID) (BackupPart, error)
	BackupFinish(context.Context, BackupFinish) (Done[BackupFinished], error)
	BackupList(context.Context, None) ([]Backup, error)
	Keys(context.Context, KeyQuery) ([]KeyView, error)
	Key(context.Context, ID) (KeyView, error)
	RotateKey(context.Context, RotateKey) (Done[KeyView], error)
	DestroyKey(context.Context, DestroyKey) (Done[KeyView], error)
	ResealKey(context.Context, ResealKey) (Resealed, error)
	EraseSubject(context.Context, EraseSubject) (Done[Erasure], error)

	AuditQuery(context.Context, AuditQuery) (AuditPage, error)
	AuditFollow(context.Context, AuditQuery) (AuditPage, error)
	AuditLogs(context.Context, None) ([]AuditLog, error)
	AuditShow(context.Context, AuditRef) ([]AuditEntry, error)
	AuditVerify(context.Context, AuditVerify) (AuditVerified, error)
	AuditCheckpoint(context.Context, AuditSign) (AuditCheckpoint, error)
	AuditProve(context.Context, AuditRef) (AuditProof, error)
	AuditExport(context.Context, AuditExport) (AuditExported, error)
	AuditEntries(context.Context, AuditEntries) ([]AuditRaw, error)
	AuditHashes(context.Context, AuditHashes) ([][]byte, error)

	WitnessList(context.Context, None) ([]WitnessView, error)
	ChangeWitness(context.Context, WitnessChange) (Done[[]WitnessView], error)

	CAAPI
	PolicyAPI
	UserAPI
	ApprovalAPI
	LimitAPI
	FilterAPI
	OAuthAPI
	VaultAPI
}

// None is the request of a method that needs no argument.
type None struct{}

// ID names one server or agent.
type ID struct {
	ID string `json:"id"`
}

// Change is the part that every request for a change has.
type Change struct {
	Reason string `json:"reason,omitempty"` // why, for the record; at most 1024 bytes
	DryRun bool   `json:"dryRun,omitempty"` // do everything but keep it
}

// Done is the outcome of a change.
type Done[T any] struct {
	Applied bool     `json:"applied"` // false for a dry run
	Item    T        `json:"item"`    // as it is after the change
	Notices []string `json:"notices"` // what the operator should know or do next
}

// SubmitServer registers a server, which then waits for approval. URL or
// Command is set, never both.
type SubmitServer struct {
	Change
	ID         string             `json:"id"`
	Transport  registry.Transport `json:"transport,omitempty"` // default: http with a URL, stdio with a command
	URL        string             `json:"url,omitempty"`
	Private    bool               `json:"private,omitempty"` // allow loopback and private addresses
	Command    []string           `json:"command,omitempty"`
	Dir        string             `json:"dir,omitempty"`     // absolute
	Secrets    []Clear            `json:"secrets,omitempty"` // headers or environment values; sealed at once
	PassEnv    []string           `json:"passEnv,omitempty"`
	CAFile     string             `json:"caFile,omitempty"` // absolute path, as the next two
	ClientCert string             `json:"clientCert,omitempty"`
	ClientKey  string             `json:"clientKey,omitempty"`
	Pins       []string           `json:"pins,omitempty"`
	TLS12      bool               `json:"tls12,omitempty"`
}

// Clear is a secret value on its way to be sealed. It prints as its name.
type Clear struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// String hides the value.
func (c Clear) String() string { return c.Name + "=[secret]" }

// GoString hides the value.
func (c Clear) GoString() string { return c.String() }

// Basis says on what an approval or a registration rests.
type Basis string

// The bases.
const (
	ByOperator Basis = "operator" // the default
	ByImport   Basis = "import"   // taken over from a client's own configuration
)

// ApproveServer lets agents with a grant reach a submitted server.
type ApproveServer struct {
	Change
	ID         string                     `json:"id"`
	Basis      Basis                      `json:"basis,omitempty"`
	ToolAccess map[string]registry.Access `json:"toolAccess,omitempty"` // class of a tool by its name
}

// Action is a move in the life of a server or an agent.
type Action string

// The actions. Reject and Remove are for servers only.
const (
	Reject  Action = "reject"
	Suspend Action = "suspend"
	Resume  Action = "resume"
	Retire  Action = "retire"
)

// Move changes the state of a server or an agent.
type Move struct {
	Change
	ID     string `json:"id"`
	Action Action `json:"action"`
}

// Scan examines a server again and pins what it finds.
type Scan struct {
	Change
	ID string `json:"id"`
}

// ToolQuery selects tools; the zero value of a field selects all.
type ToolQuery struct {
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
}

// ApproveTool approves a new or changed tool, or classifies one.
type ApproveTool struct {
	Change
	Server string          `json:"server"`
	Tool   string          `json:"tool"`
	Access registry.Access `json:"access,omitempty"` // "" = keep the class
	Digest string          `json:"digest,omitempty"` // refuse when the definition is another one
}

// RegisterAgent registers a client. With Credentials it also gets a
// certificate of 30 days and a token.
type RegisterAgent struct {
	Change
	ID          string `json:"id"`
	Era         string `json:"era,omitempty"` // "", "legacy" or "modern"
	Basis       Basis  `json:"basis,omitempty"`
	Credentials bool   `json:"credentials,omitempty"`
	Receipts    bool   `json:"receipts,omitempty"` // its answers carry a signed receipt

	JWTIssuer  string `json:"jwtIssuer,omitempty"` // with JWTSubject: whose tokens it shows
	JWTSubject string `json:"jwtSubject,omitempty"`
	SPIFFE     string `json:"spiffeId,omitempty"` // of an outside trust domain: which certificates it shows
}

// SetAgent changes how an agent is served and what policies see of it. What is
// null stays as it is; lists replace the earlier ones.
type SetAgent struct {
	Change
	ID        string    `json:"id"`
	Receipts  *bool     `json:"receipts,omitempty"`
	Roles     *[]string `json:"roles,omitempty"`
	Clearance *[]string `json:"clearance,omitempty"` // labels that it may see
	Zone      *string   `json:"zone,omitempty"`
}

// Registration is a new agent with its credentials, which are shown only here.
type Registration struct {
	Agent       AgentView    `json:"agent"`
	Credentials *Credentials `json:"credentials,omitempty"`
	Token       *NewToken    `json:"token,omitempty"`
	CAPEM       []byte       `json:"caPem,omitempty"` // what to trust the gateway with, for an agent that has its credential elsewhere
}

// Credentials are a client certificate with its key.
type Credentials struct {
	Agent    string    `json:"agent"`
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"notAfter"`
	CertPEM  []byte    `json:"certPem"` // leaf, then intermediate
	KeyPEM   []byte    `json:"keyPem"`  // secret
	CAPEM    []byte    `json:"caPem"`   // what to trust the gateway with
}

// IssueCertificate makes a certificate for a registered agent.
type IssueCertificate struct {
	Change
	Agent string   `json:"agent"`
	Life  Duration `json:"life,omitempty"` // default and most: 30 days
}

// CreateToken makes a token for a registered agent.
type CreateToken struct {
	Change
	Agent string   `json:"agent"`
	Life  Duration `json:"life,omitempty"` // 0 = until it is revoked
	// Scope is read, write or modify, and Server the one endpoint: what the token
	// reaches at most, whatever the agent may. "" does not limit.
	Scope  string `json:"scope,omitempty"`
	Server string `json:"server,omitempty"`
}

// NewToken is a token, which is shown only here.
type NewToken struct {
	ID        string     `json:"id"`
	Agent     string     `json:"agent"`
	Token     string     `json:"token"` // secret
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

// TokenQuery selects tokens; the zero value selects all.
type TokenQuery struct {
	Agent string `json:"agent,omitempty"`
}

// RevokeToken ends a token for good: an API token by its id, or with JWT a token
// of an issuer by its jti.
type RevokeToken struct {
	Change
	ID     string `json:"id"`
	JWT    bool   `json:"jwt,omitempty"`
	Issuer string `json:"issuer,omitempty"` // of the JWT; "" = of any issuer
}

// Grant allows an agent to use a server, replacing an earlier grant.
type Grant struct {
	Change
	Agent  string          `json:"agent"`
	Server string          `json:"server"`
	Access registry.Access `json:"access"`
	Tools  []string        `json:"tools,omitempty"`

	Purpose *string `json:"purpose,omitempty"` // what for; null = as an earlier grant says
}

// Revoke takes a grant back.
type Revoke struct {
	Change
	Agent  string `json:"agent"`
	Server string `json:"server"`
}

// GrantQuery selects grants; the zero value of a field selects all.
type GrantQuery struct {
	Agent  string `json:"agent,omitempty"`
	Server string `json:"server,omitempty"`
}

// Explain asks what the gateway would decide, without a call.
type Explain struct {
	Agent  string `json:"agent"`
	Server string `json:"server"`
	Tool   string `json:"tool,omitempty"` // "" = listing and reading

	Args     json.RawMessage   `json:"args,omitempty"` // none: would some be allowed?
	At       *time.Time        `json:"at,omitempty"`
	IP       string            `json:"ip,omitempty"`
	Purpose  string            `json:"purpose,omitempty"`
	Strength identity.Strength `json:"strength,omitempty"`
	Approved bool              `json:"approved,omitempty"`
	Sources  []policy.Source   `json:"sources,omitempty"` // decide by these policies; none: by those in force
}

// Explanation is a decision in words.
type Explanation struct {
	Agent   string          `json:"agent"`
	Server  string          `json:"server"`
	Tool    string          `json:"tool,omitempty"`
	Allow   bool            `json:"allow"`
	Reason  string          `json:"reason"` // as it would stand in the record
	Kind    string          `json:"kind,omitempty"`
	Need    registry.Access `json:"need,omitempty"`
	Have    registry.Access `json:"have,omitempty"`
	Version uint64          `json:"version"` // of the registry that decided

	Decision string   `json:"decision"`         // allow, deny or needs
	Reasons  []string `json:"reasons"`          // Reason, then the ids of the policies that decided
	Needs    string   `json:"needs,omitempty"`  // what a person has to do: approval, step-up
	Grant    string   `json:"grant,omitempty"`  // that was found
	Policy   uint64   `json:"policy_version"`   // 0: the grants alone decide
	Hash     string   `json:"policy,omitempty"` // of the policies that decided

	Fix string `json:"fix,omitempty"` // a command that would allow it
}

// Attach asks for what a local client needs to reach a server as an agent.
type Attach struct {
	Agent   string   `json:"agent,omitempty"`  // "" = the only active agent
	Server  string   `json:"server,omitempty"` // "" = all servers, or the one with Command
	Command []string `json:"command,omitempty"`
}

// Attachment is where and as whom a local client connects.
type Attachment struct {
	Agent      string `json:"agent"`
	Server     string `json:"server,omitempty"`
	URL        string `json:"url"`        // the MCP endpoint
	Address    string `json:"address"`    // host:port to dial
	ServerName string `json:"serverName"` // name in the gateway's certificate
	CAPEM      []byte `json:"caPem,omitempty"`
}

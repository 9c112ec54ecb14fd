package app

// Config is the whole of ostiary.yaml. Every key is optional but version; the
// zero value refuses every call. A key marked reload:"hot" takes effect on
// SIGHUP or when the file changes; the others need a restart. A key marked
// source:"any" may also be set by an environment variable OSTIARY_ and its
// path in capitals with underscores; the others can be set in the file only,
// so that nothing but the file can loosen the gateway.
type Config struct {
	// Version is the version of this file's format: 1. A file without it is
	// refused.
	Version int `yaml:"version" enum:"1" required:"true"`
	// Mode says what becomes of a call that no grant allows. "enforce"
	// refuses it; there is no other mode yet.
	Mode string `yaml:"mode" enum:"enforce" required:"true"`
	// DataDir is the directory of keys, store and records. Default: the
	// directory of this file. A wrong value starts an empty gateway or none.
	DataDir string `yaml:"data_dir"`
	// Listeners are the addresses that the gateway serves.
	Listeners Listeners `yaml:"listeners"`
	// TrustedProxies are the addresses or CIDR prefixes whose forwarding
	// headers name the caller. Default: none, forwarding headers are
	// ignored. A prefix that is too wide lets callers choose their own
	// address in the records.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Identity is who may prove what they are, beside the agents' tokens and
	// certificates that this gateway made.
	Identity Identity `yaml:"identity"`
	// Keys is where the gateway's keys begin.
	Keys KeysConfig `yaml:"keys"`
	// Store is the database of servers, agents and grants.
	Store StoreConfig `yaml:"store"`
	// Audit is how the log of every call and every change is kept.
	Audit Audit `yaml:"audit"`
	// Backup is for whom ostiary backup encrypts.
	Backup BackupConfig `yaml:"backup" reload:"hot"`
	// Limits bound what callers and servers may use.
	Limits Limits `yaml:"limits" reload:"restart" source:"any"`
	// Telemetry sends traces to a collector. Default: off.
	Telemetry Telemetry `yaml:"telemetry"`
	// Servers are submitted when the gateway starts and when this file
	// changes. Each still has to be approved once by hand. A server that is
	// taken out of the list stays registered.
	Servers []ServerConfig `yaml:"servers" reload:"hot"`
	// Policy is where the operators' policies come from, and who may apply
	// them.
	Policy PolicyConfig `yaml:"policy"`
	// Approvals says who is told of calls that wait for a person.
	Approvals ApprovalsConfig `yaml:"approvals"`
	// Privacy is what becomes of personal data and secrets in messages.
	Privacy PrivacyConfig `yaml:"privacy"`
	// Logs is what the gateway prints for its operators, on stderr.
	Logs Logs `yaml:"logs" source:"any"`
}

// ApprovalsConfig is about calls that wait for a person.
type ApprovalsConfig struct {
	// Webhook is told of calls that wait and of broken glass.
	Webhook Webhook `yaml:"webhook"`
}

// Webhook is an address of the operators' own. Messages name the event and an
// id, and no person and no argument; the header Ostiary-Signature holds
// HMAC-SHA256 over their time and body. Each is tried five times.
type Webhook struct {
	// URL is an absolute https URL. Default: nobody is told.
	URL string `yaml:"url"`
	// Secret is a reference to the key of the signatures, env:NAME or
	// file:PATH, at least 16 bytes.
	Secret string `yaml:"secret"`
	// Private allows loopback and private addresses, and http there. Default:
	// false.
	Private bool `yaml:"private"`
}

// PolicyConfig is about policies in Cedar, beside grants.
type PolicyConfig struct {
	// Dir is a directory whose *.cedar files are the policies: they are
	// applied when the gateway starts and on SIGHUP, and operators cannot apply
	// others. Invalid files change nothing and degrade readiness; a gateway that
	// has no earlier version does not start with them. Default: operators apply
	// policies.
	Dir string `yaml:"dir"`
	// FourEyes asks for two operators: one proposes policies, another one
	// applies them.
	FourEyes bool `yaml:"four_eyes"`
}

// Listeners are the addresses that the gateway serves, each in its own role.
type Listeners struct {
	// Data serves MCP clients over HTTPS.
	Data DataListener `yaml:"data"`
	// Admin serves /livez, /readyz and /metrics over HTTPS.
	Admin AddressListener `yaml:"admin"`
	// Health serves the same over plain HTTP, for probes that cannot do
	// TLS. Default: not served.
	Health AddressListener `yaml:"health"`
	// Local is a loosening: plain HTTP on a loopback address, on which every
	// caller is one agent without any credential. Default: not served.
	Local LocalListener `yaml:"local"`
}

// DataListener serves MCP clients.
type DataListener struct {
	// Address is host:port. Default: 127.0.0.1:8443. An address other than
	// loopback opens the gateway to that network.
	Address string `yaml:"address"`
	// PublicURL is the https URL under which clients reach the gateway, when
	// it is not the address. Its host is an accepted name.
	PublicURL string `yaml:"public_url" source:"any"`
	// Names are further accepted host names or IP addresses, without port.
	// The listener's address, localhost and the loopback addresses (when it
	// listens there) are always accepted. A request for another name is
	// refused with 421, which stops DNS rebinding.
	Names []string `yaml:"names"`
	// TLS is the operator's own certificate. Default: one of the gateway's
	// own CA, whose root is ca.pem in the data directory.
	TLS TLSFiles `yaml:"tls"`
	// CORSOrigins are the exact origins of browser apps that may call, such
	// as http://localhost:6274. Default: none, browsers are refused.
	CORSOrigins []string `yaml:"cors_origins"`
}

// Identity is how callers may prove what they are.
type Identity struct {
	// TrustDomain is the SPIFFE trust domain that the gateway's own
	// certificates name. It is chosen when the gateway is made (ostiary init
	// --trust-domain) and cannot be changed: another value than that of the
	// gateway's keys is refused. Default: that of the keys.
	TrustDomain string `yaml:"trust_domain"`
	// BuiltinIssuer is the gateway's own OAuth authorization server.
	BuiltinIssuer BuiltinIssuer `yaml:"builtin_issuer"`
	// Issuers are outside issuers of access tokens. A subject of theirs is
	// somebody here only when an agent is bound to it: ostiary agent register
	// NAME --jwt-issuer URL --jwt-subject SUB. Default: none.
	Issuers []IssuerConfig `yaml:"issuers"`
	// DPoPNonce demands of each proof of a key (DPoP) a nonce that this process
	// gave out at most ten minutes ago, so that a proof is good at one gateway
	// only and never after a restart. Clients ask once more for it. Default:
	// false.
	DPoPNonce bool `yaml:"dpop_nonce"`
	// Trust are outside trust domains whose certificates callers may show. One
	// of their SPIFFE ids is somebody here only when an agent is bound to it:
	// ostiary agent register NAME --spiffe-id ID. Default: none.
	Trust []TrustConfig `yaml:"trust"`
	// MFA is about second factors of people who sign in here.
	MFA MFA `yaml:"mfa"`
	// Approvals says with what people approve calls: "strongest" is the
	// strongest factor that they have, a passkey or else a password and a
	// code; "passkey" is a passkey only. A policy can demand one for its calls.
	// Default: strongest.
	Approvals string `yaml:"approvals" enum:"strongest,passkey"`
}

// MFA is about second factors of people who sign in here.
type MFA struct {
	// Operators says whether people who operate the gateway prove a second
	// factor, again for what is dangerous. "required" is the only value: one
	// factor signs nobody in. Default: required.
	Operators string `yaml:"operators" enum:"required"`
}

// IssuerConfig is one outside issuer of access tokens (JWT, RFC 9068).
type IssuerConfig struct {
	// URL is exactly the iss of its tokens, to the byte. https, or http on a
	// loopback address.
	URL string `yaml:"url" required:"true"`
	// Audience is exactly the aud that its tokens have for this gateway.
	// Default: the gateway's own resource: its public URL, that with /mcp, or
	// that of the very endpoint. A wrong value accepts tokens for others.
	Audience string `yaml:"audience"`
	// Algorithms are those of its signatures, such as ES256, EdDSA or RS256.
	// Default: ES256. Whatever a token says, no other one is used.
	Algorithms []string `yaml:"algorithms"`
	// Types are the accepted typ of its tokens. Default: at+jwt,
	// application/at+jwt and JWT.
	Types []string `yaml:"types"`
	// JWKS is where its keys are: a URL, or "file:" and a path. Default: as
	// its metadata says, found by OpenID Connect discovery or RFC 8414.
	JWKS string `yaml:"jwks"`
	// CA is "file:" and the path of a PEM bundle of authorities for its
	// certificate, in place of the system's.
	CA string `yaml:"ca"`
	// Private allows addresses of a private network. A loopback address in
	// URL or JWKS needs no permission.
	Private bool `yaml:"private"`
	// MaxLife is how long its tokens may live; longer ones are refused.
	// Default: 24h.
	MaxLife Duration `yaml:"max_life" min:"1m" max:"720h"`
	// RequireScopes refuses tokens without one of our scopes (mcp:read,
	// mcp:write, mcp:modify). Default: false: a token without them may do what
	// its agent may.
	RequireScopes bool `yaml:"require_scopes"`
}

// BuiltinIssuer is the authorization server at the data listener, for gateways
// without another one.
type BuiltinIssuer struct {
	// Enabled serves it, so that people can let MCP clients act as an agent
	// that an operator opened to them. Default: false; ostiary init writes
	// true. Nobody gets anything by it until a person is invited.
	Enabled bool `yaml:"enabled"`
	// DynamicRegistration says which clients may register themselves (RFC
	// 7591): "loopback", only those whose answers go to the computer of the
	// browser, or "off". Others have a client ID metadata document. Default:
	// loopback. With off, MCP clients of 2025 cannot log in.
	DynamicRegistration string `yaml:"dynamic_registration" enum:"loopback,off"`
}

// TLSFiles names a certificate chain and its key. Both are read again when the
// files change.
type TLSFiles struct {
	// Cert is "file:" and the path of a PEM certificate chain, leaf first.
	Cert string `yaml:"cert"`
	// Key is "file:" and the path of its PEM private key.
	Key string `yaml:"key"`
	// RequirePQ refuses clients that do not know a hybrid post-quantum key
	// exchange (X25519MLKEM768 and its kin), so that what is recorded today
	// cannot be read by a quantum computer later. Default: false, such an
	// exchange is used with every client that knows one.
	RequirePQ bool `yaml:"require_pq"`
}

// AddressListener is an address of a listener without further choices.
type AddressListener struct {
	// Address is host:port, loopback unless the network between is trusted.
	Address string `yaml:"address"`
}

// LocalListener is the loosening for local tools that can do neither TLS nor
// tokens.
type LocalListener struct {
	// Address is host:port; the host must be a loopback address.
	Address string `yaml:"address"`
	// Plaintext must be "loopback": it says that this is wanted.
	Plaintext string `yaml:"plaintext" enum:"loopback"`
	// Agent is the agent that every caller on this listener is. Whatever it
	// was granted, every program on this machine has.
	Agent string `yaml:"agent"`
}

// StoreConfig is the database.
type StoreConfig struct {
	// Driver is "sqlite", a file in the data directory, or "postgres", a
	// PostgreSQL server. Default: sqlite. Another driver is another store:
	// nothing is carried over.
	Driver string `yaml:"driver" enum:"sqlite,postgres"`
	// DSN is a reference to the PostgreSQL connection string, env:NAME or
	// file:PATH, for example
	// postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full. One
	// database holds the store of one gateway. A host that is neither a
	// loopback address nor a unix socket must be reached with verify-full.
	DSN string `yaml:"dsn"`
	// Replicas lets further gateways follow this one's store: calls are then
	// acknowledged by a queue in the database, and one gateway at a time moves
	// it into the log. Needs postgres. Default: false.
	Replicas bool `yaml:"replicas"`
	// Follow is the data directory of the gateway that owns the store, whose
	// keys this one reads: it serves calls, and changes nothing. Needs
	// postgres, and replicas at the owner. Without news of the store for four
	// seconds it refuses every call. Default: the store is this gateway's own.
	Follow string `yaml:"follow"`
}

// Audit is how the log is kept. What a call does is always in it before
// anything happens; no key turns that off.
type Audit struct {
	// Sync says which answers wait until their outcome is on stable storage.
	// "effects" waits for everything that is not provably a read; the outcome
	// of a read may follow within 5 ms, and a crash then loses that outcome,
	// never the decision. "all" waits for reads too, which costs each of them
	// one more write. Default: effects.
	Sync string `yaml:"sync" enum:"effects,all"`
	// Reserve is how much of the disk is held back, so that calls under way
	// can still be written when others have filled it. It matters for SQLite
	// only. Too little loses the outcomes of many calls at once; what is
	// reserved cannot be used for anything else. Default: 8MiB.
	Reserve Size `yaml:"reserve" min:"1048576" max:"1073741824"`
	// WitnessPolicy is "file:" and the path of a C2SP tlog-policy: which
	// witnesses cosign the checkpoints of the logs, and how many are enough.
	// It is followed when it changes. Default: witness.policy in the data
	// directory, when there is one. Without witnesses nobody outside notices
	// that the logs were put back to an earlier state.
	WitnessPolicy string `yaml:"witness_policy"`
	// WitnessCA is "file:" and the path of a PEM bundle of authorities that
	// witnesses' certificates may come from, beside the system's.
	WitnessCA string `yaml:"witness_ca"`
	// WitnessAlarm is how long a checkpoint may lack the cosignatures that
	// the policy asks for before health is degraded and the control log says
	// so. Default: 60s. Too short alarms at each restart of a witness.
	WitnessAlarm Duration `yaml:"witness_alarm" min:"1s" max:"24h"`
	// RequireWitness refuses calls while that alarm is on. Default: false:
	// calls go on, and the log is witnessed later.
	RequireWitness bool `yaml:"require_witness"`
	// Readers are the agents that may read the logs' tiles and checkpoints at
	// /log/ on the admin listener, with their certificate or token. Default:
	// nobody: how much is logged, and when, is information too.
	Readers []string `yaml:"readers" reload:"hot"`
}

// BackupConfig is for whom backups are encrypted, and how long the one of the
// keys may be used.
type BackupConfig struct {
	// Recipients are the age recipients (age1...) that open every backup,
	// unless the command names others. Default: none. Whoever holds one of
	// their identities and both files has everything that the gateway has.
	Recipients []string `yaml:"recipients"`
	// KeysKeep is how long a backup of the keys opens: an erasure is complete
	// when the last one from before it has expired. Too long delays every
	// erasure; too short, and a backup of data has no keys to go with it.
	// Default: 168h.
	KeysKeep Duration `yaml:"keys_keep" min:"1h" max:"2160h"`
}

// Limits bound what callers and servers may use. A size is bytes, or a number
// with KiB, MiB or GiB; a duration is a number with ms, s, m or h. A limit that
// is too low refuses honest calls; one that is too high lets one caller use up
// the machine.
type Limits struct {
	// MessageBytes is the largest message either way, SSE event or stdio
	// line. Default: 4MiB.
	MessageBytes Size `yaml:"message_bytes" min:"1024" max:"67108864"`
	// Depth is the deepest nesting of a message. Default: 64.
	Depth int `yaml:"depth" min:"8" max:"256"`
	// Members is the most members of one object. Default: 10000.
	Members int `yaml:"members" min:"16" max:"1000000"`
	// Elements is the most elements of one array. Default: 100000.
	Elements int `yaml:"elements" min:"16" max:"10000000"`
	// Tokens is the most JSON tokens of a message. Default: 1000000.
	Tokens int `yaml:"tokens" min:"64" max:"10000000"`
	// NumberBytes is the longest number literal. Default: 8KiB.
	NumberBytes Size `yaml:"number_bytes" min:"32" max:"1048576"`
	// ContentBlocks is the most content blocks of one result.
	// Default: 10000.
	ContentBlocks int `yaml:"content_blocks" min:"1" max:"1000000"`
	// BatchMembers is the most messages of a batch of 2025-03-26.
	// Default: 100.
	BatchMembers int `yaml:"batch_members" min:"1" max:"1000"`

	// URLBytes is the longest request target. Default: 8KiB.
	URLBytes Size `yaml:"url_bytes" min:"256" max:"65536"`
	// HeaderLineBytes is the longest header line. Default: 8KiB.
	HeaderLineBytes Size `yaml:"header_line_bytes" min:"1024" max:"65536"`
	// HeaderBytes is the most bytes of all headers. Default: 32KiB.
	HeaderBytes Size `yaml:"header_bytes" min:"4096" max:"1048576"`
	// HeaderFields is the most header fields. Default: 100.
	HeaderFields int `yaml:"header_fields" min:"20" max:"1000"`
	// Connections is the most open connections of the data listener.
	// Default: 16384.
	Connections int `yaml:"connections" min:"1" max:"1000000"`

	// CallsPerMinute is how many requests one agent may send in a minute.
	// Default: 0, no limit; 600 suits an agent that a person drives.
	CallsPerMinute int `yaml:"calls_per_minute" min:"0" max:"10000000" reload:"hot"`
	// InFlight is the most requests under way of one agent. Default: 128.
	InFlight int `yaml:"in_flight" min:"1" max:"100000"`
	// InFlightPerServer is the most requests under way to one server.
	// Default: 256.
	InFlightPerServer int `yaml:"in_flight_per_server" min:"1" max:"100000"`
	// Streams is the most open streams of one agent. Default: 256.
	Streams int `yaml:"streams" min:"1" max:"1000000"`
	// ListenStreams is the most subscriptions/listen streams of one agent.
	// Default: 64.
	ListenStreams int `yaml:"listen_streams" min:"1" max:"1000000"`
	// Sessions is the most legacy sessions of one agent. Default: 256.
	Sessions int `yaml:"sessions" min:"1" max:"1000000"`
	// Subscriptions is the most resource subscriptions of one stream.
	// Default: 1000.
	Subscriptions int `yaml:"subscriptions" min:"1" max:"100000"`
	// Queue is the most events that wait for one slow stream. Default: 64.
	Queue int `yaml:"queue" min:"1" max:"10000"`
	// NotificationsPerSecond is how many notifications one stream of a
	// server may carry before they are cut. Default: 100.
	NotificationsPerSecond int `yaml:"notifications_per_second" min:"1" max:"100000"`
	// BufferedBytes is the most bytes of messages that the gateway holds at
	// once, over all callers; beyond it calls get 503. Default: 256MiB.
	BufferedBytes Size `yaml:"buffered_bytes" min:"8388608" max:"1099511627776"`
	// ReplayBytes is how much of a stream one session keeps for resumption.
	// Default: 8MiB.
	ReplayBytes Size `yaml:"replay_bytes" min:"65536" max:"1073741824"`
	// ReplayAge is how long it keeps it. Default: 10m.
	ReplayAge Duration `yaml:"replay_age" min:"1s" max:"24h"`
	// Processes is the most child processes of one stdio server.
	// Default: 64.
	Processes int `yaml:"processes" min:"1" max:"10000"`

	// HeaderTimeout is how long a request's headers may take. Default: 10s.
	HeaderTimeout Duration `yaml:"header_timeout" min:"100ms" max:"10m"`
	// BodyTimeout is how long a request's body may take beyond one second
	// for each KiB. Default: 30s.
	BodyTimeout Duration `yaml:"body_timeout" min:"100ms" max:"1h"`
	// IdleTimeout is how long an unused connection stays open.
	// Default: 120s.
	IdleTimeout Duration `yaml:"idle_timeout" min:"1s" max:"24h"`
	// WriteTimeout is how long one write to a client may take.
	// Default: 30s.
	WriteTimeout Duration `yaml:"write_timeout" min:"100ms" max:"1h"`
	// CallTimeout is the absolute limit of one call. Default: 5m.
	CallTimeout Duration `yaml:"call_timeout" min:"100ms" max:"1h"`
	// StreamIdle is how long a server's stream may stay without a byte.
	// Default: 5m.
	StreamIdle Duration `yaml:"stream_idle" min:"1s" max:"24h"`
	// ListenIdle is the same for subscriptions/listen streams.
	// Default: 10m.
	ListenIdle Duration `yaml:"listen_idle" min:"1s" max:"24h"`
	// StartTimeout is how long a stdio server may take to start and answer
	// first. Default: 30s.
	StartTimeout Duration `yaml:"start_timeout" min:"100ms" max:"10m"`
	// ProcessIdle is how long a shared stdio process stays without a call.
	// Default: 10m.
	ProcessIdle Duration `yaml:"process_idle" min:"1s" max:"24h"`
	// SessionIdle is how long a legacy session stays without a request.
	// Default: 30m.
	SessionIdle Duration `yaml:"session_idle" min:"1s" max:"24h"`
	// SessionAge is how long a legacy session may live. Default: 24h.
	SessionAge Duration `yaml:"session_age" min:"1s" max:"720h"`
	// DrainTimeout is how long calls may go on after SIGTERM. Default: 30s.
	DrainTimeout Duration `yaml:"drain_timeout" min:"100ms" max:"10m"`
}

// Telemetry sends traces to a collector.
type Telemetry struct {
	// OTLPEndpoint is the URL of an OTLP/HTTP collector, such as
	// https://collector.example.com:4318. Default: none, no traces.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// Private allows a collector on a loopback or private address, and plain
	// http to it.
	Private bool `yaml:"private"`
	// SampleRatio is which part of the exchanges is traced, 0 to 1, when the
	// caller's trace context does not decide. Default: 1.
	SampleRatio *float64 `yaml:"sample_ratio" min:"0" max:"1"`
}

// ServerConfig declares one MCP server: url, or command.
type ServerConfig struct {
	// Name is the server's id: lower-case letters, digits and single
	// hyphens, at most 32 bytes.
	Name string `yaml:"name" required:"true"`
	// URL is the server's MCP endpoint, absolute, http or https.
	URL string `yaml:"url"`
	// Transport is "http" (Streamable HTTP) or "sse" (HTTP+SSE of
	// 2024-11-05). Default: http.
	Transport string `yaml:"transport" enum:"http,sse"`
	// Private allows a loopback or private address, and plain http to it.
	Private bool `yaml:"private"`
	// Headers are sent to the server; each value is a reference: env:NAME or
	// file:PATH. It is sealed when the server is submitted.
	Headers map[string]string `yaml:"headers"`
	// CA is "file:" and the path of a PEM bundle that replaces the system's
	// certificate authorities.
	CA string `yaml:"ca"`
	// Pins are "sha256/BASE64" of public keys, one of which the server must
	// show.
	Pins []string `yaml:"pins"`
	// Command is a program with its arguments, started without a shell.
	Command []string `yaml:"command"`
	// Dir is the program's working directory. Default: run in the data
	// directory.
	Dir string `yaml:"dir"`
	// Env are environment values of the program; each is a reference:
	// env:NAME or file:PATH. It is sealed when the server is submitted.
	Env map[string]string `yaml:"env"`
	// PassEnv are names of the gateway's own variables that the program
	// gets as they are.
	PassEnv []string `yaml:"pass_env"`
}

// Logs is what the gateway prints for its operators.
type Logs struct {
	// Format is "text" or "json". Default: text.
	Format string `yaml:"format" enum:"text,json"`
	// Level is the least severe level that is printed: debug, info, warn or
	// error. Default: info.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
}

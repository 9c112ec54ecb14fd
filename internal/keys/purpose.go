package keys

// Purpose names one job of a key. A key made for one purpose opens nothing of
// another.
type Purpose string

// The purposes, one key each.
const (
	UpstreamCredentials Purpose = "upstream-credentials" // headers and environment values of servers
	Config              Purpose = "config"               // values that the configuration sealed
	HandleSeal          Purpose = "handles"              // what clients carry for us
	TokenHash           Purpose = "token-hash"           // HMAC of API tokens
	Audit               Purpose = "audit"                // payload parts of records
	Authority           Purpose = "authority"            // private keys of the certificate authority
	LogSigning          Purpose = "log-signing"          // Ed25519 signatures of checkpoints
	ReceiptSigning      Purpose = "receipt-signing"      // Ed25519 signatures of receipts
	RowIndex            Purpose = "row-index"            // HMAC of the names of stored rows
	Rows                Purpose = "rows"                 // stored rows
	Subjects            Purpose = "subjects"             // wraps the keys of people and agents, finds them by HMAC
	TokenSigning        Purpose = "token-signing"        // ECDSA P-256 signatures of access tokens
	PolicySigning       Purpose = "policy-signing"       // Ed25519 signatures of policy versions
	Pseudonyms          Purpose = "pseudonyms"           // tokens for values, their blind indexes and the values behind them
)

// purposes lists what every ring holds.
func purposes() []Purpose {
	return []Purpose{UpstreamCredentials, Config, HandleSeal, TokenHash, Audit, Authority,
		LogSigning, ReceiptSigning, RowIndex, Rows, Subjects, TokenSigning, PolicySigning, Pseudonyms}
}

// latePurposes came after keystores of format 2 were written. Only these may be
// missing when one is opened, and get their first key then; the MAC over the
// keystore keeps anybody from taking one out.
func latePurposes() []Purpose { return []Purpose{TokenSigning, PolicySigning, Pseudonyms} }

// DefaultTenant is the one tenant of the embedded mode.
const DefaultTenant = "default"

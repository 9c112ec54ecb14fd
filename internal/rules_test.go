package internal_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// name is a name of a package that only some rooms may use.
type name struct {
	path, name string   // import path and what of it; "" is all of it
	rooms      []string // who may
	why        string
}

// only is the table of what may be touched where. A room that is missing here
// takes what it needs as a value from one that is listed.
var only = []name{
	{"net", "Dial", nil, "egress vets addresses before it dials"},
	{"net", "DialTimeout", nil, "egress vets addresses before it dials"},
	{"net", "DialTCP", nil, "egress vets addresses before it dials"},
	{"net", "DialUDP", nil, "egress vets addresses before it dials"},
	{"net", "DialIP", nil, "egress vets addresses before it dials"},
	{"net", "Dialer", []string{"egress"}, "egress vets addresses before it dials"},
	{"net", "Resolver", []string{"egress"}, "egress vets addresses before it dials"},
	{"net", "DefaultResolver", []string{"egress"}, "egress vets addresses before it dials"},
	{"net", "LookupHost", nil, "egress vets addresses before it dials"},
	{"net", "LookupIP", nil, "egress vets addresses before it dials"},
	{"net", "DialUnix", []string{"app", "store/postgres"}, "the operators' socket, the service manager's, the database's; no network"},
	{"crypto/tls", "Dial", nil, "egress dials; TLS is laid over its connection"},
	{"crypto/tls", "DialWithDialer", nil, "egress dials; TLS is laid over its connection"},
	{"crypto/tls", "Dialer", nil, "egress dials; TLS is laid over its connection"},
	{"net/http", "Get", nil, "the default client follows redirects and the environment"},
	{"net/http", "Post", nil, "the default client follows redirects and the environment"},
	{"net/http", "Head", nil, "the default client follows redirects and the environment"},
	{"net/http", "DefaultClient", nil, "the default client follows redirects and the environment"},
	{"net/http", "DefaultTransport", nil, "the default client follows redirects and the environment"},
	{"net/http", "DefaultServeMux", nil, "anybody can register a page there"},
	{"net/http", "ProxyFromEnvironment", nil, "a proxy is configured, never found"},

	{"time", "Now", []string{"clock"}, "tests hold the clock still"},
	{"time", "Since", []string{"clock"}, "tests hold the clock still"},
	{"time", "Until", []string{"clock"}, "tests hold the clock still"},

	{"os", "Getenv", []string{"cmd"}, "the environment is read in one place"},
	{"os", "LookupEnv", []string{"cmd"}, "the environment is read in one place"},
	{"os", "Environ", []string{"cmd"}, "the environment is read in one place"},
	{"os", "ExpandEnv", []string{"cmd"}, "the environment is read in one place"},
	{"os", "Setenv", nil, "nothing changes the environment"},
	{"os", "Args", []string{"cmd"}, "arguments are read in one place"},
	{"os", "Exit", []string{"cmd"}, "whoever exits skips what others have to close"},
	{"os", "Stdout", []string{"cmd"}, "stdout carries data or protocol"},
	{"os", "Stderr", []string{"cmd"}, "commands pass their streams in"},
	{"flag", "", nil, "cobra reads flags"},
	{"log", "", []string{"app", "http1"}, "logs prints classified attributes only; net/http demands a log.Logger"},
	{"log", "Print", nil, "logs prints classified attributes only"},
	{"log", "Printf", nil, "logs prints classified attributes only"},
	{"log", "Println", nil, "logs prints classified attributes only"},
	{"log", "Fatal", nil, "whoever exits skips what others have to close"},
	{"log", "Fatalf", nil, "whoever exits skips what others have to close"},
	{"log", "Default", nil, "logs prints classified attributes only"},
	{"github.com/spf13/cobra", "", []string{"cmd"}, "flags are read in one place"},
	{"os/signal", "", []string{"cmd"}, "signals are read in one place"},

	{"ostiary.dev/ostiary/internal/identity", "Reveal", []string{"forward"}, "a caller's own token is exchanged there and goes nowhere else (A13)"},
	{"ostiary.dev/ostiary/internal/identity", "Carry", []string{"identify"}, "only for a server that takes exchanged tokens (A13)"},

	{"os/exec", "", []string{"child"}, "child starts processes without a shell and with a stated environment"},
	{"os", "StartProcess", []string{"child"}, "child starts processes without a shell and with a stated environment"},
	{"database/sql", "", []string{"store/sqlite", "store/postgres"}, "SQL text is in the drivers"},
	{"modernc.org/sqlite", "", []string{"store/sqlite"}, "SQL text is in the drivers"},
	{"github.com/jackc/pgx/v5", "", []string{"store/postgres"}, "SQL text is in the drivers"},
	{"github.com/jackc/pgx/v5/pgconn", "", []string{"store/postgres"}, "SQL text is in the drivers"},
	{"github.com/jackc/pgx/v5/stdlib", "", []string{"store/postgres"}, "SQL text is in the drivers"},
	{"github.com/pressly/goose/v3", "", []string{"store/sqlite", "store/postgres"}, "SQL text is in the drivers"},

	{"unsafe", "", []string{"child"}, "memory safety is the point of the language; Windows' job objects need it"},
	{"math/rand", "", nil, "what is guessable is not for a gateway"},
	{"math/rand/v2", "", []string{"child"}, "what is guessable is not for a gateway; the jitter of a pause may be"},
	{"plugin", "", nil, "what runs is what was built"},
	{"text/template", "", nil, "output is not built from templates without escaping"},
	{"net/http/pprof", "", nil, "its import opens pages by itself"},
	{"expvar", "", nil, "its import opens pages by itself"},
}

// cryptography says who may import which of the packages below crypto/. keys
// may all of them; a package that is missing here is for keys alone.
var cryptography = map[string]map[string]string{
	"crypto/sha256": {
		"identity":     "tells verified tokens and used proofs apart without keeping them, thumbprints of keys",
		"oauth":        "the challenge of PKCE, and to tell callers' tokens apart without keeping them",
		"record":       "digests of requests and answers",
		"auditlog":     "commitments to sealed parts",
		"registry":     "digests of definitions",
		"store/sealed": "digests of stored rows",
		"backup":       "digests of members and files",
		"admin":        "digests of backups",
		"export":       "digests of answers and of files in an evidence pack",
		"verify":       "digests of what is checked",
		"pii":          "check bytes of addresses of wallets",
		"forward":      "pins of servers' public keys",
		"kms":          "binds a wrapped key to its place",
		"portal":       "the hashes of the pages' style and script",
		"issuer":       "PKCE challenges, the hash of the pages' style",
	},
	"crypto/hmac": {
		"auditlog": "commitments to sealed parts",
		"verify":   "commitments to parts",
	},
	"crypto/ecdsa": {"identity": "the sort of an issuer's key, which must be the algorithm's; public keys only"},
	"crypto/rsa":   {"identity": "the sort of an issuer's key, which must be the algorithm's; public keys only"},
	"crypto/ed25519": {
		"identity": "the sort of an issuer's key, which must be the algorithm's; public keys only",
		"verify":   "signatures of notes; it holds public keys only",
	},
	"crypto/fips140": {
		"backup": "whether age, which strict mode lacks, may be used",
	},
	"crypto/x509": {
		"identity":       "verifies clients' certificates",
		"forward":        "authorities and pins of servers",
		"kms":            "authorities of a key service",
		"store/postgres": "authorities of the database's certificate",
		"app":            "authorities of the wrap connection and of services, certificates' expiry",
	},
	"crypto/tls": {
		"app":            "configures listeners and the wrap connection",
		"admin":          "hands the wrap connection its certificate",
		"forward":        "configures connections to servers",
		"http1":          "serves and calls over what was configured; ALPN",
		"kms":            "configures the connection to a key service",
		"meter":          "configures the connection to the collector",
		"wrapper":        "connects with what app configured",
		"store/postgres": "configures the connection to the database",
	},
	"crypto/subtle": {
		"oauth": "compares the state of a login",
	},
	"crypto/rand": {
		"oauth":    "states, verifiers and ids of assertions; no key",
		"auditlog": "the salt of a batch's parts, which is stored inside their ciphertext only",
		"admit":    "the unguessable part of ids of sessions and streams; no key",
	},
}

func TestOnlyWhereItBelongs(t *testing.T) {
	h := open(t)
	for _, s := range h.program() {
		for _, rule := range only {
			local := s.named(rule.path)
			if local == "" || slices.Contains(rule.rooms, s.room()) {
				continue
			}
			if rule.name == "" {
				t.Errorf("%s imports %s: %s", s.path, rule.path, rule.why)
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == rule.name {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
						t.Errorf("%s uses %s.%s: %s", h.line(n), rule.path, rule.name, rule.why)
					}
				}
				return true
			})
		}
	}
}

func TestCryptographyIsInKeys(t *testing.T) {
	used := map[string]bool{}
	for _, s := range open(t).program() {
		for _, path := range s.imports {
			if !strings.HasPrefix(path, "crypto/") && !strings.HasPrefix(path, "golang.org/x/crypto") || s.room() == "keys" {
				continue
			}
			if cryptography[path][s.room()] == "" {
				t.Errorf("%s imports %s: cryptography belongs to keys", s.path, path)
			}
			used[path+" "+s.room()] = true
		}
	}
	for path, rooms := range cryptography {
		for room := range rooms {
			if !used[path+" "+room] && room != "admin" {
				t.Errorf("the table allows %s to %s, which does not use it", path, room)
			}
		}
	}
}

// TestNoImportForEffect refuses blank imports and dot imports: the one changes
// the program from afar, the other hides who is called.
func TestNoImportForEffect(t *testing.T) {
	allowed := map[string]string{
		"embed": "go:embed needs it; it has no effect",
	}
	for _, s := range open(t).program() {
		for i, spec := range s.file.Imports {
			if spec.Name == nil || spec.Name.Name != "_" && spec.Name.Name != "." {
				continue
			}
			if s.imports[i] == "modernc.org/sqlite" && s.room() == "store/sqlite" || allowed[s.imports[i]] != "" {
				continue
			}
			t.Errorf("%s imports %s for its effects", s.path, s.imports[i])
		}
	}
}

// TestNoSleep keeps waiting for a while out of the program's tests: a test
// waits for an event, or runs on a clock of its own.
func TestNoSleep(t *testing.T) {
	h := open(t)
	for _, s := range h.files {
		local := s.named("time")
		if local == "" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
					t.Errorf("%s sleeps", h.line(n))
				}
			}
			return true
		})
	}
}

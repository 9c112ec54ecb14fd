package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// head is what every file needs.
const head = "version: 1\nmode: enforce\n"

func parse(t *testing.T, text string) (*Config, Problems) {
	t.Helper()
	c, err := Parse("f.yaml", []byte(text), nil)
	var ps Problems
	if err != nil && !errors.As(err, &ps) {
		t.Fatalf("got %T %v, want Problems", err, err)
	}
	return c, ps
}

func TestParseReportsWhereAndWhat(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":            {head + "lissteners: {}\n", "f.yaml:3:1: lissteners: is not a known key; did you mean listeners?"},
		"an unknown nested key":     {head + "limits:\n  dept: 3\n", "f.yaml:4:3: limits.dept: is not a known key; did you mean depth?"},
		"nothing near":              {head + "zzzzzzzzzz: 1\n", "f.yaml:3:1: zzzzzzzzzz: is not a known key"},
		"a key twice":               {head + "mode: enforce\n", "f.yaml:3:1: mode: is written twice, first in line 2"},
		"no version":                {"mode: enforce\n", "version: is missing"},
		"no mode":                   {"version: 1\n", "mode: is missing"},
		"another version":           {"version: 2\nmode: enforce\n", "f.yaml:1:10: version: must be 1"},
		"version zero":              {"version: 0\nmode: enforce\n", "f.yaml:1:10: version: must not be empty"},
		"an empty choice":           {head + "logs: {level: \"\"}\n", "logs.level: must be debug or info"},
		"an empty name":             {head + "servers: [{name: \"\", url: \"https://a\"}]\n", "servers[0].name: must not be empty"},
		"observe":                   {"version: 1\nmode: observe\n", "f.yaml:2:7: mode: observe is not yet available"},
		"an unknown mode":           {"version: 1\nmode: allow\n", "f.yaml:2:7: mode: must be enforce"},
		"an anchor":                 {head + "data_dir: &a /x\n", "f.yaml:3:11: data_dir: anchors, aliases, merge keys and tags"},
		"an alias":                  {head + "data_dir: &a /x\nlogs: {format: *a}\n", "f.yaml:4:16: logs.format: anchors, aliases, merge keys and tags"},
		"a merge key":               {head + "logs: &l {format: text}\nlimits:\n  <<: *l\n", "anchors, aliases, merge keys and tags"},
		"a tag":                     {head + "data_dir: !!binary aGk=\n", "f.yaml:3:11: data_dir: anchors, aliases, merge keys and tags"},
		"two documents":             {head + "---\n" + head, "f.yaml:4:8: is a second document"},
		"an empty file":             {"", "f.yaml: is empty"},
		"a comment only":            {"# nothing\n", "f.yaml: is empty"},
		"not YAML":                  {"version: [1\n", "is not YAML"},
		"a list for a mapping":      {head + "logs: [a]\n", "f.yaml:3:7: logs: must be a mapping"},
		"a mapping for a list":      {head + "servers: {a: b}\n", "servers: must be a list"},
		"a mapping for a value":     {head + "data_dir: {a: b}\n", "data_dir: must be a single value"},
		"text for a number":         {head + "limits: {depth: deep}\n", "f.yaml:3:17: limits.depth: must be a whole number"},
		"a fraction for a number":   {head + "limits: {depth: 1.5}\n", "limits.depth: must be a whole number"},
		"a number out of range":     {head + "limits: {depth: 1000}\n", "limits.depth: must be between 8 and 256"},
		"zero":                      {head + "limits: {in_flight: 0}\n", "limits.in_flight: must be between 1 and 100000"},
		"a negative size":           {head + "limits: {message_bytes: -1}\n", "limits.message_bytes: is not a size"},
		"a size in wrong units":     {head + "limits: {message_bytes: 4MB}\n", "limits.message_bytes: is not a size"},
		"a size too large":          {head + "limits: {message_bytes: 1GiB}\n", "limits.message_bytes: must be between 1KiB and 64MiB"},
		"a size that overflows":     {head + "limits: {message_bytes: 9223372036854775807GiB}\n", "limits.message_bytes: is too large"},
		"a duration without unit":   {head + "limits: {call_timeout: 30}\n", "limits.call_timeout: is not a duration"},
		"a negative duration":       {head + "limits: {call_timeout: -1s}\n", "limits.call_timeout: is not a duration"},
		"a duration out of range":   {head + "limits: {call_timeout: 2h}\n", "limits.call_timeout: must be between 100ms and 1h"},
		"yes for true":              {head + "telemetry: {private: yes}\n", "telemetry.private: must be true or false"},
		"a ratio over one":          {head + "telemetry: {sample_ratio: 2}\n", "telemetry.sample_ratio: must be between 0 and 1"},
		"no port":                   {head + "listeners: {data: {address: localhost}}\n", "f.yaml:3:29: listeners.data.address: must be host:port"},
		"no host":                   {head + "listeners: {data: {address: \":8443\"}}\n", "listeners.data.address: must name the host"},
		"a port too high":           {head + "listeners: {data: {address: \"a:65536\"}}\n", "listeners.data.address: must end in a port"},
		"a port with a zero":        {head + "listeners: {data: {address: \"a:08443\"}}\n", "listeners.data.address: must end in a port"},
		"two listeners in one":      {head + "listeners: {data: {address: \"a:1\"}, admin: {address: \"a:1\"}}\n", "listeners.admin.address: is the address of listeners.data"},
		"a name with a port":        {head + "listeners: {data: {names: [\"a:1\"]}}\n", "listeners.data.names[0]: is not a host name"},
		"a name with a wildcard":    {head + "listeners: {data: {names: [\"*.a\"]}}\n", "listeners.data.names[0]: is not a host name"},
		"an http public URL":        {head + "listeners: {data: {public_url: \"http://a\"}}\n", "listeners.data.public_url: must be https://"},
		"a public URL with a path":  {head + "listeners: {data: {public_url: \"https://a/b\"}}\n", "listeners.data.public_url: must be https://"},
		"a null origin":             {head + "listeners: {data: {cors_origins: [\"null\"]}}\n", "listeners.data.cors_origins[0]: must be an exact origin"},
		"every origin":              {head + "listeners: {data: {cors_origins: [\"*\"]}}\n", "listeners.data.cors_origins[0]: must be an exact origin"},
		"an origin with a slash":    {head + "listeners: {data: {cors_origins: [\"https://a/\"]}}\n", "listeners.data.cors_origins[0]: must be an exact origin"},
		"a certificate alone":       {head + "listeners: {data: {tls: {cert: \"file:a\"}}}\n", "listeners.data.tls: needs both cert and key"},
		"a certificate as path":     {head + "listeners: {data: {tls: {cert: a, key: \"file:b\"}}}\n", "listeners.data.tls.cert: must be file:"},
		"plaintext elsewhere":       {head + "listeners: {local: {address: \"0.0.0.0:1\", plaintext: loopback, agent: a}}\n", "listeners.local.address: must be a loopback address"},
		"plaintext on a name":       {head + "listeners: {local: {address: \"localhost:1\", plaintext: loopback, agent: a}}\n", "listeners.local.address: must be a loopback address"},
		"plaintext not said":        {head + "listeners: {local: {address: \"127.0.0.1:1\", agent: a}}\n", "listeners.local.plaintext: is missing"},
		"plaintext for anybody":     {head + "listeners: {local: {address: \"127.0.0.1:1\", plaintext: loopback}}\n", "listeners.local.agent: is missing"},
		"plaintext for no id":       {head + "listeners: {local: {address: \"127.0.0.1:1\", plaintext: loopback, agent: A}}\n", "listeners.local.agent: an id is"},
		"plaintext everywhere":      {head + "listeners: {local: {address: \"127.0.0.1:1\", plaintext: always, agent: a}}\n", "listeners.local.plaintext: must be loopback"},
		"a proxy that is no prefix": {head + "trusted_proxies: [10.0.0.0/33]\n", "trusted_proxies[0]: must be an IP address"},
		"another store":             {head + "store: {driver: oracle}\n", "store.driver: must be sqlite or postgres"},
		"postgres without dsn":      {head + "store: {driver: postgres}\n", "store.dsn: is missing"},
		"a dsn without postgres":    {head + "store: {dsn: \"env:A\"}\n", "store.dsn: belongs to driver: postgres"},
		"a dsn of sqlite":           {head + "store: {driver: sqlite, dsn: \"env:A\"}\n", "store.dsn: belongs to driver: postgres"},
		"http telemetry":            {head + "telemetry: {otlp_endpoint: \"http://127.0.0.1:4318\"}\n", "telemetry.otlp_endpoint: must be https"},
		"a server without a name":   {head + "servers: [{url: \"https://a\"}]\n", "servers[0].name: is missing"},
		"a server without anything": {head + "servers: [{name: a}]\n", "servers[0]: needs url or command"},
		"a server with both":        {head + "servers: [{name: a, url: \"https://a\", command: [b]}]\n", "servers[0]: has both url and command"},
		"a server twice":            {head + "servers: [{name: a, url: \"https://a\"}, {name: a, url: \"https://a\"}]\n", "servers[1].name: is the name of servers[0]"},
		"a server with a bad id":    {head + "servers: [{name: A b, url: \"https://a\"}]\n", "servers[0].name: an id is"},
		"a wrong pin":               {head + "servers: [{name: a, url: \"https://a\", pins: [x]}]\n", "servers[0].pins[0]: must be sha256/"},
		"env of a remote server":    {head + "servers: [{name: a, url: \"https://a\", env: {B: \"env:B\"}}]\n", "servers[0]: dir, env and pass_env belong"},
		"ca of a command":           {head + "servers: [{name: a, command: [b], ca: \"file:c\"}]\n", "servers[0]: transport, private"},
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := parse(t, c.text)
			if !strings.Contains(ps.Error(), c.want) {
				t.Fatalf("got\n%s\nwant\n%s", ps.Error(), c.want)
			}
		})
	}
}

func TestParseReportsEverythingAtOnce(t *testing.T) {
	_, ps := parse(t, "version: 3\nmood: enforce\nmode: enforce\nlimits:\n  depth: x\n  in_flight: 0\nlogs: {level: loud}\n")
	want := []string{"version", "mood", "limits.depth", "limits.in_flight", "logs.level"}
	var got []string
	for _, p := range ps {
		got = append(got, p.Key)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestAConnectionStringInClearTextIsRefusedAndNotRepeated(t *testing.T) {
	_, ps := parse(t, head+"store: {driver: postgres, dsn: \"postgres://u:canary-9@db/x\"}\n")
	if !strings.Contains(ps.Error(), "store.dsn: must be a reference") || strings.Contains(ps.Error(), "canary") {
		t.Fatalf("got %s", ps.Error())
	}
}

func TestASecretInClearTextIsRefusedAndNotRepeated(t *testing.T) {
	_, ps := parse(t, head+"servers: [{name: a, url: \"https://a\", headers: {Authorization: \"Bearer canary-9\"}}]\n")
	if !strings.Contains(ps.Error(), "servers[0].headers.Authorization: must be a reference") {
		t.Fatalf("got %s", ps.Error())
	}
	if strings.Contains(ps.Error(), "canary") {
		t.Fatal("the error repeats the secret")
	}
}

func TestParseAccepts(t *testing.T) {
	c, ps := parse(t, head+`
data_dir: /var/lib/ostiary
listeners:
  data: {address: "[::1]:8443", public_url: "https://mcp.example.com:8443", names: [mcp.internal, 10.0.0.1],
         tls: {cert: "file:tls.pem", key: "file:tls.key"}, cors_origins: ["http://localhost:6274"]}
  local: {address: "127.0.0.1:8480", plaintext: loopback, agent: local}
trusted_proxies: [10.0.0.0/8, "::1"]
limits: {message_bytes: 16MiB, call_timeout: 1m30s, calls_per_minute: 600, depth: null}
telemetry: {otlp_endpoint: "http://127.0.0.1:4318", private: true, sample_ratio: 0.25}
servers:
  - {name: wiki, url: "https://wiki.example.com/mcp", headers: {Authorization: "env:WIKI"}}
  - name: files
    command: [npx, -y, files, 8]
    env: {TOKEN: "file:/run/secrets/t"}
logs: {format: json, level: debug}
`)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	if c.Limits.MessageBytes != 16<<20 || time.Duration(c.Limits.CallTimeout) != 90*time.Second || c.Limits.CallsPerMinute != 600 {
		t.Errorf("limits %+v", c.Limits)
	}
	if c.Limits.Depth != 64 || c.Listeners.Admin.Address != "127.0.0.1:8444" || *c.Telemetry.SampleRatio != 0.25 {
		t.Error("a default is missing")
	}
	if !reflect.DeepEqual(c.Servers[1].Command, []string{"npx", "-y", "files", "8"}) || c.Servers[0].Transport != "http" {
		t.Errorf("servers %+v", c.Servers)
	}
	want := []string{"10.0.0.1", "127.0.0.1", "::1", "localhost", "mcp.example.com", "mcp.internal"}
	if got := c.ServedNames(); !reflect.DeepEqual(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
}

func TestZeroRatioIsKept(t *testing.T) {
	c, ps := parse(t, head+"telemetry: {sample_ratio: 0}\n")
	if len(ps) > 0 || *c.Telemetry.SampleRatio != 0 {
		t.Fatalf("got %v %v", c, ps)
	}
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestEnvironmentSetsWhatItMay(t *testing.T) {
	c, err := Parse("f", []byte(head+"limits: {in_flight: 5}\n"), env("OSTIARY_LIMITS_IN_FLIGHT", "7", "OSTIARY_LOGS_LEVEL", "warn"))
	if err != nil || c.Limits.InFlight != 7 || c.Logs.Level != "warn" {
		t.Fatalf("got %+v, %v", c, err)
	}
}

func TestEnvironmentCannotLoosen(t *testing.T) {
	for name, value := range map[string]string{
		"OSTIARY_MODE": "observe", "OSTIARY_LISTENERS_DATA_ADDRESS": "0.0.0.0:1", "OSTIARY_LISTENERS_LOCAL_ADDRESS": "127.0.0.1:1",
		"OSTIARY_TRUSTED_PROXIES": "0.0.0.0/0", "OSTIARY_STORE_DRIVER": "sqlite", "OSTIARY_STORE_DSN": "env:X", "OSTIARY_DATA_DIR": "/x",
		"OSTIARY_LISTENERS_DATA_CORS_ORIGINS": "*", "OSTIARY_SERVERS": "[]",
	} {
		if _, err := Parse("f", []byte(head), env(name, value)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Parse("f", []byte(head), env("OSTIARY_LIMITS_DEPTH", "deep")); err == nil || !strings.Contains(err.Error(), "OSTIARY_LIMITS_DEPTH") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("f", []byte(head), env("OSTIARY_LIMITS_DEPTH", "9999")); err == nil {
		t.Error("a value out of range was taken from the environment")
	}
}

// TestDefaultsMatchTheirComments compares "Default: X." in config.go with what
// an empty file gives.
func TestDefaultsMatchTheirComments(t *testing.T) {
	c, ps := parse(t, head)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	docs, err := fieldDocs()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range []any{c.Limits, c.Logs} {
		val := reflect.ValueOf(v)
		for i := range val.NumField() {
			name := val.Type().Name() + "." + val.Type().Field(i).Name
			_, rest, found := strings.Cut(docs[name], "Default: ")
			if !found {
				t.Errorf("%s: the comment names no default", name)
				continue
			}
			want := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ',' || r == ';' })[0]
			want = strings.TrimSuffix(want, ".")
			got := fmt.Sprint(val.Field(i).Interface())
			if d, ok := val.Field(i).Interface().(Duration); ok {
				w, err := ParseDuration(want)
				if err != nil || d != w {
					t.Errorf("%s: comment says %s, the value is %s", name, want, got)
				}
			} else if got != want {
				t.Errorf("%s: comment says %s, the value is %s", name, want, got)
			}
			checked++
		}
	}
	if checked < 40 {
		t.Fatalf("only %d defaults were compared", checked)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	docs, err := fieldDocs()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if len(docs[typ.Name()+"."+f.Name]) < 20 || f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no comment or no key", typ.Name(), f.Name)
			}
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestSchemaIsTheCommittedOne(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "docs", "config.schema.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(text) {
		t.Fatal("docs/config.schema.json is not what config.go says; write it again with UPDATE=1 go test ./internal/app -run Schema")
	}
}

// TestSchemaAgreesWithTheParser compares the two on the same texts.
func TestSchemaAgreesWithTheParser(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	for text, valid := range map[string]bool{
		head: true,
		head + "limits: {message_bytes: 4MiB, depth: 64, call_timeout: 5m}\n": true,
		head + "servers: [{name: a, url: \"https://a\"}]\n":                   true,
		head + "limit: {}\n":                             false,
		head + "limits: {depth: 1}\n":                    false,
		head + "limits: {call_timeout: soon}\n":          false,
		head + "logs: {level: loud}\n":                   false,
		head + "servers: [{url: \"https://a\"}]\n":       false,
		"version: 2\nmode: enforce\n":                    false,
		"mode: enforce\n":                                false,
		head + "servers: [{name: a, comand: [\"b\"]}]\n": false,
	} {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		_, ps := parse(t, text)
		if got := schema.Validate(v) == nil; got != valid || (len(ps) == 0) != valid {
			t.Errorf("schema says %v, parser %v, want %v: %s", got, ps, valid, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(head)
	f.Add(head + "limits: {message_bytes: 4MiB}\nservers: [{name: a, command: [b]}]\n")
	f.Add("a: &a [*a]\n")
	f.Add("? [a]\n: b\n")
	f.Add("<<: {a: b}\n")
	f.Add("- - - - -\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", []byte(text), nil)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("a refusal without a word")
		}
		if c != nil && (c.Version != 1 || c.Mode != "enforce") {
			t.Fatalf("accepted %+v", c)
		}
	})
}

func TestSizesAndDurationsRoundTrip(t *testing.T) {
	for _, n := range []Size{0, 1, 1023, 1 << 10, 4 << 20, 3 << 30, 1<<20 + 1} {
		if got, err := ParseSize(n.String()); err != nil || got != n {
			t.Errorf("%d: %v, %v", n, got, err)
		}
	}
	for _, text := range []string{"30s", "5m", "24h", "1m30s", "100ms", "1h30m"} {
		if d, err := ParseDuration(text); err != nil || d.String() != text {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
}

// TestNumbersByName: a mapping of names to numbers is read as such, and what is no
// number, or out of its range, is told with its place.
func TestNumbersByName(t *testing.T) {
	const head = "version: 1\nmode: enforce\nprivacy:\n  profile: own\n  profiles:\n    - name: own\n      extends: gdpr-minimal\n      sure: "
	for text, want := range map[string]string{
		"{PERSON: 0.8, EMAIL: 1}": "", "{PERSON: high}": "must be a number", "{PERSON: 1.5}": "is 0 to 1", "{NOBODY: 0.5}": "not a type",
		"{SECRET: 0.5}": "counts", "[0.5]": "must be a mapping", "{PERSON: {a: 1}}": "must be a single value",
	} {
		_, err := Parse("x.yaml", []byte(head+text+"\n"), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

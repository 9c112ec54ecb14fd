package interop

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// detourSwitch in the environment turns the test binary into a client that
// takes the way through a gateway; its value is a detour.
const detourSwitch = "INTEROP_DETOUR"

// detour says how to put the gateway between: register the server whose URL
// is the last argument, then run the client at our URL for it.
type detour struct {
	Client string   // the real client
	Binary string   // ostiary
	Dir    string   // data directory of the running gateway
	Plain  string   // host:port of the plaintext listener
	Agent  string   // whom its callers are
	Env    []string // for ostiary
}

// takeDetour runs instead of the tests when the environment says so.
func takeDetour() {
	text, set := os.LookupEnv(detourSwitch)
	if !set {
		return
	}
	var d detour
	err := json.Unmarshal([]byte(text), &d)
	if err == nil {
		err = d.run(os.Args[len(os.Args)-1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "detour:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (d detour) run(url string) error {
	name := "s" + strings.ToLower(rand.Text())[:12]
	for _, args := range [][]string{
		{"server", "submit", name, "--url", url, "--private"},
		{"server", "approve", name, "--reason", "test"},
		{"access", "grant", d.Agent, name, "--access", "modify"},
	} {
		cmd := exec.Command(d.Binary, append(args, "--dir", d.Dir)...)
		cmd.Env = d.Env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ostiary %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	_, port, _ := strings.Cut(d.Plain, ":")
	cmd := exec.Command(d.Client, "http://localhost:"+port+"/s/"+name+"/mcp")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// The suite's client scenarios without authorization: the gateway stands
// between the Go SDK's client and the suite's server and changes no check.
// (Authorization at the server is between the gateway and the server, so the
// auth scenarios cannot pass through.)
func TestClientConformanceThroughTheGateway(t *testing.T) {
	client, err := doortest.Build("github.com/modelcontextprotocol/go-sdk/conformance/everything-client")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	door := doortest.Gateway(t, doortest.Options{Plain: "suite"})
	up := door.Command("up")
	text, err := json.Marshal(detour{client, up.Path, door.Dir, door.Plain, "suite", up.Env})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []suite{legacySuite, modernSuite} {
		all, r := s.run(t, "client", "--command", client)
		if len(all) == 0 {
			t.Fatalf("no client scenario ran\n%s%s", r.Stdout, r.Stderr)
		}
		for _, scenario := range slices.Sorted(maps.Keys(all)) { // the auth ones lie in a folder deeper
			t.Run(s.args[1]+"/"+scenario, func(t *testing.T) {
				direct, _ := s.only(scenario).run(t, "client", "--command", client)
				t.Setenv(detourSwitch, string(text))
				proxied, r := s.only(scenario).run(t, "client", "--command", self)
				got := verdicts(proxied[scenario])
				for c, want := range verdicts(direct[scenario]) {
					if want == "SUCCESS" && got[c] != want && !strings.HasPrefix(c, nullArgument) {
						t.Errorf("%s passes directly; proxied %q\n%s", c, got[c], r.Stdout)
					}
				}
			})
		}
	}
}

// nullArgument is the one check that cannot pass: its client sends null where
// the tool's own schema wants a boolean, and the gateway stops arguments that
// violate the schema before they reach the server.
const nullArgument = "sep-2243-client-omit-null "

// verdicts are the worst states of the checks by id and name. Notes (INFO) are
// left out: the gateway examines a server before it lets a client through, and
// the suite notes those requests too.
func verdicts(checks []check) map[string]string {
	order := []string{"SKIPPED", "SUCCESS", "WARNING", "FAILURE"}
	out := map[string]string{}
	for _, c := range checks {
		at := slices.Index(order, c.Status)
		if key := c.ID + " " + c.Name; at >= 0 && at >= slices.Index(order, out[key]) {
			out[key] = c.Status
		}
	}
	return out
}

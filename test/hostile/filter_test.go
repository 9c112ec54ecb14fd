package hostile

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// crmTools are a system of record's: find promises a shape, note takes anything.
const crmTools = `[{"name":"find","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{` +
	`"customers":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"ssn":{"type":"string"},` +
	`"state":{"type":"string","pattern":"^[a-z]{4}$"}},"required":["id","ssn","state"]}}},"required":["customers"]}},` +
	`{"name":"note","inputSchema":{"type":"object","properties":{"about":{"type":"string"}}}}]`

const customers = `{"customers":[{"id":"c-100","name":"Ann","ssn":"078-05-1120","state":"open"},{"id":"c-101","name":"Bob","ssn":"219-09-9999","state":"paid"}]}`

// filterWorld is a gateway with two systems of record and one agent.
func filterWorld(t *testing.T, privacy string) (*contentWorld, *doortest.Upstream) {
	t.Helper()
	up, erp := doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{})
	offers(up, crmTools)
	offers(erp, crmTools)
	w := &contentWorld{t: t, up: up}
	w.Door = doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}, {Name: "erp", URL: erp.URL()}}, Agents: []string{"app"},
		Config: func(yaml string) string { return withPrivacy(yaml, privacy) }})
	return w, erp
}

// filtered puts rules in force at the running gateway.
func (w *contentWorld) filtered(rules string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "rules.yaml")
	write(w.t, path, rules)
	w.Must("filter", "apply", path, "--server", "s", "--reason", "test")
}

// TestFiltersAtTheDoor: what rules take away reaches nobody, in structure and text
// alike; the result keeps the shape that its tool promised, or does not pass (C10).
func TestFiltersAtTheDoor(t *testing.T) {
	w, _ := filterWorld(t, "  profile: secrets-only\n")
	for _, version := range eras {
		c := w.client(t, "app", version)
		w.says(`"content":[{"type":"text","text":` + text(customers) + `}],"structuredContent":` + customers)
		w.filtered("filter:\n  - tool: find\n    drop: ['**.name', '**.ssn']\n    rows: {path: customers, where: 'state == \"open\"'}\n")
		r := c.Tool("1", "find", `{}`)
		var m struct {
			Result struct {
				StructuredContent json.RawMessage
				Content           []struct{ Text string }
				Meta              map[string]json.RawMessage `json:"_meta"`
			}
		}
		if err := json.Unmarshal([]byte(r.Final()), &m); err != nil || len(m.Result.Content) != 1 {
			t.Fatalf("%s: %s %v", version, r.Body, err)
		}
		if got := string(m.Result.StructuredContent); got != `{"customers":[{"id":"c-100","ssn":"","state":"open"}]}` {
			t.Errorf("%s: structure %s", version, got)
		}
		for _, gone := range []string{"Ann", "Bob", "078-05", "219-09", "c-101"} {
			if strings.Contains(string(r.Body), gone) {
				t.Errorf("%s: %s passed: %s", version, gone, r.Body)
			}
		}
		if note := string(m.Result.Meta["dev.ostiary/privacy"]); !strings.Contains(note, `"rows":1`) {
			t.Errorf("%s: the reader is told %s", version, note)
		}
		// A member that the shape demands, with no value that says nothing.
		w.filtered("filter: [{tool: find, drop: ['**.state']}]")
		if r := c.Tool("2", "find", `{}`); kindOf(r) != "content_blocked" || strings.Contains(string(r.Body), "c-100") {
			t.Errorf("%s: unfit, but %s", version, r.Body)
		}
		w.Must("filter", "rollback", "s", "1", "--reason", "it blocks")
		if r := c.Tool("3", "find", `{}`); !strings.Contains(string(r.Body), "c-100") || strings.Contains(string(r.Body), "Ann") {
			t.Errorf("%s: after the rollback: %s", version, r.Body)
		}
		w.up.On("tools/call", func(u *doortest.Conn, _ *doortest.Request) {
			u.Fail(200, -32000, "no row for Ann 078-05-1120 at /srv/crm/db.go:17")
		})
		w.filtered("filter: [{tool: find, errors: strip}]")
		if r := c.Tool("4", "find", `{}`); strings.Contains(string(r.Body), "/srv/crm") {
			t.Errorf("%s: an error says %s", version, r.Body)
		}
		w.Must("filter", "remove", "s", "--reason", "the next era")
	}
}

// TestFiltersAreLearnedAtTheDoor: what an agent gives to another server, or to the
// same one in another session, is what a proposal keeps; a proposal can be applied.
func TestFiltersAreLearnedAtTheDoor(t *testing.T) {
	w, erp := filterWorld(t, "  profile: secrets-only\n  learn: true\n")
	erp.On("tools/call", func(u *doortest.Conn, r *doortest.Request) {
		u.Result(`{"resultType":"complete","content":[]}`)
	})
	w.says(`"content":[{"type":"text","text":` + text(customers) + `}],"structuredContent":` + customers)
	for i, version := range eras {
		c := w.client(t, "app", version)
		if r := c.Tool("1", "find", `{}`); !strings.Contains(string(r.Body), "c-100") {
			t.Fatalf("%s", r.Body)
		}
		other := w.Client(w.Agents["app"], "erp")
		if other.Version = version; version != doortest.ModernVersion {
			other.Initialize(version, `{}`)
		}
		if r := other.Tool("2", "note", `{"about":"c-10`+string(rune('0'+i%2))+`"}`); r.Status != 200 {
			t.Fatalf("%s", r.Body)
		}
	}
	proposal := w.Must("filter", "suggest", "s")
	if !strings.Contains(proposal, `"customers[*].id" # used by 2`) || strings.Contains(proposal, "\n      - \"customers[*].name\"") {
		t.Errorf("proposed:\n%s", proposal)
	}
	for _, value := range []string{"c-100", "Ann", "078-05"} {
		if strings.Contains(proposal, value) {
			t.Errorf("the proposal holds %s", value)
		}
	}
	w.filtered(proposal)
	r := w.client(t, "app", eras[0]).Tool("3", "find", `{}`)
	if !strings.Contains(string(r.Body), "c-100") || strings.Contains(string(r.Body), "Ann") {
		t.Errorf("as proposed: %s", r.Body)
	}
}

package registry

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func testSnapshot() *Snapshot {
	return NewSnapshot(7,
		[]Server{
			{ID: "mail", State: Active, Tools: []Tool{{Name: "send"}, {Name: "read", Access: Read}}},
			{ID: "files", State: Active}, {ID: "old", State: Suspended}, {ID: "new", State: Submitted},
		},
		[]Agent{{ID: "robot", State: Active}, {ID: "gone", State: Retired}},
		[]Token{
			{ID: "live", Agent: "robot", Hash: []byte{1}}, {ID: "dead", Agent: "robot", Hash: []byte{2}, Revoked: true},
			{ID: "brief", Agent: "robot", Hash: []byte{3}, ExpiresAt: now},
		},
		[]Certificate{
			{Serial: "0a", Agent: "robot", NotAfter: now.Add(time.Second)}, {Serial: "0b", Agent: "robot", NotAfter: now},
			{Serial: "0c", Agent: "robot", NotAfter: now.Add(time.Hour), Revoked: true},
		},
		[]Grant{
			{Agent: "robot", Server: "mail", Access: Read}, {Agent: "robot", Server: "files", Access: Write},
			{Agent: "robot", Server: "old"}, {Agent: "robot", Server: "new"}, {Agent: "robot", Server: "nowhere"},
			{Agent: "other", Server: "mail"},
		})
}

func ids(list []*Server) (out []string) {
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

func TestSnapshotLookups(t *testing.T) {
	s := testSnapshot()
	if s.Version() != 7 || s.Server("mail").ID != "mail" || s.Agent("robot").ID != "robot" || s.Grant("robot", "files").Access != Write {
		t.Error("a row is not found")
	}
	if s.Server("Mail") != nil || s.Agent("") != nil || s.Token("x") != nil || s.Certificate("0A") != nil || s.Grant("files", "robot") != nil {
		t.Error("a row is found that is not there")
	}
	if got := ids(s.Servers()); !reflect.DeepEqual(got, []string{"files", "mail", "new", "old"}) {
		t.Errorf("servers are %v", got)
	}
	if got := ids(s.Visible("robot")); !reflect.DeepEqual(got, []string{"files", "mail"}) {
		t.Errorf("visible are %v", got)
	}
	if s.Visible("nobody") != nil {
		t.Error("an unknown agent sees servers")
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	servers := []Server{{ID: "a", State: Active, Tools: []Tool{{Name: "t", State: ToolApproved}}}}
	s := NewSnapshot(1, servers, nil, nil, nil, nil)
	servers[0].State, servers[0].Tools[0].State = Retired, ToolChanged
	if s.Server("a").State != Active || s.Server("a").Tool("t").State != ToolApproved {
		t.Error("a change of the rows reaches the snapshot")
	}
}

func TestToolIsByteExact(t *testing.T) {
	listed := Server{Tools: []Tool{{Name: "read"}, {Name: ""}}}
	for name, s := range map[string]*Server{"map": testSnapshot().Server("mail"), "list": &listed} {
		if s.Tool("read") == nil || s.Tool("read").Name != "read" {
			t.Errorf("%s: read is not found", name)
		}
		for _, other := range []string{"Read", "read ", "rea", "read\x00", "mail__read"} {
			if s.Tool(other) != nil {
				t.Errorf("%s: %q is found", name, other)
			}
		}
	}
}

func TestHolders(t *testing.T) {
	s := testSnapshot()
	for id, want := range map[string]bool{"live": true, "dead": false, "brief": false, "none": false} {
		if agent, _, live := s.TokenHolder(id, now); live != want || (id != "none") != (agent == "robot") {
			t.Errorf("token %s: %q, %v", id, agent, live)
		}
	}
	if _, _, live := s.TokenHolder("brief", now.Add(-time.Nanosecond)); !live {
		t.Error("a token ends too early")
	}
	for serial, want := range map[string]bool{"0a": true, "0b": false, "0c": false, "0d": false} {
		if agent, live := s.CertificateHolder(serial, now); live != want || (serial != "0d") != (agent == "robot") {
			t.Errorf("certificate %s: %q, %v", serial, agent, live)
		}
	}
	if !s.AgentActive("robot") || s.AgentActive("gone") || s.AgentActive("nobody") {
		t.Error("activity is wrong")
	}
}

func TestNilSnapshotIsEmpty(t *testing.T) {
	var s *Snapshot
	_, _, token := s.TokenHolder("x", now)
	_, cert := s.CertificateHolder("x", now)
	if s.Version() != 0 || s.Server("x") != nil || s.Agent("x") != nil || s.Token("x") != nil || s.Certificate("x") != nil ||
		s.Grant("x", "y") != nil || s.Servers() != nil || s.Visible("x") != nil || s.AgentActive("x") || token || cert {
		t.Error("a nil snapshot holds something")
	}
}

func TestLive(t *testing.T) {
	var l Live
	if l.Load() == nil || l.Load().Version() != 0 {
		t.Fatal("the zero value is not an empty view")
	}
	changed, cancel := l.Subscribe()
	other, cancelOther := l.Subscribe()
	select {
	case <-changed:
		t.Fatal("woken before a change")
	default:
	}
	for v := range uint64(5) {
		l.Swap(NewSnapshot(v+1, nil, nil, nil, nil, nil))
	}
	<-changed
	<-other
	select {
	case <-changed:
		t.Error("five swaps make more than one wake-up")
	default:
	}
	if l.Load().Version() != 5 {
		t.Errorf("version is %d", l.Load().Version())
	}
	cancel()
	cancel()
	l.Swap(NewSnapshot(6, nil, nil, nil, nil, nil))
	<-other
	select {
	case <-changed:
		t.Error("woken after cancel")
	default:
	}
	cancelOther()
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := Secret{Name: "Authorization", Sealed: []byte("canary")}
	tok := Token{ID: "abc", Hash: []byte("canary")}
	srv := Server{ID: "x", URL: "https://canary", Secrets: []Secret{s}}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", s, s, s, s), fmt.Sprintf("%v %+v %#v %s", tok, tok, tok, tok),
		s.LogValue().String(), tok.LogValue().String(), srv.LogValue().String(), fmt.Sprintf("%+v", srv.Secrets), Agent{ID: "a"}.LogValue().String()} {
		for _, bad := range []string{"canary", "99 97 110", "0x63"} {
			if strings.Contains(text, bad) {
				t.Errorf("prints %q", text)
			}
		}
	}
}

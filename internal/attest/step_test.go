package attest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/wire"
)

const leaf = `{"dec":"allow","h":"x","kind":"call.finished","log":"calls/2026","t":1,"v":1,"x":"x1"}`

func world(t *testing.T, prove func(context.Context, auditlog.Place) ([]byte, error)) (*Step, *int) {
	t.Helper()
	secret, _, err := note.GenerateKey(nil, "ostiary.dev/gw/0")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	logged := new(int)
	return New(Config{Signer: func() note.Signer { return signer }, Origin: func(n auditlog.Name) string { return "o/" + string(n) },
		Prove: prove, Clock: clock.Fixed(func() time.Time { return time.UnixMilli(5) }),
		Log: func(string, *exchange.Exchange, error) { *logged++ }}), logged
}

func message(t *testing.T, raw string, from wire.Side) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(raw), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return m
}

func call() *exchange.Exchange {
	return &exchange.Exchange{ID: "x1", Verb: exchange.Post, Principal: identity.Principal{ID: "app", Receipts: true},
		Place: auditlog.Place{Log: "calls/2026", Index: 7, Leaf: []byte(leaf)}, RequestSum: [32]byte{1}}
}

// receiptIn returns the receipt of a message, and the message without it.
func receiptIn(t *testing.T, m *wire.Message) (map[string]any, string) {
	t.Helper()
	v := m.Result()
	if !v.Exists() {
		v = m.ErrorObject().Get("data")
	}
	r := v.Get("_meta").Get(export.ReceiptMember)
	if !r.Exists() {
		return nil, string(m.Raw())
	}
	var out map[string]any
	start, end := r.Range()
	if err := json.Unmarshal(m.Raw()[start:end], &out); err != nil {
		t.Fatal(err)
	}
	bare, err := export.RemoveReceipt(m)
	if err != nil {
		t.Fatal(err)
	}
	return out, string(bare.Raw())
}

func TestTheReceiptChangesNothingElse(t *testing.T) {
	s, logged := world(t, nil)
	for name, raw := range map[string]string{
		"result":            `{"jsonrpc":"2.0","id":7,"result":{ "content":[] , "n":1.50 }}`,
		"with other meta":   `{"jsonrpc":"2.0","id":7,"result":{"_meta":{"a/b":1},"content":[]}}`,
		"space around it":   "\n {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n",
		"empty result":      `{"jsonrpc":"2.0","id":"q","result":{}}`,
		"error":             `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}`,
		"error with data":   `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"kind":"denied"}}}`,
		"error, other meta": `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"_meta":{"x":1}}}}`,
	} {
		m, x := message(t, raw, wire.FromServer), call()
		s.Reply(context.Background(), x)
		r, bare := receiptIn(t, x.Attest(m))
		if r == nil || bare != raw {
			t.Errorf("%s: without the receipt it is %s", name, bare)
			continue
		}
		sum, err := export.AnswerDigest(m)
		if err != nil || sum != sha256.Sum256([]byte(strings.TrimSpace(raw))) {
			t.Errorf("%s: the digest is not that of the bytes", name)
		}
		if r["exchange"] != "x1" || r["index"] != 7.0 || r["log"] != "o/calls/2026" || r["state"] != "finished" || r["proof"] != nil || r["sig"] == "" {
			t.Errorf("%s: receipt %v", name, r)
		}
	}
	if *logged != 0 {
		t.Errorf("%d failures", *logged)
	}
}

func TestWhoGetsNoReceipt(t *testing.T) {
	s, _ := world(t, nil)
	for name, change := range map[string]func(*exchange.Exchange){
		"switched off":      func(x *exchange.Exchange) { x.Principal.Receipts = false },
		"a part of /mcp":    func(x *exchange.Exchange) { x.Parent = "p" },
		"a stream":          func(x *exchange.Exchange) { x.Verb = exchange.Stream },
		"without its entry": func(x *exchange.Exchange) { x.Place = auditlog.Place{} },
	} {
		x := call()
		change(x)
		if s.Reply(context.Background(), x); x.Attest != nil {
			t.Errorf("%s: a receipt is due", name)
		}
	}
	// A data that is no object has no place for one; the answer leaves as it is.
	x := call()
	s.Reply(context.Background(), x)
	m := message(t, `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no","data":"text"}}`, wire.FromServer)
	if got := x.Attest(m); got != m {
		t.Errorf("got %s", got.Raw())
	}
}

func TestTheProofIsAskedForAndTheServerDoesNotHear(t *testing.T) {
	var asked auditlog.Place
	fail := false
	s, logged := world(t, func(_ context.Context, p auditlog.Place) ([]byte, error) {
		if asked = p; fail {
			return nil, errors.New("no checkpoint")
		}
		return []byte("c2sp.org/tlog-proof@v1\n"), nil
	})
	raw := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","_meta":{"a/b":1,"dev.ostiary/receipt":{"proof":true}}}}`
	x := call()
	x.RequestSum, x.Request = [32]byte{}, message(t, raw, wire.FromClient)
	if err := s.Request(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	if !x.AsksProof || strings.Contains(string(x.Request.Raw()), "ostiary") || x.RequestSum != sha256.Sum256([]byte(raw)) {
		t.Fatalf("asks %v, the server gets %s", x.AsksProof, x.Request.Raw())
	}
	s.Reply(context.Background(), x)
	m := message(t, `{"jsonrpc":"2.0","id":7,"result":{}}`, wire.FromServer)
	if r, _ := receiptIn(t, x.Attest(m)); r["proof"] != "c2sp.org/tlog-proof@v1\n" || asked.Index != 7 {
		t.Fatalf("receipt %v", r)
	}
	fail = true // the receipt comes without
	if r, _ := receiptIn(t, x.Attest(m)); r == nil || r["proof"] != nil || *logged != 1 {
		t.Fatalf("receipt %v, %d failures", r, *logged)
	}
	for _, plain := range []string{`{"jsonrpc":"2.0","id":7,"method":"ping"}`, `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"x":1}}}`} {
		x := call()
		x.Request = message(t, plain, wire.FromClient)
		if err := s.Request(context.Background(), x); err != nil || string(x.Request.Raw()) != plain || x.AsksProof {
			t.Errorf("%s became %s, %v", plain, x.Request.Raw(), err)
		}
	}
}

func TestReceiptOfAServer(t *testing.T) {
	s, _ := world(t, nil)
	for raw, want := range map[string]string{
		`{"jsonrpc":"2.0","id":7,"result":{"_meta":{"dev.ostiary/receipt":{"sig":"AAAA"}},"content":[]}}`:                   `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"_meta":{"x":1,"dev.ostiary/receipt":1}}}`:                                       `{"jsonrpc":"2.0","id":7,"result":{"_meta":{"x":1}}}`,
		`{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m","data":{"a":1,"_meta":{"dev.ostiary/receipt":{"v":1}}}}}`: `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m","data":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`:                                                                  `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`,
	} {
		x := &exchange.Exchange{Message: message(t, raw, wire.FromServer)}
		if err := s.Response(context.Background(), x); err != nil {
			t.Fatal(err)
		}
		if got := string(x.Message.Raw()); got != want {
			t.Errorf("%s\nbecame %s", raw, got)
		}
	}
}

func TestStateOf(t *testing.T) {
	for l, want := range map[string]string{
		leaf: export.Finished,
		strings.Replace(leaf, "call.finished", "call.decided", 1):                               export.Decided,
		strings.NewReplacer("call.finished", "call.decided", `"allow"`, `"deny"`).Replace(leaf): export.Finished,
	} {
		if got := stateOf([]byte(l)); got != want {
			t.Errorf("%s: %s", l, got)
		}
	}
}

package outside

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
	"ostiary.dev/ostiary/verify"
)

// TestReceiptsOfAGateway keeps the bytes that a client sent and received, and
// checks the receipts in them with what an export gives away; then a pack of
// evidence of the same exchanges, and a proof of one with torchwood.
func TestReceiptsOfAGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a gateway")
	}
	modern := doortest.NewUpstream(t, doortest.Config{Modern: true})
	legacy := doortest.NewUpstream(t, doortest.Config{Legacy: true, SSE: true})
	d := doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "modern", URL: modern.URL()}, {Name: "legacy", URL: legacy.URL()}}, Agents: []string{"app"},
	})
	d.Must("agent", "set", "app", "--receipts", "on", "--reason", "test")
	c, old := d.Client(d.Agents["app"], "modern"), d.Client(d.Agents["app"], "legacy")
	old.Initialize(doortest.LegacyVersion, `{}`)
	type pair struct {
		what, request string
		reply         doortest.Reply
	}
	var pairs []pair
	ask := func(what string, c *doortest.Client, method, params string) {
		request := c.Request("7", method, params)
		pairs = append(pairs, pair{what, request, c.Post(request)})
	}
	ask("a call", c, "tools/call", `{"name":"echo","arguments":{"text":"hi"}}`)
	ask("a call of the old era, streamed", old, "tools/call", `{"name":"echo","arguments":{"text":"hi"}}`)
	ask("a list", c, "tools/list", `{}`)
	ask("a refusal", c, "tools/call", `{"name":"nothing","arguments":{}}`)

	out := filepath.Join(t.TempDir(), "out")
	d.Must("audit", "export", "--out", out)
	receiptKeys := keyFile(t, filepath.Join(out, "receipt.vkey"))
	calls, err := filepath.Glob(filepath.Join(out, "calls-*", "log.vkey"))
	if err != nil || len(calls) != 1 {
		t.Fatal(calls, err)
	}
	logKeys := keyFile(t, calls[0])
	var evidence []string
	var last verify.ReceiptReport
	for _, p := range pairs {
		answer := []byte(p.reply.Final())
		r, err := verify.Receipt(answer, verify.ReceiptOptions{Keys: receiptKeys, Answer: answer, Request: []byte(p.request)})
		if err != nil || !r.Answer || !r.Request {
			t.Errorf("%s: %v\n%s\n%s", p.what, err, p.request, answer)
			continue
		}
		changed := bytes.Replace(answer, []byte(`"id":7`), []byte(`"id":8`), 1)
		if _, err := verify.Receipt(changed, verify.ReceiptOptions{Keys: receiptKeys, Answer: changed}); err == nil {
			t.Errorf("%s: a changed answer passes", p.what)
		}
		proof := filepath.Join(t.TempDir(), "p.tlog-proof")
		d.Must("audit", "prove", r.Exchange, "--out", proof)
		file, err := os.ReadFile(proof)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verify.Proof(file, verify.ProofOptions{Keys: logKeys})
		if err != nil || got.Index < r.Index {
			t.Errorf("%s: the proof: %+v, %v", p.what, got, err)
		}
		if got.Index == r.Index {
			r, err = verify.Receipt(answer, verify.ReceiptOptions{Keys: receiptKeys, LogKeys: logKeys, Proof: file})
			if err != nil || !r.Included {
				t.Errorf("%s: the receipt with its proof: %+v, %v", p.what, r, err)
			}
		}
		leaf := put(t, "leaf", []byte(got.Leaf))
		if said, ok := says(t, "proof", proof, calls[0], leaf); !ok {
			t.Errorf("%s: torchwood: %s", p.what, said)
		}
		evidence = append(evidence, "--exchange", r.Exchange)
		last = r
	}
	pack := filepath.Join(t.TempDir(), "evidence.zip")
	d.Must(append([]string{"audit", "evidence", "--out", pack}, evidence...)...)
	b, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Evidence(bytes.NewReader(b), int64(len(b)), verify.EvidenceOptions{Keys: logKeys})
	if err != nil || len(r.Logs) != 1 || r.Logs[0].Entries < len(pairs) || r.Logs[0].Gone != 0 {
		t.Errorf("the evidence: %+v, %v", r, err)
	}
	if strings.Contains(string(b), `"actor":"app"`) || last.Log == "" {
		t.Error("the evidence names the agent in clear")
	}
}

func keyFile(t *testing.T, path string) []verify.Key {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := verify.ParseKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

package export_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/wire"
	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

const request = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tool-1"}}`

// answer parses an answer of a server.
func answer(t *testing.T, text string) *wire.Message {
	t.Helper()
	m, flaw := wire.Parse([]byte(text), wire.DefaultLimits(), wire.FromServer)
	if flaw != nil {
		t.Fatalf("%s: %v", text, flaw)
	}
	return m
}

// signedReceipt makes the receipt of an answer to request.
func signedReceipt(t *testing.T, m *wire.Message) []byte {
	t.Helper()
	l := samplelog.New("calls/2026", 9)
	digest, err := export.AnswerDigest(m)
	if err != nil {
		t.Fatal(err)
	}
	text, err := export.Receipt{
		Origin: l.Origin(), Index: 3, Leaf: l.Entries[3].Leaf, Exchange: "01938e2c-7b00-7000-8000-000000000001",
		Request: export.MessageDigest([]byte(request)), Answer: digest, State: export.Finished,
		Time: time.UnixMilli(1795910259999), Proof: l.Proof(3),
	}.Sign(samplelog.ReceiptSigner())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// answers lists answers and, where it is not the answer itself, what the digest
// is of: an empty or null _meta counts as none.
var answers = []struct{ text, of string }{
	{`{"jsonrpc":"2.0","id":1,"result":{}}`, ""},
	{`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"1e5 \u00e9"}]}}`, ""},
	{`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1},"n":1.50}}`, ""},
	{`{"jsonrpc":"2.0","id":1,"result":{"n":1, "_meta" : { "a" : 1 , "b":{} } , "m":2}}`, ""},
	{`{"result":{ "n":1 },"id":"x","jsonrpc":"2.0"}`, ""},
	{" {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1}}\r\n", `{"jsonrpc":"2.0","id":1,"result":{"n":1}}`},
	{`{"jsonrpc":"2.0","id":1,"result":{"_meta":{},"n":1}}`, `{"jsonrpc":"2.0","id":1,"result":{"n":1}}`},
	{`{"jsonrpc":"2.0","id":1,"result":{"n":1,"_meta":{}}}`, `{"jsonrpc":"2.0","id":1,"result":{"n":1}}`},
	{`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}`, ""},
	{`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no","data":{"kind":"denied"}}}`, ""},
	{`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no","data":null}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}`},
	{`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"data":{"_meta":{"a":1}},"message":"no"}}`, ""},
}

// TestReceiptOfAnswers places receipts and lets the verifier take them out: the
// digest is of the answer as it was.
func TestReceiptOfAnswers(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	key, err := verify.ParseKey(samplelog.ReceiptSigner().VKey())
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := verify.ParseKey(l.VKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		m := answer(t, a.text)
		placed, err := export.PlaceReceipt(m, signedReceipt(t, m))
		if err != nil {
			t.Errorf("%s: %v", a.text, err)
			continue
		}
		of := a.of
		if of == "" {
			of = a.text
		}
		if digest, err := export.AnswerDigest(m); err != nil || digest != sha256.Sum256([]byte(of)) {
			t.Errorf("%s: the digest is of other bytes, %v", a.text, err)
		}
		r, err := verify.Receipt(placed.Raw(), verify.ReceiptOptions{
			Keys: []verify.Key{key}, Answer: placed.Raw(), Request: []byte(request + "\n"), LogKeys: []verify.Key{logKey},
		})
		if err != nil || !r.Answer || !r.Request || !r.Included || r.Index != 3 {
			t.Errorf("%s: %+v, %v", placed.Raw(), r, err)
		}
		removed, err := export.RemoveReceipt(placed)
		if err != nil || string(bytes.TrimSpace(removed.Raw())) != of {
			t.Errorf("%s: removed becomes %s, %v", a.text, removed.Raw(), err)
		}
	}
}

// TestReceiptOfAServer has a server that answers with a receipt of its own.
func TestReceiptOfAServer(t *testing.T) {
	forged := `{"jsonrpc":"2.0","id":1,"result":{"n":1,"_meta":{"dev.ostiary/receipt":{"v":1}}}}`
	m, err := export.RemoveReceipt(answer(t, forged))
	if want := `{"jsonrpc":"2.0","id":1,"result":{"n":1}}`; err != nil || string(m.Raw()) != want {
		t.Errorf("got %s, %v", m.Raw(), err)
	}
	clean := answer(t, answers[3].text)
	if m, err := export.RemoveReceipt(clean); err != nil || !bytes.Equal(m.Raw(), clean.Raw()) {
		t.Errorf("an answer without one became %s, %v", m.Raw(), err)
	}
}

func TestNoPlaceForAReceipt(t *testing.T) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":"text"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":[1]}}`,
	} {
		if m, err := export.PlaceReceipt(answer(t, text), []byte("{}")); !errors.Is(err, export.ErrNoPlace) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
		if _, err := export.AnswerDigest(answer(t, text)); !errors.Is(err, export.ErrNoPlace) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestReceiptIsTheSample compares with the sample's receipt, which encoding/json
// wrote.
func TestReceiptIsTheSample(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	got, err := export.Receipt{
		Origin: l.Origin(), Index: 3, Leaf: l.Entries[3].Leaf, Exchange: "01938e2c-7b00-7000-8000-000000000001",
		Request: export.MessageDigest([]byte(request)), Answer: sha256.Sum256([]byte("{}")), State: export.Finished,
		Time: time.UnixMilli(1795910259999),
	}.Sign(samplelog.ReceiptSigner())
	if want := l.Receipt(3, "finished", []byte(request), []byte("{}")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s, %v", got, want, err)
	}
	if _, err := (export.Receipt{State: "perhaps"}).Sign(samplelog.ReceiptSigner()); err == nil {
		t.Error("a receipt of an unknown state was signed")
	}
}

// TestReceiptDomain shows that the signature is of no message that another
// signer could have been brought to sign: not of the object alone.
func TestReceiptDomain(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	text := l.Receipt(3, "finished", []byte(request), []byte("{}"))
	key, err := verify.ParseKey(samplelog.ReceiptSigner().VKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Receipt(text, verify.ReceiptOptions{Keys: []verify.Key{key}}); err != nil {
		t.Fatal(err)
	}
	start := bytes.Index(text, []byte(`,"sig":"`))
	end := start + bytes.Index(text[start:], []byte(`","state`)) + 1
	object := append(bytes.Clone(text[:start]), text[end:]...)
	sig, err := samplelog.ReceiptSigner().Sign(object)
	if err != nil {
		t.Fatal(err)
	}
	if key.Verify(append([]byte("ostiary-receipt/v1\n"), object...), sig) {
		t.Error("a signature of the object is one of the receipt")
	}
}

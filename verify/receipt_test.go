package verify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

const (
	request = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tool-1"}}`
	bare    = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}]}}`
)

// answered is bare with its receipt in it.
func answered(receipt []byte) []byte {
	return []byte(strings.TrimSuffix(bare, "}}") + `,"_meta":{"dev.ostiary/receipt":` + string(receipt) + `}}}`)
}

func sampleReceipt() (l *samplelog.Log, receipt []byte) {
	l = samplelog.New("calls/2026", 9)
	return l, l.Receipt(3, "finished", []byte(request), []byte(bare))
}

func TestReceipt(t *testing.T) {
	l, receipt := sampleReceipt()
	o := verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey())}
	r, err := verify.Receipt(receipt, o)
	if err != nil || r.Answer || r.Request || r.Included || r.Index != 3 || r.State != "finished" || r.Log != l.Origin() {
		t.Errorf("the receipt alone: %+v, %v", r, err)
	}
	o.Answer, o.Request = []byte(bare+"\n"), []byte(request)
	if r, err = verify.Receipt(receipt, o); err != nil || !r.Answer || !r.Request || r.Included {
		t.Errorf("with the answer without it: %+v, %v", r, err)
	}
	o.Answer = answered(receipt)
	o.LogKeys, o.Proof = keys(t, l.VKey()), l.Proof(3)
	if r, err = verify.Receipt(o.Answer, o); err != nil || !r.Answer || !r.Included || r.Size != 9 {
		t.Errorf("the answer with it, and a proof: %+v, %v", r, err)
	}
	o.Proof = l.Proof(4)
	if _, err = verify.Receipt(receipt, o); err == nil {
		t.Error("a proof of another entry passes")
	}
	o.Proof = prefix(samplelog.New("calls/2026", 20), 3).Checkpoint(3)
	if _, err = verify.Receipt(receipt, o); err == nil {
		t.Error("a checkpoint passes as proof")
	}
}

// TestReceiptSurvivesReaders accepts a receipt that a JSON library read and
// wrote again: the signature is over the values.
func TestReceiptSurvivesReaders(t *testing.T) {
	_, receipt := sampleReceipt()
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(receipt))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Receipt(again, verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey())}); err != nil {
		t.Error(err)
	}
}

// TestG12EveryByteOfAReceipt changes each byte of a receipt and of the answer
// around it.
func TestG12EveryByteOfAReceipt(t *testing.T) {
	_, receipt := sampleReceipt()
	good := answered(receipt)
	o := verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey())}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x01
		o.Answer = bad
		_, err := verify.Receipt(bad, o)
		var b *verify.Broken
		if !errors.As(err, &b) {
			t.Errorf("byte %d (%q to %q): %v", i, good[i], bad[i], err)
		}
	}
}

func TestReceiptRefuses(t *testing.T) {
	l, receipt := sampleReceipt()
	good := string(receipt)
	o := verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey()), Answer: []byte(bare), Request: []byte(request)}
	if _, err := verify.Receipt(receipt, o); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a member that is not known":  {`"v":1`, `"u":1,"v":1`},
		"a member twice":              {`"v":1`, `"v":1,"v":1`},
		"a member in another case":    {`"v":1`, `"V":1`},
		"a member in two cases":       {`"v":1`, `"v":1,"V":1`},
		"a member missing":            {`,"v":1`, ``},
		"null":                        {`"v":1`, `"v":null`},
		"another version":             {`"v":1`, `"v":2`},
		"another state":               {`"finished"`, `"decided"`},
		"an unknown state":            {`"finished"`, `"lost"`},
		"a float":                     {`"index":3`, `"index":3.0`},
		"an exponent":                 {`"index":3`, `"index":3e0`},
		"text for a number":           {`"index":3`, `"index":"3"`},
		"a negative number":           {`"index":3`, `"index":-3`},
		"another index":               {`"index":3`, `"index":4`},
		"another time":                {`"t":1795910259999`, `"t":1795910259998`},
		"another log":                 {`calls/2026"`, `calls/2025"`},
		"a signature with stray bits": {`==","state`, `=","state`},
		"an algorithm":                {`"v":1`, `"alg":"none","v":1`},
		"another key":                 {`receipts+`, `receipts2+`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		if r, err := verify.Receipt([]byte(bad), o); err == nil {
			t.Errorf("%s passes: %+v", name, r)
		}
	}
	for name, answer := range map[string]string{
		"another answer":          strings.Replace(bare, `"x"`, `"y"`, 1),
		"an answer with space":    strings.Replace(bare, `,"id"`, `, "id"`, 1),
		"another receipt in it":   string(answered(l.Receipt(5, "finished", []byte(request), []byte(bare)))),
		"two receipts in it":      strings.Replace(string(answered(receipt)), `"_meta":{`, `"_meta":{"dev.ostiary/receipt":1,`, 1),
		"two results in it":       `{"result":{},` + string(answered(receipt))[1:],
		"a result and no receipt": `{"result":{}}`,
		"no JSON":                 "x",
		"an array":                "[" + bare + "]",
		"a receipt outside _meta": strings.Replace(string(answered(receipt)), `_meta`, `meta`, 1),
		"something after it":      bare + "{}",
		"an escaped member twice": strings.Replace(string(answered(receipt)), `"_meta":{`, `"_meta":{"dev.ostiary\/receipt":1,`, 1),
	} {
		o.Answer = []byte(answer)
		if r, err := verify.Receipt(receipt, o); err == nil {
			t.Errorf("%s passes: %+v", name, r)
		}
	}
	o.Answer, o.Request = nil, []byte(`{}`)
	if _, err := verify.Receipt(receipt, o); err == nil {
		t.Error("another request passes")
	}
	o.Request = nil
	// The key that signs the log signs no receipts, though both are Ed25519.
	o.Keys = keys(t, l.VKey())
	if _, err := verify.Receipt(receipt, o); err == nil {
		t.Error("the key of the log passes")
	}
}

// TestReceiptOfAnotherLeaf has receipts that are signed well and say of their
// leaf what it does not say: a gateway that errs is found too.
func TestReceiptOfAnotherLeaf(t *testing.T) {
	o := verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey())}
	l := samplelog.New("calls/2026", 9)
	for name, receipt := range map[string][]byte{
		"the state of another kind": l.Receipt(3, "decided", nil, nil),
		"a leaf of another log":     samplelog.New("calls/2026", 9).Receipt(3, "finished", nil, nil),
	} {
		if name == "a leaf of another log" {
			moved := samplelog.New("calls/2026", 9)
			moved.Entries[3] = samplelog.NewEntry("calls/2025", "call.finished", 3)
			receipt = moved.Receipt(3, "finished", nil, nil)
		}
		if _, err := verify.Receipt(receipt, o); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// TestReceiptOfARefusal: its one entry is a decision and the outcome at once.
func TestReceiptOfARefusal(t *testing.T) {
	o := verify.ReceiptOptions{Keys: keys(t, samplelog.ReceiptSigner().VKey())}
	l := samplelog.New("calls/2026", 9)
	l.Entries[4].Leaf = bytes.Replace(l.Entries[4].Leaf, []byte(`"dec":"allow"`), []byte(`"dec":"deny"`), 1)
	if _, err := verify.Receipt(l.Receipt(4, "finished", nil, nil), o); err != nil {
		t.Error(err)
	}
	if _, err := verify.Receipt(l.Receipt(4, "decided", nil, nil), o); err == nil {
		t.Error("a refusal passes as a call that goes on")
	}
}

func TestStrip(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{`{"result":{"_meta":{"dev.ostiary/receipt":1}}}`, `{"result":{}}`},
		{`{"result":{"a":1,"_meta":{"dev.ostiary/receipt":1}}}`, `{"result":{"a":1}}`},
		{`{"result":{"_meta":{"dev.ostiary/receipt":1} , "a":1}}`, `{"result":{"a":1}}`},
		{`{"result":{"_meta":{"b":2 , "dev.ostiary/receipt" : {"x":[1]} , "c":3}}}`, `{"result":{"_meta":{"b":2 , "c":3}}}`},
		{`{"result":{"\u005fmeta":{"dev.ostiary\/receipt":1,"b":2}}}`, `{"result":{"\u005fmeta":{"b":2}}}`},
		{`{"error":{"data":{"_meta":{"dev.ostiary/receipt":1}},"code":1}}`, `{"error":{"code":1}}`},
		{`{"error":{"code":1,"data":{"_meta":{"dev.ostiary/receipt":1},"a":1}}}`, `{"error":{"code":1,"data":{"a":1}}}`},
	} {
		receipt, rest, err := verify.Strip([]byte(" " + c.in + "\n"))
		if err != nil || string(rest) != c.out || len(receipt) == 0 {
			t.Errorf("%s: got %s, %s, %v", c.in, receipt, rest, err)
		}
	}
}

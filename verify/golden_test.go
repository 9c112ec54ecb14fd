package verify_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

var update = flag.Bool("update", false, "write testdata anew")

// vectors are the files in testdata: one of each format. test/samplelog makes
// them, with encoding/json and x/mod and none of our writers.
func vectors(t *testing.T) map[string][]byte {
	l := samplelog.New("calls/2026", 9)
	l.Entries[6].Part = nil
	w := samplelog.NewWitness("witness.example/w1", 1795910300)
	_, pack := packFiles()
	receipt := l.Receipt(3, "finished", []byte(request), []byte(bare))
	all := map[string][]byte{
		"policy.txt": []byte("witness w1 " + w.VKey() + "\nquorum w1\n"), "log.vkey": []byte(l.VKey() + "\n"),
		"receipts.vkey": []byte(samplelog.ReceiptSigner().VKey() + "\n"), "entry-4.tlog-proof": l.Proof(4, w),
		"receipt.json": receipt, "answer.json": answered(receipt), "request.json": []byte(request),
		"checkpoint-5": l.Checkpoint(5), "evidence.zip": zipped(t, pack), "entry-4.jsonl": l.Line(4),
	}
	for path, f := range l.FS() {
		all["log/"+path] = f.Data
	}
	return all
}

// TestVectors holds the committed files to the sample and to the verifier: a
// change of a format shows as a change of a file.
func TestVectors(t *testing.T) {
	for path, want := range vectors(t) {
		name := filepath.Join("testdata", filepath.FromSlash(path))
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) && path != "evidence.zip" { // its container depends on Go's compressor
			t.Errorf("%s is not what the sample makes", path)
		}
	}
}

// file reads a vector.
func file(path string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		panic(err)
	}
	return b
}

func mustKeys(path string) []verify.Key {
	k, err := verify.ParseKeys(file(path))
	if err != nil {
		panic(err)
	}
	return k
}

func ExampleLog() {
	r, err := verify.Log(os.DirFS("testdata/log"), verify.LogOptions{
		Keys: mustKeys("log.vkey"),
		Old:  file("checkpoint-5"), // what a colleague kept
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Origin, r.Size, "entries; extends", *r.Extends)
	fmt.Println(r.Gone, "without their part, the first is", r.FirstGone)
	// Output:
	// ostiary.dev/gw/0123456789abcdef/default/calls/2026 9 entries; extends 5
	// 1 without their part, the first is 6
}

func ExampleProof() {
	policy, err := verify.ParsePolicy(file("policy.txt"))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := verify.Proof(file("entry-4.tlog-proof"), verify.ProofOptions{
		Keys: mustKeys("log.vkey"), Policy: policy, Line: file("entry-4.jsonl"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("entry", r.Index, "of", r.Size, "is readable:", r.Readable)
	fmt.Println("witnessed by", r.Witnesses[0].Name, "at", r.Witnesses[0].Time.Format("15:04:05"))
	// Output:
	// entry 4 of 9 is readable: true
	// witnessed by w1 at 23:58:20
}

func ExampleReceipt() {
	r, err := verify.Receipt(file("answer.json"), verify.ReceiptOptions{
		Keys: mustKeys("receipts.vkey"), Answer: file("answer.json"), Request: file("request.json"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.State, "as entry", r.Index, "of", r.Log)
	fmt.Println("inclusion proven:", r.Included)
	// Output:
	// finished as entry 3 of ostiary.dev/gw/0123456789abcdef/default/calls/2026
	// inclusion proven: false
}

func ExampleEvidence() {
	b := file("evidence.zip")
	r, err := verify.Evidence(bytes.NewReader(b), int64(len(b)), verify.EvidenceOptions{Keys: mustKeys("log.vkey")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Logs[0].Entries, "entries; no signature covers", r.Unproven)
	// Output:
	// 2 entries; no signature covers [README.txt run.json]
}

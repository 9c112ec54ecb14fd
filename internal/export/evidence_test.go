package export_test

import (
	"bytes"
	"testing"

	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// pack is a pack of two logs.
func pack() export.Pack {
	return export.Pack{
		Sources:  []export.Source{newSource("control", 4), newSource("calls/2026", 300)},
		Picked:   []export.Pick{{Log: "calls/2026", Index: 299}, {Log: "calls/2026", Index: 7}, {Log: "control", Index: 0}, {Log: "calls/2026", Index: 7}},
		Run:      export.Run{Report: "sample", Query: "--exchange x", Timezone: "UTC", Time: "2026-11-29T00:00:00Z", Runner: "root", Software: "ostiary test"},
		Policy:   []byte("quorum none\n"),
		Receipts: samplelog.ReceiptSigner().VKey(),
		Extra:    []export.Attach{{Name: "note.txt", Data: []byte("hello\n")}},
	}
}

func written(t *testing.T, p export.Pack) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := export.Evidence(t.Context(), &b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func logKeys(t *testing.T) []verify.Key {
	t.Helper()
	k, err := verify.ParseKeys([]byte(samplelog.New("control", 0).VKey() + "\n" + samplelog.New("calls/2026", 0).VKey()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEvidence(t *testing.T) {
	b := written(t, pack())
	if !bytes.Equal(b, written(t, pack())) {
		t.Error("the same inputs give other bytes")
	}
	r, err := verify.Evidence(bytes.NewReader(b), int64(len(b)), verify.EvidenceOptions{Keys: logKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Logs) != 2 || r.Logs[0].Entries != 2 || r.Logs[1].Entries != 1 || r.Logs[0].Size != 300 || r.Logs[0].Gone != 0 {
		t.Errorf("reports %+v", r)
	}
	t.Log(r.Unproven)
}

// TestEvidenceOfGoneParts keeps what is erased out, and the proof in.
func TestEvidenceOfGoneParts(t *testing.T) {
	s := newSource("calls/2026", 10)
	s.l.Entries[3].Part = nil
	b := written(t, export.Pack{Sources: []export.Source{s}, Picked: []export.Pick{{Log: "calls/2026", Index: 3}}})
	r, err := verify.Evidence(bytes.NewReader(b), int64(len(b)), verify.EvidenceOptions{Keys: logKeys(t)})
	if err != nil || r.Logs[0].Gone != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestEvidenceRefuses(t *testing.T) {
	for name, change := range map[string]func(*export.Pack){
		"an entry after the checkpoint": func(p *export.Pack) { p.Picked[0].Index = 300 },
		"an entry of no log":            func(p *export.Pack) { p.Picked[0].Log = "calls/2025" },
		"a log twice":                   func(p *export.Pack) { p.Sources[0] = p.Sources[1] },
		"a path as attachment":          func(p *export.Pack) { p.Extra[0].Name = "../x" },
		"an attachment twice":           func(p *export.Pack) { p.Extra = append(p.Extra, p.Extra[0]) },
	} {
		p := pack()
		change(&p)
		if err := export.Evidence(t.Context(), &bytes.Buffer{}, p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

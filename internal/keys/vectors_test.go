package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/seal.json anew")

// vector is one case of testdata/seal.json; docs/formats/seal.md describes it.
type vector struct {
	Name     string   `json:"name"`
	KeyID    string   `json:"key_id"`           // hex, 16 bytes
	Key      string   `json:"key"`              // hex, 32 bytes
	Identity Identity `json:"identity"`         // what the reader supplies
	Record   string   `json:"record,omitempty"` // hex
	Plain    string   `json:"plain"`            // hex; of no meaning when it does not open
	Opens    bool     `json:"opens"`
}

var vectorsFile = filepath.Join("testdata", "seal.json")

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v vector) dek(t testing.TB) *dek {
	d := &dek{}
	copy(d.id[:], unhex(t, v.KeyID))
	copy(d.key[:], unhex(t, v.Key))
	return d
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// TestSealVectors opens the published records and refuses the published
// forgeries.
func TestSealVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vectors := readVectors(t)
	opened, refused := 0, 0
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			plain, err := v.dek(t).open(v.Identity, unhex(t, v.Record))
			if !v.Opens {
				refused++
				if !errors.Is(err, ErrSeal) || plain != nil {
					t.Errorf("opens to %q (%v)", plain, err)
				}
				return
			}
			opened++
			if err != nil || !bytes.Equal(plain, unhex(t, v.Plain)) {
				t.Errorf("got %x (%v), want %s", plain, err, v.Plain)
			}
		})
	}
	if opened < 3 || refused < 10 {
		t.Errorf("%d vectors open and %d are refused: too few", opened, refused)
	}
}

// TestSealVectorEachByte flips each bit pattern of the first vector's bytes:
// none of them may open.
func TestSealVectorEachByte(t *testing.T) {
	v := readVectors(t)[0]
	record, d := unhex(t, v.Record), v.dek(t)
	if _, err := d.open(v.Identity, record); err != nil {
		t.Fatalf("the untouched record does not open: %v", err)
	}
	for at := range record {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(record)
			bad[at] ^= flip
			if _, err := d.open(v.Identity, bad); !errors.Is(err, ErrSeal) {
				t.Errorf("byte %d flipped by %#x: %v", at, flip, err)
			}
		}
	}
	for cut := range record {
		if _, err := d.open(v.Identity, record[:cut]); !errors.Is(err, ErrSeal) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
}

// fixed returns a key whose bytes count up from seed.
func fixed(seed byte) *dek {
	d := &dek{}
	for i := range d.id {
		d.id[i] = seed + byte(i)
	}
	for i := range d.key {
		d.key[i] = seed ^ byte(3*i+1)
	}
	return d
}

func writeVectors(t *testing.T) {
	id := Identity{Tenant: "default", Kind: "server-secret", Record: "files", Column: "Authorization", Version: "1"}
	d := fixed(0x10)
	var out []vector
	add := func(name string, d *dek, id Identity, plain, record []byte, opens bool) {
		out = append(out, vector{Name: name, KeyID: hex.EncodeToString(d.id[:]), Key: hex.EncodeToString(d.key[:]), Identity: id,
			Plain: hex.EncodeToString(plain), Record: hex.EncodeToString(record), Opens: opens})
	}
	seal := func(d *dek, id Identity, plain []byte) []byte {
		record, err := d.seal(id, plain)
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	plain := []byte("Bearer not-a-real-token")
	record := seal(d, id, plain)
	add("valid", d, id, plain, record, true)
	add("valid, empty value", d, id, nil, seal(d, id, nil), true)
	blank := Identity{}
	add("valid, empty identity", d, blank, plain, seal(d, blank, plain), true)

	for _, c := range []struct {
		name  string
		wrong Identity
	}{
		{"other tenant", Identity{"other", id.Kind, id.Record, id.Column, id.Version}},
		{"other kind", Identity{id.Tenant, "config", id.Record, id.Column, id.Version}},
		{"other record", Identity{id.Tenant, id.Kind, "mail", id.Column, id.Version}},
		{"other column", Identity{id.Tenant, id.Kind, id.Record, "Cookie", id.Version}},
		{"other version", Identity{id.Tenant, id.Kind, id.Record, id.Column, "2"}},
		{"shifted parts", Identity{id.Tenant, id.Kind, id.Record + id.Column, "", id.Version}},
		{"order swapped", Identity{id.Kind, id.Tenant, id.Record, id.Column, id.Version}},
	} {
		add(c.name, d, c.wrong, plain, record, false)
	}
	second := fixed(0x90)
	add("other key, its own id", second, id, plain, record, false)
	second.id = d.id
	add("other key under the same id", second, id, plain, record, false)
	add("second key with the first key's commitment", second, id, plain, graft(t, second, id, record), false)
	version := bytes.Clone(record)
	version[3] = 2
	add("version 2", d, id, plain, version, false)
	add("one byte short", d, id, plain, record[:len(record)-1], false)
	add("one byte long", d, id, plain, append(bytes.Clone(record), 0), false)
	add("header alone", d, id, nil, record[:bodyAt], false)
	add("nothing", d, id, nil, nil, false)

	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// graft makes a record that has the first key's salt and commitment and a body
// that is valid under the second key: what plain GCM would open twice.
func graft(t *testing.T, second *dek, id Identity, record []byte) []byte {
	t.Helper()
	tuple, err := id.tuple()
	if err != nil {
		t.Fatal(err)
	}
	with, err := second.derive(record[saltAt:commitAt], tuple)
	if err != nil {
		t.Fatal(err)
	}
	return with.aead.Seal(bytes.Clone(record[:bodyAt]), nil, []byte("from the second key"), tuple)
}

// TestSealMebibyte seals and opens 1 MiB, and refuses it with one byte changed
// at its end.
func TestSealMebibyte(t *testing.T) {
	d, id := fixed(0x33), Identity{Record: "big"}
	plain := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	record, err := d.seal(id, plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(record) != len(plain)+Overhead || Overhead != 88 {
		t.Errorf("overhead is %d (constant %d), want 88", len(record)-len(plain), Overhead)
	}
	got, err := d.open(id, record)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(plain) {
		t.Errorf("does not come back: %v", err)
	}
	record[len(record)-1] ^= 1
	if _, err := d.open(id, record); !errors.Is(err, ErrSeal) {
		t.Errorf("changed at its end: %v", err)
	}
}

package auditlog

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write the vectors anew")

// vectors is testdata/log.json: everything that docs/formats/log.md says of the
// entries of one batch, from the salt to the checkpoint's text.
type vectors struct {
	Origin  string        `json:"origin"`
	Log     string        `json:"log"`
	First   uint64        `json:"first"`
	Salt    string        `json:"salt_hex"`
	Entries []vectorEntry `json:"entries"`
	Plain   string        `json:"parts_plain_hex"`
	Leaves  string        `json:"leaves_hex"`
	Hashes  []string      `json:"stored_hashes_hex"`
	Start   uint64        `json:"hash_start"`
	Text    string        `json:"checkpoint_text"`
}

type vectorEntry struct {
	Kind     Kind   `json:"kind"`
	Time     int64  `json:"time_ms"`
	Exchange string `json:"exchange,omitempty"`
	Decision string `json:"decision,omitempty"`
	Server   string `json:"server,omitempty"`
	Policy   uint64 `json:"policy,omitempty"`
	Part     string `json:"part"`

	Key    string `json:"key_hex"`
	Commit string `json:"commitment_base64url"`
	Leaf   string `json:"leaf"`
	Hash   string `json:"leaf_hash_hex"`
}

// made fills in what follows from the inputs.
func (v vectors) made(t *testing.T) vectors {
	t.Helper()
	salt, err := hex.DecodeString(v.Salt)
	if err != nil || len(salt) != saltSize {
		t.Fatal("salt", err)
	}
	tree := &edge{}
	var before, hashes, leaves []byte
	for range v.First { // what stands before is not the vectors' matter
		if before, err = tree.add(tlog.RecordHash(nil), before); err != nil {
			t.Fatal(err)
		}
	}
	c := newCommitter(salt)
	plain, sums := bytes.Clone(salt), []byte(nil)
	entries := make([]vectorEntry, len(v.Entries))
	for i, e := range v.Entries {
		key := c.key(v.First + uint64(i))
		leaf := Leaf{e.Decision, Commitment(key, []byte(e.Part)), e.Kind, Name(v.Log), e.Policy, e.Server, time.UnixMilli(e.Time), e.Exchange}
		raw := leaf.Append(nil)
		hash := tlog.RecordHash(raw)
		leaves, plain = appendBytes(leaves, raw), appendBytes(plain, []byte(e.Part))
		sums = append(sums, hash[:]...)
		if hashes, err = tree.add(hash, hashes); err != nil {
			t.Fatal(err)
		}
		e.Key, e.Commit = hex.EncodeToString(key[:]), base64.RawURLEncoding.EncodeToString(leaf.Commit[:])
		e.Leaf, e.Hash = string(raw), hex.EncodeToString(hash[:])
		entries[i] = e
	}
	v.Entries, v.Hashes = entries, nil
	for at := 0; at < len(hashes); at += HashSize {
		v.Hashes = append(v.Hashes, hex.EncodeToString(hashes[at:at+HashSize]))
	}
	root, err := tree.root()
	if err != nil {
		t.Fatal(err)
	}
	v.Plain, v.Leaves = hex.EncodeToString(append(plain, sums...)), hex.EncodeToString(leaves)
	v.Start = uint64(tlog.StoredHashCount(int64(v.First)))
	v.Text = Tree{v.Origin, tree.size, root}.text()
	return v
}

// TestVectors compares with the published vectors: who changes a byte of the
// format changes them, and sees it.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "log.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v.made(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(out.Bytes(), raw) {
		t.Errorf("the vectors are\n%s", out.Bytes())
	}
	if len(v.Entries) < 3 {
		t.Error("there are too few")
	}
}

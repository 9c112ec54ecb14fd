package keys

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func genIdentity(t *rapid.T, label string) Identity {
	part := rapid.StringN(0, 12, 24)
	return Identity{part.Draw(t, label), part.Draw(t, label), part.Draw(t, label), part.Draw(t, label), part.Draw(t, label)}
}

// TestSealProperty: what is sealed opens for its own identity and for no other.
func TestSealProperty(t *testing.T) {
	d := newDEK()
	rapid.Check(t, func(t *rapid.T) {
		id, other := genIdentity(t, "id"), genIdentity(t, "other")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plain")
		record, err := d.seal(id, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.open(id, record)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %x (%v), want %x", got, err, plain)
		}
		if other != id {
			if _, err := d.open(other, record); !errors.Is(err, ErrSeal) {
				t.Fatalf("opens for %q: %v", other, err)
			}
		}
	})
}

func TestSealTwiceDiffers(t *testing.T) {
	d := newDEK()
	one, err1 := d.seal(Identity{}, []byte("x"))
	two, err2 := d.seal(Identity{}, []byte("x"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one[saltAt:], two[saltAt:]) || bytes.Equal(one[bodyAt:], two[bodyAt:]) {
		t.Error("two records of one value look alike")
	}
}

// TestSealTwoKeys: a body that is valid under a second key does not open there
// with the first key's commitment.
func TestSealTwoKeys(t *testing.T) {
	first, second := newDEK(), newDEK()
	second.id = first.id
	record, err := first.seal(Identity{}, []byte("from the first key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.open(Identity{}, graft(t, second, Identity{}, record)); !errors.Is(err, ErrSeal) {
		t.Errorf("opens under the second key: %v", err)
	}
}

func TestSealLimits(t *testing.T) {
	d := newDEK()
	if _, err := d.seal(Identity{}, make([]byte, MaxPlain+1)); err == nil {
		t.Error("a value over the limit is sealed")
	}
	long := Identity{Column: strings.Repeat("x", 65536)}
	if _, err := d.seal(long, nil); err == nil {
		t.Error("an identity over the limit is sealed")
	}
	if _, err := d.open(long, make([]byte, Overhead)); !errors.Is(err, ErrSeal) {
		t.Errorf("an identity over the limit: %v", err)
	}
	if _, err := d.open(Identity{}, make([]byte, MaxPlain+Overhead+1)); !errors.Is(err, ErrSeal) {
		t.Errorf("a record over the limit: %v", err)
	}
}

// TestRingPurposes: a value opens under the purpose that sealed it alone.
func TestRingPurposes(t *testing.T) {
	r := newTestRing(t)
	for _, p := range purposes() {
		record, err := r.Seal(p, Identity{Record: "r"}, []byte("v"))
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range purposes() {
			plain, err := r.Open(q, Identity{Record: "r"}, record)
			if p == q && (err != nil || string(plain) != "v") {
				t.Errorf("%s does not open its own: %v", q, err)
			}
			if p != q && !errors.Is(err, ErrSeal) {
				t.Errorf("%s opens what %s sealed (%v)", q, p, err)
			}
		}
	}
	if _, err := r.Seal("no such", Identity{}, nil); err == nil {
		t.Error("an unknown purpose seals")
	}
	if _, err := r.Open("no such", Identity{}, make([]byte, Overhead)); !errors.Is(err, ErrSeal) {
		t.Errorf("an unknown purpose: %v", err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	r := newTestRing(t)
	d := r.state.Load().current(Audit)
	for _, text := range []string{fmt.Sprint(r, d), fmt.Sprintf("%v %+v %#v %s", r, r, r, r), fmt.Sprintf("%v %+v %#v %s", d, d, d, d)} {
		if strings.Contains(text, fmt.Sprint(d.key[:4])[1:8]) || len(text) > 60 {
			t.Errorf("prints %q", text)
		}
	}
}

// FuzzSealOpen: of all byte strings only the one that was sealed opens.
func FuzzSealOpen(f *testing.F) {
	v := readVectors(f)[0]
	d, id, record := v.dek(f), v.Identity, unhex(f, v.Record)
	if _, err := d.open(id, record); err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Add([]byte(magic))
	f.Add(record[:Overhead])
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, err := d.open(id, data)
		if err != nil {
			if !errors.Is(err, ErrSeal) || plain != nil {
				t.Errorf("%v with %q", err, plain)
			}
			return
		}
		if !bytes.Equal(data, record) {
			t.Errorf("a forged record opens: %x", data)
		}
	})
}

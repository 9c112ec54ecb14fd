package keys

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// oneKey is a purpose with one key.
type oneKey struct{ *dek }

func (k oneKey) of(record []byte) *dek {
	if k.sealed(record) {
		return k.dek
	}
	return nil
}

func testHandles() *Handles { return newHandles(oneKey{fixed(0x20)}) }

func TestHandleOpens(t *testing.T) {
	h := testHandles()
	for _, payload := range [][]byte{nil, []byte("p"), bytes.Repeat([]byte{0}, MaxHandlePayload)} {
		handle := h.Seal("cursor", "robot", "GET /mcp", payload, epoch.Add(time.Hour))
		if strings.Trim(handle, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || handle == "" {
			t.Fatalf("not base64url: %.40q", handle)
		}
		for range 3 { // the second time with a kept derivation
			got, err := h.Open("cursor", "robot", "GET /mcp", handle, epoch)
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%d bytes: %v", len(payload), err)
			}
		}
	}
}

// TestS02ForeignHandles: a handle that a client made up, changed, borrowed or
// kept too long is unknown, whichever of these it is.
func TestS02ForeignHandles(t *testing.T) {
	h := testHandles()
	expires := epoch.Add(time.Hour)
	handle := h.Seal("legacy-session", "robot", "files", []byte("state"), expires)
	open := func(purpose, principal, binding, handle string, now time.Time) {
		t.Helper()
		payload, err := h.Open(purpose, principal, binding, handle, now)
		if err != ErrHandle || payload != nil { //nolint:errorlint // must be the very same error
			t.Errorf("%.60q opens to %q (%v)", handle, payload, err)
		}
	}
	for warm := range 2 {
		if warm == 1 {
			if _, err := h.Open("legacy-session", "robot", "files", handle, epoch); err != nil {
				t.Fatal(err)
			}
		}
		open("cursor", "robot", "files", handle, epoch)
		open("legacy-session", "other", "files", handle, epoch)
		open("legacy-session", "robot", "mail", handle, epoch)
		open("legacy-sessionrobot", "", "files", handle, epoch)
		open("legacy-session", "robot", "files", handle, expires)
		open("legacy-session", "robot", "files", handle, expires.Add(time.Hour))
		for _, bad := range []string{"", "x", "chosen-by-the-client", handle[:len(handle)-1], handle + "A", handle + "=",
			handle + "\n", "\r" + handle, " " + handle, strings.ToLower(handle), strings.Repeat("A", maxHandle+8),
			handle[:50] + "\n" + handle[50:]} {
			open("legacy-session", "robot", "files", bad, epoch)
		}
		for at := range handle {
			bad := []byte(handle)
			bad[at] ^= 1
			open("legacy-session", "robot", "files", string(bad), epoch)
		}
		other := newHandles(oneKey{fixed(0x77)}).Seal("legacy-session", "robot", "files", []byte("state"), expires)
		open("legacy-session", "robot", "files", other, epoch)
	}
}

// TestHandleOneSpelling: unused bits of the last character must be zero.
func TestHandleOneSpelling(t *testing.T) {
	h := testHandles()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for size := range 3 {
		handle := h.Seal("p", "a", "b", make([]byte, size), epoch.Add(time.Hour))
		accepted := 0
		for i := range alphabet {
			if _, err := h.Open("p", "a", "b", handle[:len(handle)-1]+alphabet[i:i+1], epoch); err == nil {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("payload of %d bytes: %d spellings open", size, accepted)
		}
	}
}

func TestHandleTooLarge(t *testing.T) {
	if got := testHandles().Seal("p", "a", "b", make([]byte, MaxHandlePayload+1), epoch); got != "" {
		t.Errorf("a handle of %d characters", len(got))
	}
	if got := testHandles().Seal(strings.Repeat("x", 70000), "a", "b", nil, epoch); got != "" {
		t.Errorf("an identity over the limit gives a handle of %d characters", len(got))
	}
	if _, err := testHandles().Open(strings.Repeat("x", 70000), "a", "b", "", epoch); !errors.Is(err, ErrHandle) {
		t.Errorf("error is %v", err)
	}
}

// TestHandleCacheIsBounded: forged handles are not kept, and genuine ones at
// most two generations of.
func TestHandleCacheIsBounded(t *testing.T) {
	h := testHandles()
	handle := h.Seal("p", "a", "b", nil, epoch.Add(time.Hour))
	bad := []byte(handle)
	bad[40] ^= 1
	if _, err := h.Open("p", "a", "b", string(bad), epoch); !errors.Is(err, ErrHandle) || len(h.young) != 0 {
		t.Errorf("a forged handle is kept (%v)", err)
	}
	for i := range 2*cacheSize + 10 {
		h.keep(derivation{salt: [saltSize]byte{byte(i), byte(i >> 8)}}, &derived{})
	}
	if len(h.young) > cacheSize || len(h.old) > cacheSize {
		t.Errorf("%d and %d derivations are kept", len(h.young), len(h.old))
	}
	if _, err := h.Open("p", "a", "b", handle, epoch); err != nil {
		t.Errorf("after eviction: %v", err)
	}
}

// oldHandle was made by testHandles once; sealing anew would give the fuzzer's
// processes different handles.
const oldHandle = "T1NUASAhIiMkJSYnKCkqKywtLi-zHA95yHqYjG2__wOO54leYBhVIiXJfL1dHZXfYwxbxuQPcWDn" +
	"xZ1LRGDWkjNmg_YamLg12cYbuoGOnVvnLMfzewBL6cg5D6nCrul7Nw"

// FuzzHandleOpen: of all texts only the one that was made opens.
func FuzzHandleOpen(f *testing.F) {
	h, handle := testHandles(), oldHandle
	if payload, err := h.Open("p", "a", "b", handle, epoch); err != nil || string(payload) != "v" {
		f.Fatalf("%q, %v", payload, err)
	}
	f.Add(handle)
	f.Add(handle + "\n")
	f.Add("T1NUAQ")
	f.Fuzz(func(t *testing.T, text string) {
		payload, err := h.Open("p", "a", "b", text, epoch)
		if (err == nil) != (text == handle) {
			t.Errorf("%q opens to %q (%v)", text, payload, err)
		}
	})
}

func BenchmarkHandleOpen(b *testing.B) {
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			h := testHandles()
			handle := h.Seal("legacy-session", "robot", "files", make([]byte, size), epoch.Add(time.Hour))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Open("legacy-session", "robot", "files", handle, epoch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("first time", func(b *testing.B) {
		handle := testHandles().Seal("legacy-session", "robot", "files", make([]byte, 64), epoch.Add(time.Hour))
		for b.Loop() {
			if _, err := testHandles().Open("legacy-session", "robot", "files", handle, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHashToken(b *testing.B) {
	r := newTestRing(b)
	token, _, _ := r.NewToken()
	b.ReportAllocs()
	for b.Loop() {
		r.HashToken(token)
	}
}

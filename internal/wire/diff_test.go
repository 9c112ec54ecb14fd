package wire_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"ostiary.dev/ostiary/internal/wire"
)

var (
	diffCount = flag.Int("wire.diff", 20_000, "mutated messages of the differential test; a soak takes 1,000,000")
	diffSeed  = flag.Uint64("wire.seed", 1, "seed of the differential test")
)

// TestDifferential holds that whatever we accept, all read alike: encoding/json,
// the Go SDK, Python and Node see the same structure, names, strings and
// number literals. A difference is a way to show policy one message and the
// server another (group J).
func TestDifferential(t *testing.T) {
	count := *diffCount
	if testing.Short() {
		count = min(count, 2_000)
	}
	readers := []*reader{start(t, "python3", "testdata/reader.py"), start(t, "node", "testdata/reader.mjs")}
	const batch = 500
	accepted := 0
	for first := 0; first < count; first += batch {
		var messages []*wire.Message
		for i := first; i < min(first+batch, count); i++ {
			g := mutator{rand.New(rand.NewPCG(*diffSeed, uint64(i)))}
			m, err := wire.Parse(g.message(), wire.DefaultLimits(), []wire.Side{wire.FromClient, wire.FromServer}[i%2])
			if err == nil {
				messages = append(messages, m)
			}
		}
		accepted += len(messages)
		for _, m := range messages {
			compareGo(t, m)
			compareSDK(t, m)
		}
		for _, r := range readers {
			r.compare(t, messages)
		}
		if t.Failed() {
			return
		}
	}
	if accepted < count/5 {
		t.Errorf("only %d of %d messages were accepted: the generator compares too little", accepted, count)
	}
	t.Logf("%d of %d messages were accepted and compared", accepted, count)
}

// number writes a number literal into a dump.
type number func(literal string) string

func byText(literal string) string { return literal }

// byFloat is for runtimes that keep no text: the bits of the nearest float64.
// strconv counts only the first 800 digits of an integer before its exponent
// (1500 digits and e-1158 give 0 instead of infinity), so longer literals go
// through big.Float.
func byFloat(literal string) string {
	f, err := strconv.ParseFloat(literal, 64)
	if len(literal) > 700 {
		var exact *big.Float
		if exact, _, err = big.ParseFloat(literal, 10, 1<<15, big.ToNearestEven); err == nil {
			f, _ = exact.Float64()
		}
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return "bad"
	}
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

// dumpString appends a string with its length in bytes.
func dumpString(dst []byte, s string) []byte { return fmt.Appendf(dst, "s%d:%s", len(s), s) }

// dump appends the canonical dump of a value as this room reads it.
func dump(dst []byte, v wire.Value, num number) []byte {
	switch v.Kind() {
	case wire.Object:
		type member struct {
			key   string
			value wire.Value
		}
		var members []member
		for k, value := range v.Members() {
			members = append(members, member{k.Key, value})
		}
		slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
		dst = append(dst, '{')
		for _, m := range members {
			dst = dump(dumpString(dst, m.key), m.value, num)
		}
		return append(dst, '}')
	case wire.Array:
		dst = append(dst, '[')
		for e := range v.Elements() {
			dst = dump(dst, e, num)
		}
		return append(dst, ']')
	case wire.String:
		s, _ := v.Text()
		return dumpString(dst, s)
	case wire.Number:
		return append(append(append(dst, 'n'), num(string(v.Raw()))...), ';')
	}
	return append(dst, map[wire.ValueKind]byte{wire.True: 't', wire.False: 'f', wire.Null: 'z'}[v.Kind()])
}

// dumpAny appends the dump of what encoding/json decoded with UseNumber.
func dumpAny(dst []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		dst = append(dst, '{')
		for _, k := range keys {
			dst = dumpAny(dumpString(dst, k), v[k])
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for _, e := range v {
			dst = dumpAny(dst, e)
		}
		return append(dst, ']')
	case string:
		return dumpString(dst, v)
	case json.Number:
		return append(append(append(dst, 'n'), v...), ';')
	case bool:
		return append(dst, map[bool]byte{true: 't', false: 'f'}[v])
	}
	return append(dst, 'z')
}

// compareGo compares with encoding/json.
func compareGo(t *testing.T, m *wire.Message) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(m.Raw()))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Errorf("encoding/json refuses %q: %v", m.Raw(), err)
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("encoding/json sees more than one value in %q", m.Raw())
	}
	if got, want := dumpAny(nil, v), dump(nil, m.Root(), byText); !bytes.Equal(got, want) {
		t.Errorf("encoding/json reads %q as\n%s, not\n%s", m.Raw(), got, want)
	}
}

// compareSDK compares what the Go SDK keeps: method, params and result. Ids go
// through float64 there, and an error without an id is refused.
func compareSDK(t *testing.T, m *wire.Message) {
	t.Helper()
	got, err := jsonrpc.DecodeMessage(m.Raw())
	if m.Kind() == wire.ErrorResponse && (m.ID().IsZero() || m.ID() == wire.NullID) {
		return
	}
	if err != nil {
		t.Errorf("the Go SDK refuses %q: %v", m.Raw(), err)
		return
	}
	switch got := got.(type) {
	case *jsonrpc.Request:
		if got.Method != m.Method() || !bytes.Equal(got.Params, m.Params().Raw()) || got.IsCall() != (m.Kind() == wire.Request) {
			t.Errorf("the Go SDK reads %q as %s with %s", m.Raw(), got.Method, got.Params)
		}
	case *jsonrpc.Response:
		if !bytes.Equal(got.Result, m.Result().Raw()) || (got.Error != nil) != (m.Kind() == wire.ErrorResponse) {
			t.Errorf("the Go SDK reads %q as %s, %v", m.Raw(), got.Result, got.Error)
		}
	}
}

// reader is a JSON parser of another language in a process of its own.
type reader struct {
	name string
	in   io.WriteCloser
	out  *bufio.Reader
	num  number
}

// start starts a reader. Where its runtime is missing the test is skipped, but
// not in CI, where nobody would see that.
func start(t *testing.T, runtime, script string) *reader {
	t.Helper()
	path, err := exec.LookPath(runtime)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: the differential test needs it", runtime)
		}
		t.Skipf("SKIPPED: %s is missing, so no other parser checks what we accept", runtime)
	}
	cmd := exec.Command(path, script) // ends when its input does
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Errorf("close %s: %v", runtime, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", runtime, err)
		}
	})
	r := &reader{name: runtime, in: in, out: bufio.NewReaderSize(out, 1<<20), num: byText}
	mode, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s does not start: %v", runtime, err)
	}
	if mode == "float\n" {
		r.num = byFloat
	}
	return r
}

// compare sends the messages and compares the dumps that come back.
func (r *reader) compare(t *testing.T, messages []*wire.Message) {
	t.Helper()
	var lines []byte
	for _, m := range messages {
		lines = append(base64.StdEncoding.AppendEncode(lines, m.Raw()), '\n')
	}
	written := make(chan error, 1)
	go func() {
		_, err := r.in.Write(lines)
		written <- err
	}()
	for _, m := range messages {
		line, err := r.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%s ended: %v", r.name, err)
		}
		got, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Errorf("%s refuses %q: %s", r.name, m.Raw(), line)
			continue
		}
		if want := dump(nil, m.Root(), r.num); !bytes.Equal(got, want) {
			t.Errorf("%s reads %q as\n%s, not\n%s", r.name, m.Raw(), got, want)
		}
	}
	if err := <-written; err != nil {
		t.Fatalf("write to %s: %v", r.name, err)
	}
}

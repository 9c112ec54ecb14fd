package hostile

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// accepted are calls of echo that must arrive as they were written, and read
// the same everywhere.
var accepted = map[string]string{
	"J06 escaped member":     `{"jsonrpc":"2.0","id":"x","\u006dethod":"tools\/c\u0061ll","params":{"n\u0061me":"\u0065cho","arguments":{"text":"\u0061"}%M%}}`,
	"J06 variants are data":  tool(`{"name":"a","Name":"b","NAME":"c","method":"d"}`),
	"J11 exponent":           tool(`{"a":1e400,"b":1E-400,"c":-1e+5}`),
	"J11 zeros":              tool(`{"a":-0,"b":0,"c":-0.0,"d":1.0,"e":1,"f":0.10}`),
	"J11 4,000 digits":       tool(`{"a":` + strings.Repeat("7", 4_000) + `}`),
	"J11 beyond a float64":   tool(`{"a":9007199254740993,"b":12345678901234567890}`),
	"J11 id beyond":          `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"echo"%M%}}`,
	"J11 string id":          `{"jsonrpc":"2.0","id":"9007199254740993","method":"tools/call","params":{"name":"echo"%M%}}`,
	"J19 dangerous names":    tool(`{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"$ref":"file:///etc/passwd","$schema":"http://127.0.0.1:1/"}`),
	"order and space":        tool("{ \"z\" : 1 ,\r\n\t\"a\":[ ] ,\"m\":{ } }"),
	"escapes":                tool(`{"text":"\ud83d\ude00\u0000\u2028\/\b\f\n\r\t\\\"é"}`),
	"unknown members":        `{"x":[null],"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","other":{"a":1},"_meta":{"example.com/a":1e400,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
	"the deepest that fits":  tool(strings.Repeat(`{"k":`, 61) + `1` + strings.Repeat("}", 61)),
	"many keys that collide": tool(colliding()),
}

// colliding is an object of 4,096 names with one hash under the common
// multiply-by-31 function.
func colliding() string {
	var b strings.Builder
	for i := range 4_096 {
		fmt.Fprintf(&b, `"`)
		for bit := range 12 {
			b.WriteString([]string{"Aa", "BB"}[i>>bit&1])
		}
		b.WriteString(`":0,`)
	}
	return "{" + b.String() + `"z":0}`
}

// TestJ11BytesArriveUnchanged holds for J06, J11 and J19 that the server gets
// the very bytes that were inspected, that Go, Python and Node read them alike,
// and that the record names the method and tool that they read.
func TestJ11BytesArriveUnchanged(t *testing.T) {
	readers := []*reader{startReader(t, "python3", "reader.py"), startReader(t, "node", "reader.mjs")}
	for _, version := range versions {
		w := jsonWorld(t)
		c := w.client(t, version)
		for name, body := range accepted {
			if name == "unknown members" && version != doortest.ModernVersion {
				body = strings.Replace(body, `,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`, "", 1)
			}
			body, what := inVersion(version, body), version+"/"+name
			got := c.Post(body)
			if got.Status != 200 || got.Message().Result == nil {
				t.Errorf("%s: %d %s", what, got.Status, got.Body)
				w.mark()
				continue
			}
			sent := doortest.Envelope([]byte(body))
			if string(got.Message().ID) != string(sent.ID) {
				t.Errorf("%s: answered to %s, asked with %s", what, got.Message().ID, sent.ID)
			}
			calls := w.up.Calls("tools/call")
			if len(calls) != 1 || string(calls[0].Body) != body {
				t.Errorf("%s: the server got %d calls: %.500q", what, len(calls), w.up.Received())
				w.mark()
				continue
			}
			for _, r := range readers {
				r.compare(t, what, calls[0].Body)
			}
			var params struct{ Name string }
			if err := json.Unmarshal(sent.Params, &params); err != nil {
				t.Fatal(err)
			}
			if r := w.served(t, what); r.Method != sent.Method || r.Name != params.Name || r.Version != version {
				t.Errorf("%s: recorded as %s", what, r.Line)
			}
		}
	}
}

// reader is a JSON parser of another language, in a process of its own.
type reader struct {
	name  string
	in    io.Writer
	out   *bufio.Reader
	float bool // it keeps no text of numbers: they compare by value
}

// startReader starts one of the readers that wire's differential test uses.
func startReader(t *testing.T, runtime, script string) *reader {
	t.Helper()
	path, err := exec.LookPath(runtime)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: this test needs it", runtime)
		}
		t.Skipf("SKIPPED: %s is missing, so no other parser checks what we accept", runtime)
	}
	cmd := exec.Command(path, filepath.Join(doortest.Root(), "internal", "wire", "testdata", script)) // ends when its input does
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
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("end %s: %v", runtime, err)
		}
	})
	r := &reader{name: runtime, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	mode, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s does not start: %v", runtime, err)
	}
	r.float = mode == "float\n"
	return r
}

// compare checks that the reader reads body as Go's parser does.
func (r *reader) compare(t *testing.T, what string, body []byte) {
	t.Helper()
	if _, err := io.WriteString(r.in, base64.StdEncoding.EncodeToString(body)+"\n"); err != nil {
		t.Fatalf("write to %s: %v", r.name, err)
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("read from %s: %v", r.name, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		t.Errorf("%s: Go refuses what the server got: %v", what, err)
		return
	}
	if want := base64.StdEncoding.EncodeToString(r.dump(nil, value)) + "\n"; line != want {
		t.Errorf("%s: %s reads it as %.300s, Go as %.300s", what, r.name, line, want)
	}
}

// dump is the canonical form in which the readers answer.
func (r *reader) dump(dst []byte, value any) []byte {
	text := func(s string) { dst = fmt.Appendf(dst, "s%d:%s", len(s), s) }
	switch v := value.(type) {
	case map[string]any:
		dst = append(dst, '{')
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			text(k)
			dst = r.dump(dst, v[k])
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for _, e := range v {
			dst = r.dump(dst, e)
		}
		return append(dst, ']')
	case string:
		text(v)
		return dst
	case json.Number:
		return append(append(append(dst, 'n'), r.number(v.String())...), ';')
	case bool:
		if v {
			return append(dst, 't')
		}
		return append(dst, 'f')
	}
	return append(dst, 'z')
}

// number is a literal as the reader knows it: its text, or the bits of the
// nearest float64.
func (r *reader) number(literal string) string {
	if !r.float {
		return literal
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return "bad"
	}
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

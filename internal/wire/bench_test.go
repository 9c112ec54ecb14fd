package wire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// call returns a tools/call of about size bytes, most of it one string.
func call(size int) []byte {
	const head = `{"jsonrpc":"2.0","id":12345,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{}},"name":"get_weather","arguments":{"city":"Berlin","days":3,"text":"`
	const tail = `"}}}`
	return []byte(head + strings.Repeat("The quick brown fox. ", size/21+1)[:max(0, size-len(head)-len(tail))] + tail)
}

// structured returns a tools/list answer of about size bytes, all of it tokens.
func structured(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"tools":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","description":"Does a thing","inputSchema":{"type":"object","properties":`+
			`{"a":{"type":"string"},"b":{"type":"integer","minimum":0}},"required":["a","b"]}}`, i)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func benchmark(b *testing.B, raw []byte, from wire.Side) {
	lim := wire.DefaultLimits()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Parse(raw, lim, from); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse300(b *testing.B)        { benchmark(b, call(300), wire.FromClient) }
func BenchmarkParse4K(b *testing.B)         { benchmark(b, call(4<<10), wire.FromClient) }
func BenchmarkParse64K(b *testing.B)        { benchmark(b, call(64<<10), wire.FromClient) }
func BenchmarkParse1M(b *testing.B)         { benchmark(b, call(1<<20), wire.FromClient) }
func BenchmarkParseStructured(b *testing.B) { benchmark(b, structured(64<<10), wire.FromServer) }
func BenchmarkParseNonASCII64K(b *testing.B) {
	raw := bytes.Replace(call(64<<10), []byte("fox"), []byte("f\xc3\xb6x"), -1)
	benchmark(b, raw, wire.FromClient)
}

func BenchmarkRewrite300(b *testing.B) {
	m, err := wire.Parse(call(300), wire.DefaultLimits(), wire.FromClient)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.WithID(wire.IntID(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvents64K(b *testing.B) {
	stream := wire.AppendEvent(nil, wire.Event{Name: "message", Data: call(64 << 10)})
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.NewEvents(bytes.NewReader(stream), 1<<20).Next(); err != nil {
			b.Fatal(err)
		}
	}
}

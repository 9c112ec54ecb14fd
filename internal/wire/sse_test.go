package wire_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// readAll returns the events of a stream and the error that ended it.
func readAll(r io.Reader, max int) (all []wire.Event, err error) {
	events := wire.NewEvents(r, max)
	for {
		e, err := events.Next()
		if err != nil {
			if _, again := events.Next(); !errors.Is(again, err) {
				return all, fmt.Errorf("after %w came %v", err, again)
			}
			return all, err
		}
		all = append(all, e)
	}
}

// data is an event with nothing but data.
func data(s string) wire.Event { return wire.Event{Data: []byte(s)} }

var framings = map[string]struct {
	stream string
	want   []wire.Event
	end    error
}{
	"U12 LF":                    {"data: {}\n\n", []wire.Event{data("{}")}, io.EOF},
	"U12 CR":                    {"data: {}\r\r", []wire.Event{data("{}")}, io.EOF},
	"U12 CRLF":                  {"data: {}\r\n\r\n", []wire.Event{data("{}")}, io.EOF},
	"U12 mixed ends":            {"event: message\rdata: {}\r\n\n", []wire.Event{{Name: "message", Data: []byte("{}")}}, io.EOF},
	"U12 LF then CR":            {"data: 1\n\rdata: 2\r\n\r", []wire.Event{data("1"), data("2")}, io.EOF},
	"U12 BOM":                   {"\xef\xbb\xbfdata: {}\n\n", []wire.Event{data("{}")}, io.EOF},
	"U12 second BOM is a field": {"\xef\xbb\xbf\xef\xbb\xbfdata: {}\n\n", []wire.Event{{Comment: true}}, io.EOF},
	"U12 half a BOM":            {"\xef\xbb", nil, wire.ErrTruncated},
	"U12 split payload":         {"data: {\ndata: \"a\":1\ndata:}\n\n", []wire.Event{data("{\n\"a\":1\n}")}, io.EOF},
	"U12 no space":              {"data:{}\n\n", []wire.Event{data("{}")}, io.EOF},
	"U12 two spaces":            {"data:  {}\n\n", []wire.Event{data(" {}")}, io.EOF},
	"U12 data without colon":    {"data\ndata: {}\ndata\n\n", []wire.Event{data("\n{}\n")}, io.EOF},
	"U12 no final blank line":   {"data: 1\n\ndata: 2\n", []wire.Event{data("1")}, wire.ErrTruncated},
	"U12 no final line end":     {"data: 1\n\ndata: 2", []wire.Event{data("1")}, wire.ErrTruncated},
	"U12 unfinished id":         {"id: 1\n", nil, wire.ErrTruncated},
	"U12 unfinished comment":    {"data: 1\n\n: gone", []wire.Event{data("1")}, io.EOF},
	"U12 comments":              {": hi\n\n:\ndata: 1\n: within\ndata: 2\n\n", []wire.Event{{Comment: true}, {Comment: true}, data("1\n2")}, io.EOF},
	"U12 unknown fields":        {"foo: bar\nDATA: x\ndata: 1\n\n", []wire.Event{data("1")}, io.EOF},
	"priming event":             {"id: 7\ndata:\n\n", []wire.Event{{ID: "7", HasID: true}}, io.EOF},
	"priming without data":      {"id: 7\n\n", []wire.Event{{ID: "7", HasID: true}}, io.EOF},
	"empty id":                  {"id\ndata: 1\n\n", []wire.Event{{HasID: true, Data: []byte("1")}}, io.EOF},
	"retry":                     {"retry: 500\n\n", []wire.Event{{Retry: "500"}}, io.EOF},
	"all fields":                {"event: message\nid: a\nretry: 1\ndata: x\n\n", []wire.Event{{Name: "message", ID: "a", HasID: true, Retry: "1", Data: []byte("x")}}, io.EOF},
	"last field wins":           {"id: a\nid: b\ndata: x\n\n", []wire.Event{{ID: "b", HasID: true, Data: []byte("x")}}, io.EOF},
	"endpoint":                  {"event: endpoint\ndata: /messages?s=1\n\n", []wire.Event{{Name: "endpoint", Data: []byte("/messages?s=1")}}, io.EOF},
	"fields do not carry over":  {"id: a\nevent: message\ndata: 1\n\ndata: 2\n\n", []wire.Event{{Name: "message", ID: "a", HasID: true, Data: []byte("1")}, data("2")}, io.EOF},
	"empty data":                {"data:\n\n", []wire.Event{{Comment: true}}, io.EOF},
	"blank lines":               {"\n\r\n", []wire.Event{{Comment: true}, {Comment: true}}, io.EOF},
	"empty stream":              {"", nil, io.EOF},
}

// TestU12Framings reads every framing whole, byte by byte and split at every
// byte: the events never depend on how the bytes arrive.
func TestU12Framings(t *testing.T) {
	for name, c := range framings {
		t.Run(name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"whole": strings.NewReader(c.stream), "bytes": iotest.OneByteReader(strings.NewReader(c.stream)),
				"error with data": iotest.DataErrReader(strings.NewReader(c.stream)),
			}
			for i := range c.stream {
				readers[fmt.Sprint("split at ", i)] = io.MultiReader(strings.NewReader(c.stream[:i]), strings.NewReader(c.stream[i:]))
			}
			for how, r := range readers {
				got, err := readAll(r, 1<<20)
				if !errors.Is(err, c.end) || !reflect.DeepEqual(got, c.want) {
					t.Errorf("%s: %+v, %v, want %+v, %v", how, got, err, c.want, c.end)
				}
			}
		})
	}
}

func TestU12Refused(t *testing.T) {
	for name, stream := range map[string]string{
		"U12 event name": "event: ping\ndata: {}\n\n", "U12 event case": "event: Message\ndata: {}\n\n",
		"id with NUL": "id: a\x00\ndata: {}\n\n", "id too long": "id: " + strings.Repeat("i", 4097) + "\n\n",
		"retry sign": "retry: +5\n\n", "retry letters": "retry: 5s\n\n", "retry empty": "retry\n\n", "retry huge": "retry: 12345678901\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readAll(strings.NewReader(stream), 1<<20); !fault.Is(err, fault.UpstreamBad) || got != nil {
				t.Fatalf("%+v, %v, want upstream_bad_answer", got, err)
			}
		})
	}
	// Two values in one event are data to the framing and no message.
	events, err := readAll(strings.NewReader("data: {\"jsonrpc\":\"2.0\"}\ndata: {}\n\n"), 1<<20)
	if !errors.Is(err, io.EOF) || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	if _, err := wire.Parse(events[0].Data, wire.DefaultLimits(), wire.FromServer); !fault.Is(err, fault.NotJSON) {
		t.Errorf("U12 two JSON values in one event: %v, want not_json", err)
	}
}

// endless yields one text for ever and counts what was taken.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[(e.n+i)%len(e.text)]
	}
	e.n += len(p)
	return len(p), nil
}

// TestU13Floods holds that no stream makes the reader hold more than one event
// of the limit, and that floods of little surface as events to be counted.
func TestU13Floods(t *testing.T) {
	const max = 64 << 10
	for name, text := range map[string]string{
		"U13 no newline ever": "data: aaaaaaaa", "U13 endless comment": ": ", "U13 endless data lines": "data: a\n",
		"U13 empty data lines": "data\n", "U13 unknown fields": "x: y\n", "U13 comments within": "data: a\n: b\n", "U13 CR only": "data\r", "U13 NUL": "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			r := &endless{text: text}
			got, err := readAll(r, max)
			if !fault.Is(err, fault.UpstreamTooLarge) || got != nil {
				t.Fatalf("%d events, %v, want result_too_large", len(got), err)
			}
			if r.n > 8*max {
				t.Errorf("%d bytes were read for a limit of %d", r.n, max)
			}
		})
	}
	for name, text := range map[string]string{"U13 tiny events": "data: 1\n\n", "U13 heartbeats": ":\n", "U13 blank lines": "\n", "U13 ids": "id: 1\r\r"} {
		t.Run(name, func(t *testing.T) {
			r := &endless{text: text}
			events := wire.NewEvents(r, max)
			for range 100_000 {
				if _, err := events.Next(); err != nil {
					t.Fatal(err)
				}
			}
			if r.n > 100_000*len(text)+(64<<10) {
				t.Errorf("%d bytes were read ahead", r.n)
			}
		})
	}
}

func TestEventLimitIsTheData(t *testing.T) {
	payload := strings.Repeat("a", 1000)
	if got, err := readAll(strings.NewReader("id: 1\ndata: "+payload+"\n\n"), 1000); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("an event of exactly the limit: %v", err)
	}
	if _, err := readAll(strings.NewReader("data: "+payload+"b\n\n"), 1000); !fault.Is(err, fault.UpstreamTooLarge) {
		t.Errorf("one byte over the limit: %v", err)
	}
}

func TestReaderErrorsPass(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("data: 1\n\ndata: 2\n"), iotest.ErrReader(broken))
	got, err := readAll(r, 1000)
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%v, %v, want one event and the reader's error", got, err)
	}
}

func TestAppendEvent(t *testing.T) {
	for want, e := range map[string]wire.Event{
		":\n\n":                        {Comment: true},
		"data: {}\n\n":                 {Data: []byte("{}")},
		"event: message\ndata: {}\n\n": {Name: "message", Data: []byte("{}")},
		"id: 7\ndata: \n\n":            {ID: "7", HasID: true},
		"retry: 5\n\n":                 {Retry: "5"},
		"data: {\ndata: }\n\n":         {Data: []byte("{\r\n}")},
		"data: safe\n\n":               {ID: "a\ndata: x", HasID: true, Name: "m\r", Data: []byte("safe")},
		"id: a\nretry: 1\ndata: x\n\n": {ID: "a", HasID: true, Retry: "1", Data: []byte("x")},
	} {
		if got := string(wire.AppendEvent(nil, e)); got != want {
			t.Errorf("%+v is written as %q, want %q", e, got, want)
		}
	}
}

package doortest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stdioSwitch in the environment turns the test binary into a fake stdio
// server; its value is the script.
const stdioSwitch = "DOORTEST_STDIO"

// Script says how a fake stdio server behaves.
type Script struct {
	Dir    string // where it leaves what it received, one file per process
	Legacy bool   // does not know server/discover and modern requests
	Modern bool   // does not know initialize
	// Mode is "" (well-behaved), or on tools/call: "garbage" (a line that is no
	// JSON), "exit" (ends half-way through a line), "hang" (never answers),
	// "huge:N" (a line of N bytes), "chatter" (64 KiB of stderr first),
	// "progress" (two notifications first), "ask" (a sampling request first).
	Mode string
	// Answers replaces the whole answer of a method; %ID% is the request's id.
	Answers map[string]string
}

// Stdio is a fake stdio server as the gateway is told to start it.
type Stdio struct {
	tb      testing.TB
	script  Script
	Command []string // program and arguments
	Env     []string // K=V that the command needs
}

// NewStdio prepares a fake stdio server: the running test binary, started
// again. The package's TestMain must call Main.
func NewStdio(tb testing.TB, s Script) *Stdio {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	s.Dir = tb.TempDir()
	text, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return &Stdio{tb: tb, script: s, Command: []string{exe}, Env: []string{stdioSwitch + "=" + string(text)}}
}

// Processes counts how often the server was started.
func (s *Stdio) Processes() int { return len(s.files()) }

// Received returns every line that any of its processes read, in order of
// start, without line ends.
func (s *Stdio) Received() [][]byte {
	s.tb.Helper()
	var lines [][]byte
	for _, path := range s.files() {
		b, err := os.ReadFile(path)
		if err != nil {
			s.tb.Fatal(err)
		}
		for l := range bytes.Lines(b) {
			lines = append(lines, bytes.TrimSuffix(l, []byte("\n")))
		}
	}
	return lines
}

func (s *Stdio) files() []string {
	s.tb.Helper()
	paths, err := filepath.Glob(filepath.Join(s.script.Dir, "*.in"))
	if err != nil {
		s.tb.Fatal(err)
	}
	return paths
}

// Main becomes the fake stdio server when the environment says so, and never
// returns then. Call it first in TestMain.
func Main() {
	text, set := os.LookupEnv(stdioSwitch)
	if !set {
		return
	}
	var s Script
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		fmt.Fprintln(os.Stderr, "doortest: bad script:", err)
		os.Exit(2)
	}
	if err := serveStdio(s); err != nil {
		fmt.Fprintln(os.Stderr, "doortest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveStdio answers line by line until standard input ends.
func serveStdio(s Script) error {
	name := fmt.Sprintf("%020d-%d.in", time.Now().UnixNano(), os.Getpid())
	tape, err := os.OpenFile(filepath.Join(s.Dir, name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer tape.Close()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	read := func() ([]byte, error) {
		got, err := in.ReadBytes('\n')
		if _, werr := tape.Write(got); werr != nil {
			return nil, werr
		}
		return got, err
	}
	for {
		got, err := read()
		if errors.Is(err, io.EOF) {
			return nil // the end of the input is the end of the session
		}
		if err != nil {
			return err
		}
		m := Envelope(got)
		if m.Method == "" || m.ID == nil {
			continue
		}
		if err := s.answer(m, read); err != nil {
			return err
		}
	}
}

func (s Script) answer(m Message, read func() ([]byte, error)) error {
	if text, ok := s.Answers[m.Method]; ok {
		return say(strings.ReplaceAll(text, "%ID%", string(m.ID)))
	}
	if (s.Legacy && (m.Modern() || m.Method == "server/discover")) || (s.Modern && !m.Modern()) {
		return say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, m.ID))
	}
	if m.Method == "tools/call" {
		return s.misbehave(m, read)
	}
	return say(line(m, s.Modern))
}

func (s Script) misbehave(m Message, read func() ([]byte, error)) error {
	mode, arg, _ := strings.Cut(s.Mode, ":")
	switch mode {
	case "garbage":
		return say("this is no JSON")
	case "exit":
		fmt.Print(`{"jsonrpc":"2.0","id":`)
		os.Exit(3)
	case "hang":
		return nil
	case "huge":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		return say(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"content":[{"type":"text","text":"` + strings.Repeat("x", n) + `"}]}}`)
	case "chatter":
		for i := range 64 {
			fmt.Fprintf(os.Stderr, "%04d %s\n", i, strings.Repeat("e", 1018))
		}
	case "progress":
		token := progressToken(m)
		for i := 1; i <= 2; i++ {
			if err := say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, token, i)); err != nil {
				return err
			}
		}
	case "ask":
		if err := say(`{"jsonrpc":"2.0","id":"ask-1","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`); err != nil {
			return err
		}
		if _, err := read(); err != nil {
			return err
		}
	}
	return say(line(m, s.Modern))
}

func progressToken(m Message) string {
	var p struct {
		Meta struct {
			Token json.RawMessage `json:"progressToken"`
		} `json:"_meta"`
	}
	if json.Unmarshal(m.Params, &p) != nil || p.Meta.Token == nil {
		return "null"
	}
	return string(p.Meta.Token)
}

// say writes one line in one write.
func say(text string) error {
	_, err := os.Stdout.WriteString(text + "\n")
	return err
}

package doortest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func runStdio(t *testing.T, s *Stdio, input string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.Command[0], s.Command[1:]...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestStdioServerAnswersAndKeepsEveryLine(t *testing.T) {
	s := NewStdio(t, Script{Mode: "ask", Answers: map[string]string{"ping": `{"jsonrpc":"2.0","id":%ID%,"result":{"n":1e400}}`}})
	input := `{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" +
		`{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":"ask-1","result":{}}` + "\n"
	want := `{"jsonrpc":"2.0","id":1,"result":{"n":1e400}}` + "\n" +
		`{"jsonrpc":"2.0","id":"ask-1","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}` + "\n" +
		`{"jsonrpc":"2.0","id":"7","result":{"content":[{"type":"text","text":"hi"}]}}` + "\n"
	if got := runStdio(t, s, input); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	var received strings.Builder
	for _, l := range s.Received() {
		received.Write(append(l, '\n'))
	}
	if received.String() != input || s.Processes() != 1 {
		t.Fatalf("%d processes kept\n%s", s.Processes(), received.String())
	}
}

func TestStdioServerOfOneEraRefusesTheOther(t *testing.T) {
	legacy := runStdio(t, NewStdio(t, Script{Legacy: true}), modernPing+"\n")
	modern := runStdio(t, NewStdio(t, Script{Modern: true}), `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`+"\n")
	for _, got := range []string{legacy, modern} {
		if !strings.Contains(got, "-32601") {
			t.Fatalf("%s", got)
		}
	}
}

package internal_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// flagName is a flag on a command line.
var flagName = regexp.MustCompile(`^--[a-z][a-z0-9-]*`)

// TestCommandsInDocuments runs the help of every ostiary command line that stands
// in a document for users, and looks for the flags that the line gives.
func TestCommandsInDocuments(t *testing.T) {
	program, err := doortest.Build("./cmd/ostiary")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range []string{"README.md", "SECURITY.md", "scripts/run.sh"} {
		for line := range strings.SplitSeq(read(t, file), "\n") {
			words := commandLine(line)
			if len(words) == 0 {
				continue
			}
			count++
			checkCommand(t, program, file, words)
		}
	}
	if count < 20 {
		t.Errorf("only %d command lines were found", count)
	}
}

// commandLine returns the words after the program in a line that runs it. Flags
// of the started server, after --, are not ours.
func commandLine(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	at := slices.IndexFunc(words, func(w string) bool { return w == "bin/ostiary" || w == "ostiary" || w == `"$here/bin/ostiary"` })
	if at < 0 || at > 1 {
		return nil
	}
	words = words[at+1:]
	if end := slices.Index(words, "--"); end >= 0 {
		words = words[:end]
	}
	return words
}

func checkCommand(t *testing.T, program, file string, words []string) {
	t.Helper()
	var command, flags []string
	for _, w := range words {
		if f := flagName.FindString(w); f != "" {
			flags = append(flags, f)
		} else if len(flags) == 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(w) && len(command) < 2 {
			command = append(command, w)
		}
	}
	if len(command) == 0 {
		return
	}
	if command[0] == "help" {
		flags = nil
	}
	out, err := exec.CommandContext(t.Context(), program, append(slices.Clone(command), "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: ostiary %s: %v\n%s", file, strings.Join(command, " "), err, out)
		return
	}
	if command[0] != "help" && !strings.Contains(string(out), "Usage:\n  ostiary "+strings.Join(command, " ")) {
		t.Errorf("%s: there is no command ostiary %s", file, strings.Join(command, " "))
	}
	for _, f := range flags {
		if !regexp.MustCompile(`(?m)^\s+(-[a-zA-Z], )?` + f + `\b`).Match(out) {
			t.Errorf("%s: ostiary %s has no flag %s", file, strings.Join(command, " "), f)
		}
	}
}

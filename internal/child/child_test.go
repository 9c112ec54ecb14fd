//go:build unix

package child

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

func TestMessagesPassUnchanged(t *testing.T) {
	p := begin(t, Spec{Command: script("echo")})
	long := strings.Repeat("z", 60<<10)
	for _, message := range []string{`{"a": 1e400}`, "{\"s\":\"\u2028\"}", long} {
		if err := p.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Read(); err != nil || string(got) != message {
			t.Fatalf("read %.40q, %v; want %.40q", got, err, message)
		}
	}
}

func TestWritesOfManyStayWhole(t *testing.T) {
	p := begin(t, Spec{Command: script("echo")})
	const writers, each = 8, 50
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			message := strings.Repeat(string(rune('a'+i)), 700)
			for range each {
				if err := p.Write([]byte(message)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	counts := map[string]int{}
	for range writers * each {
		line, err := p.Read()
		if err != nil {
			t.Fatal(err)
		}
		counts[string(line)]++
	}
	wait.Wait()
	for i := range writers {
		if n := counts[strings.Repeat(string(rune('a'+i)), 700)]; n != each {
			t.Errorf("%d of %d messages of writer %d arrived whole", n, each, i)
		}
	}
}

func TestWriteRefusesALineBreak(t *testing.T) {
	p := begin(t, Spec{Command: script("echo")})
	for _, message := range []string{"{\n}", "{}\n", "{\r}"} {
		if err := p.Write([]byte(message)); !errors.Is(err, errNewline) {
			t.Errorf("Write(%q) = %v", message, err)
		}
	}
	if err := p.Write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if line, err := p.Read(); err != nil || string(line) != "{}" {
		t.Errorf("after refusals the child got %q, %v", line, err)
	}
}

func TestNoShellStandsBetween(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := begin(t, Spec{Command: script("args", "$HOME", "a b", "; exit", "*"), Dir: dir})
	got, err := lines(p)
	want := []string{`"$HOME"`, `"a b"`, `"; exit"`, `"*"`, dir + " <nil>"}
	if err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("the child saw %q, %v; want %q", got, err, want)
	}
}

func TestU09EnvironmentIsTheListAlone(t *testing.T) {
	t.Setenv("OSTIARY_CANARY", "secret-of-the-gateway")
	for name, env := range map[string][]string{"none": nil, "listed": {"LANG=C", "TOKEN=x=y"}} {
		t.Run(name, func(t *testing.T) {
			got, err := lines(begin(t, Spec{Command: script("environment"), Env: env}))
			if err != io.EOF || !slices.Equal(got, env) {
				t.Errorf("environment %q, %v; want %q", got, err, env)
			}
		})
	}
}

func TestU08EndlessLineEndsTheChild(t *testing.T) {
	p := begin(t, Spec{Command: script("endless"), LineBytes: 256 << 10})
	if _, err := p.Read(); !fault.Is(err, fault.UpstreamTooLarge) {
		t.Fatalf("Read = %v", err)
	}
	<-p.Done()
	if _, err := p.Read(); !fault.Is(err, fault.UpstreamTooLarge) {
		t.Errorf("second Read = %v", err)
	}
	if err := p.Write([]byte("{}")); !fault.Is(err, fault.UpstreamTooLarge) {
		t.Errorf("Write afterwards = %v", err)
	}
}

func TestLineLimitIsExact(t *testing.T) {
	for _, extra := range []int{0, 1} {
		p := begin(t, Spec{Command: script("echo"), LineBytes: 20_000})
		if err := p.Write(filler(20_000 + extra)); err != nil {
			t.Fatal(err)
		}
		line, err := p.Read()
		if extra == 0 && (err != nil || len(line) != 20_000) {
			t.Errorf("a line of the limit: %d bytes, %v", len(line), err)
		}
		if extra == 1 && !fault.Is(err, fault.UpstreamTooLarge) {
			t.Errorf("a line over the limit: %d bytes, %v", len(line), err)
		}
	}
}

func filler(n int) []byte { return []byte(strings.Repeat("m", n)) }

func TestU08GarbageIsCarriedAsLines(t *testing.T) {
	got, err := lines(begin(t, Spec{Command: script("garbage")}))
	want := []string{"\x1b[31mnot json", "\xff\xfe", "with cr", "a\rb"}
	if err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("lines %q, %v; want %q", got, err, want)
	}
}

func TestU08ExitMidMessage(t *testing.T) {
	p := begin(t, Spec{Command: script("cut")})
	got, err := lines(p)
	if !slices.Equal(got, []string{`{"whole":1}`}) || !fault.Is(err, fault.UpstreamGone) {
		t.Errorf("lines %q, %v", got, err)
	}
	if text := p.Err().Error(); !strings.Contains(text, "exit status 3") || strings.Contains(text, "half") {
		t.Errorf("Err = %q", text)
	}
	got, err = lines(begin(t, Spec{Command: script("halfway")}))
	if got != nil || !errors.Is(err, errCut) {
		t.Errorf("status 0 inside a message: %q, %v", got, err)
	}
}

func TestExitStatusIsTold(t *testing.T) {
	p := begin(t, Spec{Command: script("status", "secret-argument"), Env: []string{"KEY=secret-value"}})
	<-p.Done()
	_, err := p.Read()
	if !fault.Is(err, fault.UpstreamGone) || !strings.Contains(err.Error(), "exit status 7") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Read = %v", err)
	}
	if err := p.Write([]byte("{}")); !fault.Is(err, fault.UpstreamGone) {
		t.Errorf("Write = %v", err)
	}
}

// The descendants hold stdout; with an hour of grace, Read can only end
// because they were killed with the group.
func TestU08DescendantsDieWithTheChild(t *testing.T) {
	p := begin(t, Spec{Command: script("fork"), Grace: time.Hour})
	got, err := lines(p)
	if err != io.EOF || len(got) == 0 {
		t.Errorf("lines %q, %v", got, err)
	}
}

func TestSilentChildIsEnded(t *testing.T) {
	p := begin(t, Spec{Command: script("silent"), Grace: time.Millisecond})
	if _, err := p.Read(); err == nil {
		t.Error("Read of a closed stdout gave a line")
	}
	<-p.Done()
}

func TestStopKillsWhoIgnoresSIGTERM(t *testing.T) {
	p := begin(t, Spec{Command: script("deaf"), Grace: time.Millisecond})
	if line, err := p.Read(); err != nil || string(line) != "ready" {
		t.Fatal(string(line), err)
	}
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(p.Stop)
	}
	wait.Wait()
	if _, err := p.Read(); err != io.EOF {
		t.Errorf("Read after Stop = %v", err)
	}
	if err := p.Err(); err != nil {
		t.Errorf("Err after Stop = %v", err)
	}
	if err := p.Write([]byte("{}")); !fault.Is(err, fault.UpstreamGone) {
		t.Errorf("Write after Stop = %v", err)
	}
}

func TestStopUnblocksRead(t *testing.T) {
	p := begin(t, Spec{Command: script("echo")})
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := p.Read(); err != io.EOF {
			t.Errorf("Read = %v", err)
		}
	})
	p.Stop()
	wait.Wait()
}

func TestChildThatNeverReadsIsEnded(t *testing.T) {
	p := begin(t, Spec{Command: script("deaf"), Grace: time.Millisecond, WriteTimeout: time.Millisecond})
	if _, err := p.Read(); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(filler(8 << 20)); !errors.Is(err, errUnread) {
		t.Errorf("Write = %v", err)
	}
	<-p.Done()
	if _, err := p.Read(); !errors.Is(err, errUnread) {
		t.Errorf("Read = %v", err)
	}
}

func TestStartRefusals(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Spec{
		"no command":         {},
		"empty program":      {Command: []string{""}},
		"NUL in an argument": {Command: script("echo", "a\x00b")},
		"not executable":     {Command: []string{filepath.Join(dir, "plain")}},
		"absent":             {Command: []string{filepath.Join(dir, "absent")}},
		"no PATH given":      {Command: []string{"sh"}},
		"relative PATH":      {Command: []string{"sh"}, Env: []string{"PATH=.:bin"}},
		"relative, no dir":   {Command: []string{"./sh"}},
		"absent directory":   {Command: script("echo"), Dir: filepath.Join(dir, "absent")},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Start(t.Context(), s)
			if !fault.Is(err, fault.UpstreamUnreachable) || p != nil {
				t.Errorf("Start = %v, %v", p, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Spec{Command: script("echo")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context = %v", err)
	}
}

func TestProgramIsFoundInTheChildsPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "tool")); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Spec{
		"by PATH":     {Command: []string{"tool", "script:echo"}, Env: []string{"PATH=/absent:" + dir}},
		"by the Dir":  {Command: []string{"./tool", "script:echo"}, Dir: dir},
		"by its path": {Command: []string{filepath.Join(dir, "tool"), "script:echo"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := begin(t, s)
			if err := p.Write([]byte("here")); err != nil {
				t.Fatal(err)
			}
			if line, err := p.Read(); err != nil || string(line) != "here" {
				t.Errorf("Read = %q, %v", line, err)
			}
		})
	}
}

//go:build unix

package child

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// scripts are the children of the tests: the test binary runs one of them,
// instead of tests, when its first argument names it.
var scripts = map[string]func(){
	"script:echo": func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println(in.Text())
		}
	},
	"script:args": func() {
		for _, arg := range os.Args[2:] {
			fmt.Printf("%q\n", arg)
		}
		dir, err := os.Getwd()
		fmt.Println(dir, err)
	},
	"script:environment": func() {
		for _, pair := range os.Environ() {
			fmt.Println(pair)
		}
	},
	"script:endless": func() {
		for block := bytes.Repeat([]byte("x"), 1<<20); ; {
			if _, err := os.Stdout.Write(block); err != nil {
				os.Exit(0)
			}
		}
	},
	"script:garbage": func() {
		fmt.Print("\x1b[31mnot json\n", "\xff\xfe\n", "\n\r\n", "with cr\r\n", "a\rb\n")
	},
	"script:cut":     func() { fmt.Print("{\"whole\":1}\n{\"half"); os.Exit(3) },
	"script:halfway": func() { fmt.Print("{\"half") },
	"script:status":  func() { os.Exit(7) },
	"script:fork":    func() { fork(nil); os.Exit(0) },
	"script:escape":  func() { fork(&syscall.SysProcAttr{Setsid: true}); os.Exit(0) },
	"script:silent":  func() { _ = os.Stdout.Close(); hold() },
	"script:deaf": func() {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		hold()
	},
	"script:noise": func() {
		for i := range 40_000 {
			fmt.Fprintf(os.Stderr, "line %d \x1b[2J\u202e %s\n", i, strings.Repeat("y", 40))
		}
		fmt.Println("done")
	},
	"script:parent": parent,
}

// hold waits for a signal that never comes.
func hold() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
	<-c
}

// fork leaves a descendant that keeps stdout and stderr open, and prints its
// process id.
func fork(attr *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0], "script:deaf")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, attr
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	fmt.Println(cmd.Process.Pid)
}

// parent stands for the gateway: it starts a deaf child and waits to be killed.
func parent() {
	p, err := Start(context.Background(), Spec{Command: []string{os.Args[0], "script:deaf"}})
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	line, err := p.Read()
	fmt.Println(p.Pid(), string(line), err)
	hold()
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && scripts[os.Args[1]] != nil {
		scripts[os.Args[1]]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// script returns the command that runs a script.
func script(name string, args ...string) []string {
	return append([]string{os.Args[0], "script:" + name}, args...)
}

// begin starts a script with the deadline of a test that hangs; it is stopped
// at the test's end.
func begin(t *testing.T, s Spec) *Process {
	t.Helper()
	p, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// lines reads all lines and the error after the last.
func lines(p *Process) ([]string, error) {
	var all []string
	for {
		line, err := p.Read()
		if err != nil {
			return all, err
		}
		all = append(all, string(line))
	}
}

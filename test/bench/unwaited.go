package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// A door is one gateway of a comparison.
type door struct {
	name string
	args []string // of load
	got  []figures
}

// unwaited measures what it costs that calls wait for the log: the gateway
// beside a build with the tag ostiary_nowait, in turn, for a tool that reads
// and one that modifies. It must run in the repository.
func (b *bench) unwaited(folder string, rounds, conns int, dur time.Duration) error {
	if err := b.harness(folder); err != nil {
		return err
	}
	other := filepath.Join(b.dir, "ostiary-nowait")
	build := exec.Command("go", "build", "-trimpath", "-tags", "ostiary_nowait", "-o", other, "./cmd/ostiary")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build without waiting: %w\n%s", err, out)
	}
	up := freePort()
	if _, err := b.background(up, filepath.Join(b.bin, "upstream"), "-addr", up); err != nil {
		return err
	}
	fmt.Println("| calls | connections | waited req/s | not waited req/s | ratio | waited p50 us | not waited p50 us | waited CPU us/call | not waited CPU us/call | errors |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, class := range []string{"read", "modify"} {
		waited, err := b.door("waited-"+class, b.gateway, up, class)
		if err != nil {
			return err
		}
		free, err := b.door("free-"+class, other, up, class)
		if err != nil {
			return err
		}
		for _, c := range []int{conns, 1} {
			if err := b.both(class, waited, free, c, rounds, dur); err != nil {
				return err
			}
		}
	}
	return nil
}

// door sets a gateway up in which the harness's tool has a class.
func (b *bench) door(name, binary, up, class string) (*door, error) {
	data, adm := freePort(), freePort()
	d, out := filepath.Join(b.dir, name), filepath.Join(b.dir, name+"-agent")
	for _, args := range [][]string{
		{"init", "--dir", d, "--listen", data, "--admin-listen", adm},
		{"server", "submit", "bench", "--url", "http://" + up + "/mcp", "--private", "--dir", d},
		{"server", "approve", "bench", "--reason", "bench", "--tool-access", "payload=" + class, "--dir", d},
		{"agent", "register", "load", "--out", out, "--dir", d},
		{"access", "grant", "load", "bench", "--access", "modify", "--dir", d},
	} {
		if err := b.once(binary, args...); err != nil {
			return nil, err
		}
	}
	pid, err := b.background(data, binary, "up", "--dir", d)
	if err != nil {
		return nil, err
	}
	return &door{name: name, args: []string{"-url", "https://" + data + "/s/bench/mcp", "-ca", filepath.Join(out, "ca.pem"),
		"-bearer", "@" + filepath.Join(out, "token"), "-pid", strconv.Itoa(pid), "-tool", "payload", "-size", "300"}}, nil
}

// both measures the two in turn and prints their medians.
func (b *bench) both(class string, waited, free *door, conns, rounds int, dur time.Duration) error {
	waited.got, free.got = nil, nil
	errs := 0.0
	for i := range rounds {
		pair := []*door{waited, free}
		if i%2 == 1 {
			pair[0], pair[1] = free, waited
		}
		for _, d := range pair {
			f, err := b.load(append([]string{"-c", strconv.Itoa(conns), "-d", dur.String()}, d.args...))
			if err != nil {
				return err
			}
			d.got = append(d.got, f)
			errs += f.Errs
		}
	}
	rate := func(f figures) float64 { return f.Rate }
	p50 := func(f figures) float64 { return f.Latency.P50 }
	cpu := func(f figures) float64 {
		if len(f.Processes) == 0 {
			return 0
		}
		return f.Processes[0].CPU
	}
	fmt.Printf("| %s | %d | %.0f | %.0f | %.2f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", class, conns,
		median(waited.got, rate), median(free.got, rate), median(waited.got, rate)/median(free.got, rate),
		median(waited.got, p50), median(free.got, p50), median(waited.got, cpu), median(free.got, cpu), errs)
	return nil
}

// Command bench measures the gateway beside a bare reverse proxy, interleaved
// in one run, and prints medians and ratios. It builds the load harness from
// the folder given by -harness (upstream, baseproxy, load, certs) and starts
// everything on loopback; nothing outlives it.
//
//	go run ./test/bench -harness DIR [-rounds 5] [-d 4s] [-c 64] [-sizes 300,4096,65536,1048576]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type bench struct {
	dir, bin, gateway string
	profile           string // of privacy; "" = as init writes it
	processes         []*exec.Cmd
	cleanup           []func()
}

func main() {
	log.SetFlags(0)
	signal.Ignore(syscall.SIGPIPE) // a reader that left must not leave processes behind
	harness := flag.String("harness", "", "folder of the load harness")
	gateway := flag.String("gateway", "bin/ostiary", "gateway binary")
	rounds := flag.Int("rounds", 5, "rounds per size, interleaved")
	dur := flag.Duration("d", 4*time.Second, "measured time per run")
	conns := flag.Int("c", 64, "connections of the throughput runs")
	sizes := flag.String("sizes", "300,4096,65536,1048576", "answer sizes in bytes")
	protocol := flag.String("protocol", "2025-11-25", "MCP version")
	streams := flag.Int("streams", 0, "instead: open this many idle listen streams and print the gateway's memory")
	agents := flag.Int("agents", 320, "agents that hold them")
	profile := flag.String("profile", "", "privacy profile of the gateway, for an agent in the zone token; default: as init writes it")
	unwaited := flag.Bool("unwaited", false, "instead: compare with a build whose calls do not wait for the log, reads and writes")
	flag.Parse()
	if *streams > 0 {
		b := &bench{gateway: *gateway}
		err := b.prepare()
		if err == nil {
			err = b.streams(*streams, *agents)
		}
		b.stop()
		if err != nil {
			log.Fatal("bench: ", err)
		}
		return
	}
	if *harness == "" {
		log.Fatal("bench: -harness DIR is needed")
	}
	b := &bench{gateway: *gateway, profile: *profile}
	if *unwaited {
		err := b.unwaited(*harness, *rounds, *conns, *dur)
		b.stop()
		if err != nil {
			log.Fatal("bench: ", err)
		}
		return
	}
	err := b.run(*harness, *rounds, *conns, *dur, *sizes, *protocol)
	b.stop()
	if err != nil {
		log.Fatal("bench: ", err)
	}
}

func (b *bench) run(harness string, rounds, conns int, dur time.Duration, sizes, protocol string) error {
	if err := b.harness(harness); err != nil {
		return err
	}
	t, err := b.start()
	if err != nil {
		return err
	}
	fmt.Printf("| size | connections | base req/s | gateway req/s | ratio | direct p50 us | base p50 us | gateway p50 us | gateway CPU us/call | gateway RSS MB | errors |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []int{conns, 1} {
		for size := range strings.SplitSeq(sizes, ",") {
			if err := b.compare(t, size, c, rounds, dur, protocol); err != nil {
				return err
			}
		}
	}
	if err := b.memory(t); err != nil {
		return err
	}
	return b.compareHTTP2(t, "300,4096,65536", rounds, conns, dur)
}

// harness prepares and builds the load harness.
func (b *bench) harness(folder string) error {
	if err := b.prepare(); err != nil {
		return err
	}
	b.bin = filepath.Join(b.dir, "bin")
	build := exec.Command("go", "build", "-o", b.bin+"/", "./...")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build harness: %w\n%s", err, out)
	}
	return nil
}

// prepare makes the folder that everything lives in.
func (b *bench) prepare() (err error) {
	if b.dir, err = os.MkdirTemp("", "ostiary-bench-"); err != nil {
		return err
	}
	b.cleanup = append(b.cleanup, func() { os.RemoveAll(b.dir) })
	b.gateway, err = filepath.Abs(b.gateway)
	return err
}

type targets struct {
	direct, base, gateway []string // arguments of load
	pid                   int
}

// start starts upstream, base proxy and gateway, all on loopback.
func (b *bench) start() (*targets, error) {
	certs := filepath.Join(b.dir, "certs")
	if err := b.once(filepath.Join(b.bin, "certs"), "-dir", certs); err != nil {
		return nil, err
	}
	up, base, data, adm := freePort(), freePort(), freePort(), freePort()
	if _, err := b.background(up, filepath.Join(b.bin, "upstream"), "-addr", up); err != nil {
		return nil, err
	}
	if _, err := b.background(base, filepath.Join(b.bin, "baseproxy"), "-addr", base, "-to", "http://"+up,
		"-cert", filepath.Join(certs, "server.pem"), "-key", filepath.Join(certs, "server.key")); err != nil {
		return nil, err
	}
	d, out := filepath.Join(b.dir, "gw"), filepath.Join(b.dir, "agent")
	for _, args := range [][]string{
		{"init", "--dir", d, "--listen", data, "--admin-listen", adm},
		{"server", "submit", "bench", "--url", "http://" + up + "/mcp", "--private", "--dir", d},
		{"server", "approve", "bench", "--reason", "bench", "--dir", d},
		{"agent", "register", "load", "--out", out, "--dir", d},
		{"access", "grant", "load", "bench", "--access", "modify", "--dir", d},
	} {
		if err := b.once(b.gateway, args...); err != nil {
			return nil, err
		}
	}
	if err := b.private(d); err != nil {
		return nil, err
	}
	pid, err := b.background(data, b.gateway, "up", "--dir", d)
	if err != nil {
		return nil, err
	}
	return &targets{
		direct:  []string{"-url", "http://" + up + "/mcp"},
		base:    []string{"-url", "https://" + base + "/mcp", "-ca", filepath.Join(certs, "ca.pem")},
		gateway: []string{"-url", "https://" + data + "/s/bench/mcp", "-ca", filepath.Join(out, "ca.pem"), "-bearer", "@" + filepath.Join(out, "token"), "-pid", strconv.Itoa(pid)},
		pid:     pid,
	}, nil
}

// private sets the privacy profile, if one is asked for.
func (b *bench) private(dir string) error {
	if b.profile == "" {
		return nil
	}
	file := filepath.Join(dir, "ostiary.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// Each connection is a session with pseudonyms of its own: more new values than
	// one caller may have by default.
	changed := strings.Replace(string(text), "profile: secrets-only", "new_values: 100000000\n  profile: "+b.profile, 1)
	if changed == string(text) {
		return fmt.Errorf("%s names no profile", file)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return err
	}
	return b.once(b.gateway, "agent", "set", "load", "--zone", "token", "--dir", dir)
}

// figures is what load prints, as far as it is used here.
type figures struct {
	Rate    float64 `json:"req_per_s"`
	Errs    float64 `json:"errors"`
	Latency struct {
		P50 float64 `json:"p50"`
	} `json:"latency_us"`
	Processes []struct {
		CPU float64 `json:"cpu_us_per_call"`
		RSS float64 `json:"rss_mb"`
	} `json:"processes"`
}

// compare measures one size over several rounds, the three targets in turn.
func (b *bench) compare(t *targets, size string, conns, rounds int, dur time.Duration, protocol string) error {
	var direct, base, gateway []figures
	for range rounds {
		for _, one := range []struct {
			args []string
			into *[]figures
		}{{t.direct, &direct}, {t.base, &base}, {t.gateway, &gateway}} {
			f, err := b.load(append([]string{"-c", strconv.Itoa(conns), "-size", size, "-d", dur.String(), "-protocol", protocol}, one.args...))
			if err != nil {
				return err
			}
			*one.into = append(*one.into, f)
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
	rss := func(f figures) float64 {
		if len(f.Processes) == 0 {
			return 0
		}
		return f.Processes[0].RSS
	}
	errs := 0.0
	for _, f := range gateway {
		errs += f.Errs
	}
	fmt.Printf("| %s | %d | %.0f | %.0f | %.2f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", size, conns,
		median(base, rate), median(gateway, rate), median(gateway, rate)/median(base, rate),
		median(direct, p50), median(base, p50), median(gateway, p50), median(gateway, cpu), median(gateway, rss), errs)
	if conns == 1 {
		added := (median(gateway, p50) - median(direct, p50)) / (median(base, p50) - median(direct, p50))
		fmt.Printf("| %s | added p50 over the base proxy's added p50: %.2f | | | | | | | | | |\n", size, added)
	}
	return nil
}

func (b *bench) load(args []string) (figures, error) {
	var f figures
	out, err := exec.Command(filepath.Join(b.bin, "load"), args...).Output()
	if uerr := json.Unmarshal(out, &f); uerr != nil {
		return f, errors.Join(err, uerr)
	}
	return f, nil
}

// memory prints the gateway's resident size after the runs.
func (b *bench) memory(t *targets) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.pid))
	if err != nil {
		return nil // only Linux tells
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	return nil
}

func median(all []figures, of func(figures) float64) float64 {
	var v []float64
	for _, f := range all {
		v = append(v, of(f))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func (b *bench) once(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", filepath.Base(name), args, err, out)
	}
	return nil
}

// background starts a process and waits until it accepts at addr.
func (b *bench) background(addr, name string, args ...string) (int, error) {
	c := exec.Command(name, args...)
	if log, err := os.Create(filepath.Join(b.dir, filepath.Base(name)+".log")); err == nil {
		c.Stdout, c.Stderr = log, log
		b.cleanup = append(b.cleanup, func() { log.Close() })
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	b.processes = append(b.processes, c)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Process.Pid, conn.Close()
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s does not listen at %s: %w", filepath.Base(name), addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *bench) stop() {
	for _, c := range slices.Backward(b.processes) {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	}
	for _, f := range slices.Backward(b.cleanup) {
		f()
	}
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

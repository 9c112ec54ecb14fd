package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstreamListens counts the listen streams that reached the server.
var upstreamListens atomic.Int64

// listenServer is a modern server that only holds subscriptions.
func listenServer(w http.ResponseWriter, r *http.Request) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&m) != nil || len(m.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if m.Method != "subscriptions/listen" {
		w.Header().Set("Content-Type", "application/json")
		result := `{"resultType":"complete","tools":[],"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}`
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
		return
	}
	upstreamListens.Add(1)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s},\"notifications\":{\"toolsListChanged\":true}}}\n\n", m.ID)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// streams opens n idle listen streams of a number of agents through the
// gateway and prints its resident memory.
func (b *bench) streams(n, agents int) error {
	up, data, adm := freePort(), freePort(), freePort()
	l, err := net.Listen("tcp", up)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(listenServer), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	b.cleanup = append(b.cleanup, func() { srv.Close() })
	d := filepath.Join(b.dir, "gw-streams")
	for _, args := range [][]string{
		{"init", "--dir", d, "--listen", data, "--admin-listen", adm},
		{"server", "submit", "hold", "--url", "http://" + up + "/mcp", "--private", "--dir", d},
		{"server", "approve", "hold", "--reason", "bench", "--dir", d},
	} {
		if err := b.once(b.gateway, args...); err != nil {
			return err
		}
	}
	pid, err := b.background(data, b.gateway, "up", "--dir", d)
	if err != nil {
		return err
	}
	var tokens []string
	pool := x509.NewCertPool()
	for i := range agents {
		name, out := fmt.Sprintf("agent-%d", i), filepath.Join(b.dir, fmt.Sprintf("agent-%d", i))
		if err := b.once(b.gateway, "agent", "register", name, "--out", out, "--dir", d); err != nil {
			return err
		}
		if err := b.once(b.gateway, "access", "grant", name, "hold", "--access", "read", "--dir", d); err != nil {
			return err
		}
		token, err := os.ReadFile(filepath.Join(out, "token"))
		if err != nil {
			return err
		}
		ca, err := os.ReadFile(filepath.Join(out, "ca.pem"))
		if err != nil {
			return err
		}
		pool.AppendCertsFromPEM(ca)
		tokens = append(tokens, strings.TrimSpace(string(token)))
	}
	before := resident(pid)
	conns, err := openStreams(n, data, tokens, pool)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("%d idle listen streams of %d agents: resident %d MB (%d MB before), %d upstream stream(s) opened\n",
		len(conns), agents, resident(pid)>>10, before>>10, upstreamListens.Load())
	return nil
}

// openStreams opens n streams, 64 at a time, and waits for each one's
// acknowledgement.
func openStreams(n int, addr string, tokens []string, pool *x509.CertPool) ([]net.Conn, error) {
	var mu sync.Mutex
	var conns []net.Conn
	var first error
	turns := make(chan int)
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for i := range turns {
				c, err := openStream(addr, tokens[i%len(tokens)], pool, i)
				mu.Lock()
				if err != nil && first == nil {
					first = err
				} else if err == nil {
					conns = append(conns, c)
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	wait.Wait()
	return conns, first
}

func openStream(addr, token string, pool *x509.CertPool, id int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"notifications":{"toolsListChanged":true}}}`, id)
	fmt.Fprintf(c, "POST /s/hold/mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nContent-Length: %d\r\n\r\n%s", addr, token, len(body), body)
	if err := c.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(c, 512)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("no acknowledgement: %w", err)
		}
		if strings.Contains(line, "acknowledged") {
			return c, c.SetReadDeadline(time.Time{})
		}
	}
}

// resident returns the resident kilobytes of a process, 0 where nobody tells.
func resident(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS:") {
			var kb int
			if _, err := fmt.Sscanf(strings.TrimPrefix(line, "VmRSS:"), "%d", &kb); err == nil {
				return kb
			}
		}
	}
	return 0
}

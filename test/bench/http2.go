package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// compareHTTP2 measures modern calls over HTTP/2: a few connections, many
// streams on each, base proxy and gateway in turn.
func (b *bench) compareHTTP2(t *targets, sizes string, rounds, streams int, dur time.Duration) error {
	fmt.Printf("| HTTP/2 size | streams | base req/s | gateway req/s | ratio | errors |\n|---|---|---|---|---|---|\n")
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		var base, gateway []figures
		for range rounds {
			for _, one := range []struct {
				args []string
				into *[]figures
			}{{t.base, &base}, {t.gateway, &gateway}} {
				f, err := loadHTTP2(one.args, n, streams, dur)
				if err != nil {
					return err
				}
				*one.into = append(*one.into, f)
			}
		}
		rate := func(f figures) float64 { return f.Rate }
		errs := 0.0
		for _, f := range gateway {
			errs += f.Errs
		}
		fmt.Printf("| %s | %d | %.0f | %.0f | %.2f | %.0f |\n", size, streams, median(base, rate), median(gateway, rate), median(gateway, rate)/median(base, rate), errs)
	}
	return nil
}

// flagOf returns the value after name in args.
func flagOf(args []string, name string) string {
	for i := range len(args) - 1 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return ""
}

// loadHTTP2 calls the payload tool over four HTTP/2 connections.
func loadHTTP2(args []string, size, streams int, dur time.Duration) (figures, error) {
	var f figures
	url, token := flagOf(args, "-url"), ""
	if file, ok := strings.CutPrefix(flagOf(args, "-bearer"), "@"); ok {
		text, err := os.ReadFile(file)
		if err != nil {
			return f, err
		}
		token = strings.TrimSpace(string(text))
	}
	pem, err := os.ReadFile(flagOf(args, "-ca"))
	if err != nil {
		return f, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	var clients []*http.Client
	for range 4 {
		tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, DisableCompression: true}
		defer tr.CloseIdleConnections()
		clients = append(clients, &http.Client{Transport: tr})
	}
	ctx, cancel := context.WithTimeout(context.Background(), dur)
	defer cancel()
	var calls, errs atomic.Int64
	var wait sync.WaitGroup
	begin := time.Now()
	for i := range streams {
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := callHTTP2(ctx, clients[i%4], url, token, size)
				switch {
				case ctx.Err() != nil:
				case err != nil:
					errs.Add(1)
				default:
					calls.Add(1)
				}
			}
		})
	}
	wait.Wait()
	f.Rate, f.Errs = float64(calls.Load())/time.Since(begin).Seconds(), float64(errs.Load())
	return f, nil
}

func callHTTP2(ctx context.Context, c *http.Client, url, token string, size int) error {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"payload","arguments":{"size":%d},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, size)
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "payload"} {
		r.Header.Set(k, v)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 || len(raw) < size || !json.Valid(raw) || !bytes.Contains(raw, []byte(`"result"`)) {
		return fmt.Errorf("HTTP/%d status %d, %d bytes", resp.ProtoMajor, resp.StatusCode, len(raw))
	}
	return nil
}

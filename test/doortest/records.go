package doortest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Record is one line of records.jsonl, as far as tests read it.
type Record struct {
	Kind     string          `json:"kind"`
	Exchange string          `json:"exchange"`
	Parent   string          `json:"parent"`
	Actor    string          `json:"actor"`
	Server   string          `json:"server"`
	Method   string          `json:"method"`
	Name     string          `json:"name"`
	Era      string          `json:"era"`
	Version  string          `json:"version"`
	Decision string          `json:"decision"`
	Outcome  string          `json:"outcome"`
	Reason   string          `json:"reason"`
	Detail   string          `json:"detail"`
	Status   int             `json:"status"`
	Sent     bool            `json:"sent"`
	Passed   int             `json:"passed"`
	Dropped  int             `json:"dropped"`
	Count    int             `json:"count"`
	Line     json.RawMessage `json:"-"` // the whole line
}

// Records reads every record of the gateway, oldest first.
func (d *Door) Records() []Record {
	d.tb.Helper()
	b, err := os.ReadFile(filepath.Join(d.Dir, "records.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		d.tb.Fatal(err)
	}
	var out []Record
	for l := range bytes.Lines(b) {
		if !bytes.HasSuffix(l, []byte("\n")) {
			break // being written
		}
		r := Record{Line: bytes.TrimSpace(l)}
		if err := json.Unmarshal(l, &r); err != nil {
			d.tb.Fatalf("a record is no JSON: %v: %s", err, l)
		}
		out = append(out, r)
	}
	return out
}

// Exchanges are the records of exchanges.
func (d *Door) Exchanges() []Record {
	d.tb.Helper()
	var out []Record
	for _, r := range d.Records() {
		if r.Kind == "exchange" {
			out = append(out, r)
		}
	}
	return out
}

// AwaitRecord blocks until a record fits and returns the first one.
func (d *Door) AwaitRecord(what string, fits func(Record) bool) Record {
	d.tb.Helper()
	var found Record
	Poll(d.tb, "a record of "+what, func() bool {
		for _, r := range d.Records() {
			if fits(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// Metrics reads the gateway's metrics: name with labels, as exposed, to value.
func (d *Door) Metrics() map[string]float64 {
	d.tb.Helper()
	status, body := d.AdminGet("/metrics")
	if status != http.StatusOK {
		d.tb.Fatalf("/metrics answered %d", status)
	}
	out := map[string]float64{}
	for l := range strings.Lines(body) {
		at := strings.LastIndexByte(strings.TrimSpace(l), ' ')
		if at < 0 || l[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(l[at:]), 64)
		if err != nil {
			d.tb.Fatalf("metric %q: %v", l, err)
		}
		out[l[:at]] = v
	}
	return out
}

// AdminGet reads a page of the admin listener, whose certificate must come
// from the gateway's authority when an agent was registered to know it.
func (d *Door) AdminGet(page string) (status int, body string) {
	d.tb.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true} // loopback, nothing is sent
	for _, a := range d.Agents {
		config = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: a.CA}
	}
	c := &Client{tb: d.tb, URL: "https://" + d.Admin + page, TLS: config}
	r := c.Send(http.MethodGet, "")
	return r.Status, string(r.Body)
}

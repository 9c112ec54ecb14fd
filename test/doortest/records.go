package doortest

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

// Record is one line of the log, as far as tests read it. A call is one line:
// its decision and its outcome.
type Record struct {
	Index    uint64          `json:"index"`
	End      uint64          `json:"finished_index"` // of the closing entry; 0: the line is both
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
	Policy   string          `json:"policy"`
	Rules    string          `json:"rules"`
	Person   string          `json:"person"`
	JTI      string          `json:"jti"`
	Status   int             `json:"status"`
	Sent     bool            `json:"sent"`
	Passed   int             `json:"passed"`
	Dropped  int             `json:"dropped"`
	Count    int             `json:"count"`
	Line     json.RawMessage `json:"-"` // the whole line
}

// Records reads every line of the log, oldest first: of the gateway that runs,
// or from what it left behind.
func (d *Door) Records() []Record { return d.query("all") }

// API connects to the operators' functions, as a command does; done ends that.
func (d *Door) API(ctx context.Context) (api admin.API, done func() error) {
	d.tb.Helper()
	api, done, err := app.Connect(ctx, d.Dir, app.Options{Environ: d.environ, Wait: commandTime})
	if err != nil {
		d.tb.Fatal(err)
	}
	return api, done
}

// query asks for the lines of a log.
func (d *Door) query(log string) []Record {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	api, done := d.API(ctx)
	var out []Record
	for line, err := range admin.AuditLines(ctx, api, admin.AuditQuery{Log: log}) {
		if err != nil {
			d.tb.Fatal(err)
		}
		r := Record{Line: line}
		if err := json.Unmarshal(line, &r); err != nil {
			d.tb.Fatalf("a line is no JSON: %v: %s", err, line)
		}
		out = append(out, r)
	}
	if err := done(); err != nil {
		d.tb.Fatal(err)
	}
	return out
}

// environ is the environment of the gateway's process.
func (d *Door) environ(name string) (string, bool) {
	for i := len(d.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(d.env[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// Exchanges are the exchanges that have ended, in the order in which they did.
func (d *Door) Exchanges() []Record {
	d.tb.Helper()
	all := slices.DeleteFunc(d.query("calls"), func(r Record) bool { return !strings.HasPrefix(r.Kind, "call.") || r.Outcome == "" })
	slices.SortStableFunc(all, func(a, b Record) int { return cmp.Compare(max(a.Index, a.End), max(b.Index, b.End)) })
	return all
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

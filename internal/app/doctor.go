package app

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/registry"
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	State  string `json:"state"` // "ok", "degraded" or "fail"
	Check  string `json:"check"`
	Detail string `json:"detail,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// Thresholds of Doctor.
const (
	expirySoon = 14 * 24 * time.Hour
	diskLow    = 256 << 20
)

// Doctor looks at the gateway in dir for what keeps it from working. It
// changes nothing.
func Doctor(ctx context.Context, dir string, o Options) []Finding {
	c, err := Load(dir, o.Environ)
	if err != nil {
		return []Finding{configFinding(err)}
	}
	all := []Finding{{State: stateOK, Check: "configuration"}}
	all = append(all, modes(c.DataDir)...)
	all = append(all, writable(filepath.Join(dir, ConfigName)))
	all = append(all, machine().swap(), machine().core(o.Exposed),
		rootFinding(ctx, c, rootAt{base: dir, environ: o.Environ, guard: egress.New(egress.Config{}), clock: o.Clock}))
	all = append(all, disk(c.DataDir), reserveFinding(c), clockFinding(c.DataDir, o), authority(c.DataDir, o))
	if cert, ok := strings.CutPrefix(c.Listeners.Data.TLS.Cert, "file:"); ok {
		if !filepath.IsAbs(cert) {
			cert = filepath.Join(dir, cert)
		}
		all = append(all, expiry("listener certificate", cert, o))
	}
	return append(all, running(ctx, dir, o)...)
}

func configFinding(err error) Finding {
	f := Finding{State: stateFail, Check: "configuration", Detail: err.Error(), Fix: "correct each line; check with: ostiary check"}
	if errors.Is(err, ErrNoGateway) {
		f.Fix = "make a gateway: ostiary init"
	}
	return f
}

// modes checks that nobody else may open the data directory and its keys.
func modes(dir string) []Finding {
	var all []Finding
	for _, path := range []string{dir, filepath.Join(dir, "keys")} {
		f := Finding{State: stateOK, Check: "private " + filepath.Base(path)}
		if err := checkPrivate(path); err != nil {
			f.State, f.Detail, f.Fix = stateFail, err.Error(), "chmod 700 "+path
		}
		all = append(all, f)
	}
	return all
}

// writable checks that only its owner can change the configuration.
func writable(path string) Finding {
	f := Finding{State: stateOK, Check: "private " + ConfigName}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		f.State, f.Detail = stateFail, err.Error()
	case runtime.GOOS != "windows" && st.Mode().Perm()&0o022 != 0:
		f.State, f.Detail, f.Fix = stateFail, "other users may change it", "chmod go-w "+path
	}
	return f
}

func disk(dir string) Finding {
	f := Finding{State: stateOK, Check: "disk space"}
	free, known := freeBytes(dir)
	switch {
	case !known:
		f.Detail = "cannot be told on this system"
	case free < diskLow:
		f.State, f.Detail = stateDegraded, fmt.Sprintf("%s are free", Size(free-free%(1<<20)))
		f.Fix = "free space: without it calls are refused because they cannot be recorded"
	}
	return f
}

// clockFinding compares the clock with the newest file: a clock that went back
// makes valid certificates look as if they were not valid yet.
func clockFinding(dir string, o Options) Finding {
	f := Finding{State: stateOK, Check: "clock"}
	if last := written(dir); last.After(o.Clock.Now().Add(time.Minute)) {
		f.State, f.Detail = stateFail, "the store was written after the present time, "+last.Format(time.RFC3339)
		f.Fix = "set the clock, and keep it right with NTP"
	}
	return f
}

// written returns when the store's files were written last.
func written(dir string) (last time.Time) {
	for _, name := range []string{storeName, storeName + "-wal", reserveName} {
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil && st.ModTime().After(last) {
			last = st.ModTime()
		}
	}
	return last
}

func authority(dir string, o Options) Finding {
	return expiry("certificate authority", filepath.Join(dir, caName), o)
}

// expiry checks how long the first certificate in a PEM file is valid.
func expiry(check, path string, o Options) Finding {
	f := Finding{State: stateOK, Check: check}
	text, err := os.ReadFile(path)
	if err != nil {
		f.State, f.Detail, f.Fix = stateFail, err.Error(), "put the file back or correct the configuration"
		return f
	}
	block, _ := pem.Decode(text)
	if block == nil {
		f.State, f.Detail, f.Fix = stateFail, path+" is not a PEM file", "put the file back"
		return f
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.State, f.Detail, f.Fix = stateFail, path+": "+err.Error(), "put the file back"
		return f
	}
	now := o.Clock.Now()
	switch {
	case now.After(cert.NotAfter):
		f.State, f.Detail = stateFail, "ended "+cert.NotAfter.Format(time.RFC3339)
	case now.Before(cert.NotBefore):
		f.State, f.Detail = stateFail, "begins "+cert.NotBefore.Format(time.RFC3339)
	case cert.NotAfter.Sub(now) < expirySoon:
		f.State, f.Detail = stateDegraded, "ends "+cert.NotAfter.Format(time.RFC3339)
	default:
		f.Detail = "valid until " + cert.NotAfter.Format(time.RFC3339)
	}
	if f.State != stateOK {
		f.Fix = "renew " + path
	}
	return f
}

// running asks the gateway, when it runs, for its own checks, and looks for
// servers and agents that cannot work.
func running(ctx context.Context, dir string, o Options) []Finding {
	api, done, err := Connect(ctx, dir, o)
	if err != nil {
		return []Finding{{State: stateFail, Check: "gateway", Detail: err.Error(), Fix: "see the message"}}
	}
	all, err := inspect(ctx, api, o.Clock.Now())
	if err := errors.Join(err, done()); err != nil {
		all = append(all, Finding{State: stateFail, Check: "gateway", Detail: err.Error(), Fix: "see the message"})
	}
	return all
}

func inspect(ctx context.Context, api admin.API, now time.Time) ([]Finding, error) {
	s, err := api.Status(ctx, admin.None{})
	if err != nil {
		return nil, err
	}
	all := []Finding{{State: stateOK, Check: "gateway", Detail: "runs at " + s.URL}}
	if !s.Running {
		all[0] = Finding{State: stateDegraded, Check: "gateway", Detail: "does not run", Fix: "ostiary up"}
	}
	for _, c := range s.Checks {
		all = append(all, Finding{State: c.State, Check: c.Name, Detail: c.Detail})
	}
	logs, err := logFindings(ctx, api)
	all = append(all, logs...)
	if err != nil {
		return all, err
	}
	saved, err := backupFinding(ctx, api, now)
	if err != nil {
		return all, err
	}
	all = append(all, saved)
	servers, err := api.Servers(ctx, admin.None{})
	if err != nil {
		return all, err
	}
	for _, srv := range servers {
		f := serverFinding(srv)
		if srv.State == registry.Active {
			f = reach(ctx, api, srv, f)
		}
		all = append(all, f)
	}
	agents, err := api.Agents(ctx, admin.None{})
	for _, a := range agents {
		if a.State == registry.Active && len(a.Grants) == 0 {
			all = append(all, Finding{State: stateDegraded, Check: "agent " + a.ID, Detail: "may use nothing",
				Fix: "ostiary access grant " + a.ID + " SERVER --access read"})
		}
	}
	return all, err
}

// reach examines a server without keeping the result.
func reach(ctx context.Context, api admin.API, srv admin.ServerView, f Finding) Finding {
	d, err := api.ScanServer(ctx, admin.Scan{ID: srv.ID, Change: admin.Change{DryRun: true}})
	if err != nil {
		f.State, f.Detail = stateDegraded, err.Error()
		f.Fix = "start the server, or correct how it was submitted: ostiary server show " + srv.ID
		return f
	}
	now := serverFinding(d.Item)
	if now.State != stateOK && f.State == stateOK {
		now.Fix = "look at what changed: ostiary server scan " + srv.ID
		return now
	}
	return f
}

func serverFinding(srv admin.ServerView) Finding {
	f := Finding{State: stateOK, Check: "server " + srv.ID, Detail: string(srv.State)}
	switch {
	case srv.State == registry.Submitted:
		f.State, f.Fix = stateDegraded, "ostiary server approve "+srv.ID+" --reason TEXT"
	case srv.State == registry.Active && !srv.Examined:
		f.State, f.Detail, f.Fix = stateDegraded, "was never examined: its tools count as modify", "ostiary server scan "+srv.ID
	}
	for _, t := range srv.Tools {
		if t.State != registry.ToolApproved {
			f.State, f.Detail = stateDegraded, fmt.Sprintf("tool %q is %s and cannot be called", t.Name, t.State)
			f.Fix = "ostiary tool approve " + srv.ID + " TOOL --reason TEXT"
		}
	}
	return f
}

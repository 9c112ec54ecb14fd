package app

import (
	"cmp"
	"time"
)

// The values of audit.sync.
const (
	syncEffects = "effects"
	syncAll     = "all"
)

// fill sets every value that the file left out. The figures are those of the
// comments in config.go; TestDefaultsMatchTheirComments compares them.
func (c *Config) fill() {
	l := &c.Listeners
	l.Data.Address = cmp.Or(l.Data.Address, "127.0.0.1:8443")
	l.Admin.Address = cmp.Or(l.Admin.Address, "127.0.0.1:8444")
	fillIssuers(c.Identity.Issuers)
	fillTrust(c.Identity.Trust)
	c.Identity.BuiltinIssuer.DynamicRegistration = cmp.Or(c.Identity.BuiltinIssuer.DynamicRegistration, "loopback")
	c.Identity.MFA.Operators = cmp.Or(c.Identity.MFA.Operators, "required")
	c.Identity.Approvals = cmp.Or(c.Identity.Approvals, "strongest")
	c.Store.Driver = cmp.Or(c.Store.Driver, driverSQLite)
	c.Audit.Sync = cmp.Or(c.Audit.Sync, syncEffects)
	c.Audit.Reserve = cmp.Or(c.Audit.Reserve, 8<<20)
	c.Audit.WitnessAlarm = cmp.Or(c.Audit.WitnessAlarm, Duration(time.Minute))
	c.Privacy.Profile = cmp.Or(c.Privacy.Profile, "secrets-only")
	c.Privacy.OnError = cmp.Or(c.Privacy.OnError, "block")
	c.Privacy.Expiry = cmp.Or(c.Privacy.Expiry, Duration(720*time.Hour))
	c.Privacy.NewValues = cmp.Or(c.Privacy.NewValues, 100_000)
	c.Privacy.Sidecar.fill()
	c.Logs.Format = cmp.Or(c.Logs.Format, "text")
	c.Logs.Level = cmp.Or(c.Logs.Level, "info")
	if c.Telemetry.SampleRatio == nil {
		all := 1.0
		c.Telemetry.SampleRatio = &all
	}
	for i := range c.Servers {
		if c.Servers[i].URL != "" {
			c.Servers[i].Transport = cmp.Or(c.Servers[i].Transport, "http")
		}
	}
	c.Backup.KeysKeep = cmp.Or(c.Backup.KeysKeep, Duration(7*24*time.Hour))
	c.Limits.fill()
}

func (l *Limits) fill() {
	l.fillMessages()
	l.fillCallers()
	l.fillTimes()
}

func (l *Limits) fillMessages() {
	l.MessageBytes = cmp.Or(l.MessageBytes, 4<<20)
	l.Depth = cmp.Or(l.Depth, 64)
	l.Members = cmp.Or(l.Members, 10_000)
	l.Elements = cmp.Or(l.Elements, 100_000)
	l.Tokens = cmp.Or(l.Tokens, 1_000_000)
	l.NumberBytes = cmp.Or(l.NumberBytes, 8<<10)
	l.ContentBlocks = cmp.Or(l.ContentBlocks, 10_000)
	l.BatchMembers = cmp.Or(l.BatchMembers, 100)
	l.URLBytes = cmp.Or(l.URLBytes, 8<<10)
	l.HeaderLineBytes = cmp.Or(l.HeaderLineBytes, 8<<10)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 32<<10)
	l.HeaderFields = cmp.Or(l.HeaderFields, 100)
}

func (l *Limits) fillCallers() {
	l.Connections = cmp.Or(l.Connections, 16_384)
	l.InFlight = cmp.Or(l.InFlight, 128)
	l.InFlightPerServer = cmp.Or(l.InFlightPerServer, 256)
	l.Streams = cmp.Or(l.Streams, 256)
	l.ListenStreams = cmp.Or(l.ListenStreams, 64)
	l.Sessions = cmp.Or(l.Sessions, 256)
	l.Subscriptions = cmp.Or(l.Subscriptions, 1000)
	l.Queue = cmp.Or(l.Queue, 64)
	l.NotificationsPerSecond = cmp.Or(l.NotificationsPerSecond, 100)
	l.BufferedBytes = cmp.Or(l.BufferedBytes, 256<<20)
	l.ReplayBytes = cmp.Or(l.ReplayBytes, 8<<20)
	l.Processes = cmp.Or(l.Processes, 64)
}

func (l *Limits) fillTimes() {
	set := func(d *Duration, v time.Duration) { *d = cmp.Or(*d, Duration(v)) }
	set(&l.ReplayAge, 10*time.Minute)
	set(&l.HeaderTimeout, 10*time.Second)
	set(&l.BodyTimeout, 30*time.Second)
	set(&l.IdleTimeout, 120*time.Second)
	set(&l.WriteTimeout, 30*time.Second)
	set(&l.CallTimeout, 5*time.Minute)
	set(&l.StreamIdle, 5*time.Minute)
	set(&l.ListenIdle, 10*time.Minute)
	set(&l.StartTimeout, 30*time.Second)
	set(&l.ProcessIdle, 10*time.Minute)
	set(&l.SessionIdle, 30*time.Minute)
	set(&l.SessionAge, 24*time.Hour)
	set(&l.DrainTimeout, 30*time.Second)
}

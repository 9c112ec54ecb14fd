package app

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/protect"
	"ostiary.dev/ostiary/internal/registry"
)

// compiled returns the profile that the configuration describes.
func (c *PrivacyConfig) compiled(year func() int) (*privacy.Profile, error) {
	out := privacy.Config{Profile: c.Profile, Profiles: map[string]privacy.Custom{}, Zones: map[string]privacy.Zone{}, Shadow: c.Shadow,
		OnError: c.OnError, Scope: c.Scope, Expiry: time.Duration(c.Expiry), Year: year}
	for _, p := range c.Profiles {
		if _, twice := out.Profiles[p.Name]; twice {
			return nil, errors.New("profiles: " + p.Name + ": is the name of two profiles")
		}
		custom := privacy.Custom{Extends: p.Extends, Keyed: p.Keyed, Sure: map[string]float64{}, Replace: p.Replace}
		for typ, least := range p.Sure {
			if least != nil {
				custom.Sure[typ] = *least
			}
		}
		for _, r := range p.Rules {
			custom.Rules = append(custom.Rules, privacy.Rule(r))
		}
		out.Profiles[p.Name] = custom
	}
	for _, p := range c.Patterns {
		out.Patterns = append(out.Patterns, pii.Pattern{Name: p.Name, Type: pii.Type(p.Type), Expr: p.Expr})
	}
	for word, zone := range c.Zones {
		out.Zones[word] = privacy.Zone(zone)
	}
	for _, r := range c.Restore {
		out.Restore = append(out.Restore, privacy.RestoreRule{Servers: r.Servers, Tools: r.Tools, Purposes: r.Purposes, Paths: r.Paths, Types: r.Types, FF1: r.FF1})
	}
	for _, r := range c.Subjects {
		out.Subjects = append(out.Subjects, privacy.SubjectRule(r))
	}
	return privacy.Compile(out)
}

// privacy checks that a profile can be made of c. Every problem has the path of
// its key, which is looked for in the file.
func (d *decoder) privacy(c PrivacyConfig) {
	_, err := c.compiled(nil)
	if err == nil {
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		key, text, cut := strings.Cut(line, ": ")
		if !cut {
			key, text = "", line
		}
		d.problem(c.placed(key), text)
	}
}

// placed turns a profile's path, which names profiles, into the file's, which
// counts them.
func (c *PrivacyConfig) placed(key string) string {
	for i, p := range c.Profiles {
		if rest, ok := strings.CutPrefix(key, "profiles."+p.Name); ok && p.Name != "" && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return "privacy.profiles[" + strconv.Itoa(i) + "]" + rest
		}
	}
	if key == "" {
		return "privacy"
	}
	return "privacy." + key
}

// profiled is a profile and the configuration that it was made of.
type profiled struct {
	of      *Config
	profile *privacy.Profile
}

// profile returns the profile of the configuration as it is now. A valid
// configuration has one; were there none after all, nothing would pass.
func (a *App) profile() *privacy.Profile {
	c := a.config.Load()
	if p := a.profiles.Load(); p != nil && p.of == c {
		return p.profile
	}
	p, err := c.Privacy.compiled(func() int { return a.clock.Now().Year() })
	if err != nil {
		panic("app: a valid configuration has no profile")
	}
	a.profiles.Store(&profiled{c, p})
	for _, l := range p.Loosenings() {
		a.log.Warn("the privacy profile lets more through than the one it extends", logs.Public("profile", p.Name()), logs.Public("rule", l))
	}
	return p
}

// newProtect returns the room that decides what of a message is seen.
func (a *App) newProtect(h *house) (*protect.Step, error) {
	failures := &seldom{clock: a.clock}
	c := protect.Config{
		Profile: a.profile, Tenant: keys.DefaultTenant, Vault: a.vault, Secrets: a.ring.Transforms(), Open: a.ring.Transforms(),
		Schemas: func(tool *registry.Tool) filter.Schema {
			if o := h.may.Output(tool); o != nil {
				return o
			}
			return nil
		},
		Read: h.may.Found,
		Log: func(msg string, x *exchange.Exchange, err error) {
			if more, due := failures.due(msg + err.Error()); due {
				a.log.Warn(msg, logs.Public("exchange", x.ID), logs.Public("server", x.Endpoint), logs.Public("more", more), logs.Err(err))
			}
		},
	}
	if a.config.Load().Privacy.Learn {
		c.Learn = a.learner
	}
	var err error
	if c.Outside, err = a.newOutside(); err != nil {
		return nil, err
	}
	return protect.New(c), nil
}

package app

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"ostiary.dev/ostiary/internal/privacy"
)

// PrivacyCases is a file of texts and what profiles make of them.
type PrivacyCases struct {
	// Profiles and Patterns are as in the configuration, and come beside its own.
	Profiles []ProfileConfig `yaml:"profiles"`
	Patterns []PatternConfig `yaml:"patterns"`
	Cases    []PrivacyCase   `yaml:"cases"`
}

// PrivacyCase is one text on its way to one receiver.
type PrivacyCase struct {
	Name    string  `yaml:"name"`
	Profile string  `yaml:"profile"` // the configuration's, or secrets-only
	Zone    string  `yaml:"zone"`    // of the receiver; minimal
	Toward  string  `yaml:"toward"`  // server or client; client
	Server  string  `yaml:"server"`
	Tool    string  `yaml:"tool"`
	Purpose string  `yaml:"purpose"`
	Path    string  `yaml:"path"`
	In      string  `yaml:"in"`
	Want    *string `yaml:"want"`
	Blocked bool    `yaml:"blocked"` // the message is refused, in place of want
}

// PrivacyResult is what became of a case.
type PrivacyResult struct {
	Name    string   `json:"name"`
	Profile string   `json:"profile"`
	Zone    string   `json:"zone"`
	Toward  string   `json:"toward"`
	Pass    bool     `json:"pass"`
	Want    string   `json:"want"`
	Got     string   `json:"got"`
	Actions []string `json:"actions"` // type and action of each finding
}

// blockedText stands for a refused message in results.
const blockedText = "(blocked)"

// ReadPrivacyCases reads a file of cases. What it does not know is refused, with
// line and column, so that a misspelt key tests nothing.
func ReadPrivacyCases(text []byte) (*PrivacyCases, error) {
	var c PrivacyCases
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("it is not a file of cases: %w", err)
	}
	if len(c.Cases) == 0 {
		return nil, errors.New("it holds no case")
	}
	for i, one := range c.Cases {
		if one.In == "" || (one.Want == nil) == !one.Blocked || one.Name == "" {
			return nil, fmt.Errorf("cases[%d] needs name, in, and either want or blocked: true", i)
		}
	}
	return &c, nil
}

// Run says what the profiles make of the cases. base, which may be the zero
// value, is the configuration that they stand beside.
func (c *PrivacyCases) Run(base PrivacyConfig) ([]PrivacyResult, error) {
	base.Profiles = append(append([]ProfileConfig(nil), base.Profiles...), c.Profiles...)
	base.Patterns = append(append([]PatternConfig(nil), base.Patterns...), c.Patterns...)
	made := map[string]*privacy.Profile{}
	var out []PrivacyResult
	for i, one := range c.Cases {
		cfg := base
		if one.Profile != "" {
			cfg.Profile = one.Profile
		}
		if made[cfg.Profile] == nil {
			p, err := cfg.compiled(nil)
			if err != nil {
				return nil, fmt.Errorf("cases[%d]: %w", i, err)
			}
			made[cfg.Profile] = p
		}
		r, err := one.run(made[cfg.Profile])
		if err != nil {
			return nil, fmt.Errorf("cases[%d]: %w", i, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (c *PrivacyCase) run(p *privacy.Profile) (PrivacyResult, error) {
	w := privacy.Where{Toward: privacy.Client, Zone: p.Zone(c.Zone), Server: c.Server, Tool: c.Tool, Purpose: c.Purpose, Path: c.Path}
	switch c.Toward {
	case "server":
		w.Toward = privacy.Server
	case "", "client":
		c.Toward = "client"
	default:
		return PrivacyResult{}, fmt.Errorf("toward is %q, not server or client", c.Toward)
	}
	v, err := p.Preview(w, c.In)
	if err != nil {
		return PrivacyResult{}, err
	}
	r := PrivacyResult{Name: c.Name, Profile: p.Name(), Zone: string(w.Zone), Toward: c.Toward, Want: blockedText, Got: v.Text, Actions: []string{}}
	if c.Want != nil {
		r.Want = *c.Want
	}
	if len(v.Blocked) > 0 {
		r.Got = blockedText
	}
	for _, f := range v.Findings {
		r.Actions = append(r.Actions, fmt.Sprintf("%s %s", f.Type, f.Action))
	}
	r.Pass = r.Got == r.Want
	return r, nil
}

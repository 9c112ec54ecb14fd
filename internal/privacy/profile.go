package privacy

import (
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/pii"
)

// Profile is a compiled Config. It is safe for concurrent use.
type Profile struct {
	cfg      Config
	base     *builtin
	keyed    bool
	fixed    map[pii.Type]string
	sure     map[pii.Type]float64 // below it a finding is none
	rules    map[pii.Type][]*rule // the first one that matches decides
	ordered  []*rule              // every rule once, as written
	restore  []restore
	subjects []subject
	patterns map[string]bool
	scanner  *pii.Scanner
	compiled expressions
}

// restore is a compiled RestoreRule.
type restore struct {
	RestoreRule
	types map[pii.Type]bool
	paths []path
}

// order files the rules under their types, the last one first.
func (p *Profile) order(rules []*rule) {
	p.ordered, p.rules = rules, map[pii.Type][]*rule{}
	for _, r := range slices.Backward(rules) {
		for t, on := range r.types {
			if on {
				p.rules[t] = append(p.rules[t], r)
			}
		}
	}
}

// look makes the scanner: a type on which nothing acts is not looked for, and not
// paid for.
func (p *Profile) look(patterns []pii.Pattern) error {
	var types []pii.Type
	for _, t := range pii.Types() {
		if p.acts(t) {
			types = append(types, t)
		}
	}
	var err error
	p.scanner, err = pii.New(pii.Config{Types: types, Patterns: patterns})
	return err
}

// acts reports whether anything may become of findings of t.
func (p *Profile) acts(t pii.Type) bool {
	if p.base.act(t, "", false) != Keep || slices.ContainsFunc(p.rules[t], func(r *rule) bool { return r.action != Keep }) {
		return true
	}
	for f := range p.base.subs {
		if f.typ == t {
			return true
		}
	}
	return false
}

// Name returns the profile's name.
func (p *Profile) Name() string { return p.cfg.Profile }

// Base returns the name of the profile that ships which it extends, or is.
func (p *Profile) Base() string { return p.base.name }

// Scanner returns the scanner of the types that some rule acts on, and no other.
func (p *Profile) Scanner() *pii.Scanner { return p.scanner }

// Zone returns how far a component of the zone word of is trusted. The four
// words stand for themselves where the configuration says nothing else; any
// other word, and none, is minimal.
func (p *Profile) Zone(of string) Zone {
	if z := p.cfg.Zones[of]; z.Known() {
		return z
	}
	if z := Zone(of); z.Known() {
		return z
	}
	return ZoneMinimal
}

// Shadow reports whether findings are counted only.
func (p *Profile) Shadow() bool { return p.cfg.Shadow }

// OnError says what a failed scan or transform does: Block, Flag or Redact.
func (p *Profile) OnError() Action {
	switch p.cfg.OnError {
	case "flag":
		return Flag
	case "redact":
		return Redact
	}
	return Block
}

// Scope names the parts of a pseudonym's scope, in a fixed order; the tenant is
// always one.
func (p *Profile) Scope() []string {
	want := p.cfg.Scope
	if len(want) == 0 {
		want = p.base.scope
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s != "tenant" && !slices.Contains(want, s) })
}

// Keyed reports whether pseudonyms are made by a key (HMAC) or drawn.
func (p *Profile) Keyed() bool { return p.keyed }

// Expiry returns how long pseudonyms live; 0 is the vault's own.
func (p *Profile) Expiry() time.Duration { return p.cfg.Expiry }

// Decide returns what becomes of a finding of typ and sub. It does not allocate.
func (p *Profile) Decide(w Where, typ pii.Type, sub string) Action {
	if w.Toward != Server && w.Toward != Client {
		return Block
	}
	if !w.Zone.Known() {
		w.Zone = ZoneMinimal
	}
	for _, r := range p.rules[typ] {
		if r.matches(w, sub) {
			return r.in(w.Zone, typ)
		}
	}
	return p.table(w, typ, sub)
}

// table is Decide without the operator's rules. A secret is blocked toward a
// server and redacted toward a client, whatever the profile: the one sends a
// credential of the caller's away, the other answers a call that was allowed.
func (p *Profile) table(w Where, typ pii.Type, sub string) Action {
	if typ == pii.Secret {
		if w.Toward == Client && w.Zone != ZoneSealed {
			return Redact
		}
		return Block
	}
	return narrow(p.base.act(typ, sub, p.patterns[sub]), w.Zone, typ)
}

func (r *rule) matches(w Where, sub string) bool {
	return (len(r.zones) == 0 || slices.Contains(r.zones, w.Zone)) &&
		(len(r.toward) == 0 || slices.Contains(r.toward, w.Toward)) &&
		(len(r.subs) == 0 || slices.Contains(r.subs, sub)) &&
		anyOf(r.servers, w.Server) && anyOf(r.tools, w.Tool) && anyOf(r.purposes, w.Purpose) && anyPath(r.paths, w.Path)
}

// in is the rule's action in a zone. A rule that names its zones is meant there
// as it stands; any other one is narrowed like the table, but that what it
// blocks or drops stays so toward the zone clear.
func (r *rule) in(z Zone, typ pii.Type) Action {
	if len(r.zones) > 0 || z == ZoneClear && (typ == pii.Secret || r.action == Block || r.action == Drop) {
		return r.action
	}
	return narrow(r.action, z, typ)
}

// Sure returns the findings that the detector is sure enough of, in the same
// array. Without thresholds it is all of them, and costs nothing.
func (p *Profile) Sure(found []pii.Span) []pii.Span {
	if len(p.sure) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(s pii.Span) bool { return s.Score < p.sure[s.Type] })
}

// Labels returns the label that a finding of typ sets.
func (p *Profile) Labels(typ pii.Type) string { return Labels(typ) }

// Restores reports whether a pseudonym of typ becomes its value again at w: in
// arguments toward a server of the zone clear which a rule names. Secrets never.
// The attack: a server asks the model to repeat pseudonyms into its own
// arguments and would get clear values (TestRestoreIsNarrow).
func (p *Profile) Restores(w Where, typ pii.Type) bool {
	if w.Toward != Server || w.Zone != ZoneClear || typ == pii.Secret {
		return false
	}
	for i := range p.restore {
		r := &p.restore[i]
		if !r.FF1 && r.types[typ] && anyOf(r.Servers, w.Server) && anyOf(r.Tools, w.Tool) && anyOf(r.Purposes, w.Purpose) && anyPath(r.paths, w.Path) {
			return true
		}
	}
	return false
}

// RestoresDigits reports whether any rule is about numbers that FF1 made.
func (p *Profile) RestoresDigits() bool {
	return slices.ContainsFunc(p.restore, func(r restore) bool { return r.FF1 })
}

// Digits returns the type of the number at w that FF1 made, where a rule says so.
func (p *Profile) Digits(w Where) (pii.Type, bool) {
	if w.Toward != Server || w.Zone != ZoneClear {
		return "", false
	}
	for i := range p.restore {
		r := &p.restore[i]
		if r.FF1 && anyOf(r.Servers, w.Server) && anyOf(r.Tools, w.Tool) && anyOf(r.Purposes, w.Purpose) && anyPath(r.paths, w.Path) {
			return pii.Type(r.Types[0]), true
		}
	}
	return "", false
}

// Shaped returns what to do in place of a where the receiver's schema leaves no
// room for a pseudonym's text or a type in brackets. Outside Safe Harbor dates
// are shifted, numbers go through FF1 where they are long enough, and all else
// becomes an invented value. Safe Harbor allows a value that is the same for
// everybody, and no date at all. What was redacted becomes such a value
// everywhere: the reader is entitled to nothing that tells two people apart.
func (p *Profile) Shaped(a Action, f Finding) Action {
	if f.Schema.Free() {
		return a
	}
	switch a {
	case Redact, Mask:
		return p.constant(f)
	case Token, Hash, SIV:
		switch {
		case p.base.strict:
			return p.constant(f)
		case f.Type == pii.DateTime:
			return Shift
		case slices.Contains(digits, f.Type) && len(onlyDigits(f.Value)) >= 7 && numberLike(f.Value) && p.shape(f.Schema).fits(f.Value):
			return FF1
		}
		return Surrogate
	}
	return a
}

// Drawn reports whether what a schema leaves no room for becomes an invented value
// that is drawn once for each value, with the seed of its row in the vault: under
// Safe Harbor nothing may be derived from the person, and two people stay two. Not
// dates: a day that is wrong may be right for somebody.
func (p *Profile) Drawn(a Action, typ pii.Type) bool {
	return a == Token && p.base.strict && !p.keyed && typ != pii.DateTime
}

func (p *Profile) constant(f Finding) Action {
	if f.Type == pii.DateTime {
		return Drop
	}
	return Replace
}

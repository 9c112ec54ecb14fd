package privacy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"ostiary.dev/ostiary/internal/pii"
)

// whole is a profile with everything that it extends.
type whole struct {
	base  *builtin
	keyed bool
	fixed map[pii.Type]string
	sure  map[pii.Type]float64
	rules []*rule // the last one that matches decides
}

// rule is a compiled Rule.
type rule struct {
	key      string // its path, for Loosenings
	types    map[pii.Type]bool
	subs     []string
	zones    []Zone
	toward   []Toward
	servers  []string
	tools    []string
	purposes []string
	paths    []path
	action   Action
}

// profiles compiles every profile, those too that are not chosen: a problem is
// told before it is needed.
func (c *compiler) profiles() map[string]*whole {
	done := map[string]*whole{}
	for _, b := range builtins {
		done[b.name] = &whole{base: b, keyed: b.keyed}
	}
	if len(c.cfg.Profiles) > maxProfiles {
		c.add("profiles", "more than %d", maxProfiles)
		return done
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Profiles)) {
		// "all" finds everything, for privacy scan and measuring; it never stands
		// at the door, where it would hide what nobody asked to hide.
		if builtinOf(name) != nil || name == "" || name == "all" || len(name) > maxWord {
			c.add("profiles."+name, "is not a name for a profile of your own; choose another")
			continue
		}
		c.profile(name, done, nil)
	}
	return done
}

// profile compiles one profile after those that it extends. It is nil, and
// reported once, if that cannot be done.
func (c *compiler) profile(name string, done map[string]*whole, trail []string) *whole {
	if w, ok := done[name]; ok {
		return w
	}
	own, ok := c.cfg.Profiles[name]
	if !ok {
		return nil
	}
	key := "profiles." + name + ".extends"
	if slices.Contains(trail, name) || len(trail) >= maxDepth {
		c.add(key, "profiles extend each other in a circle, or more than %d deep", maxDepth)
		return nil
	}
	above := c.profile(own.Extends, done, append(trail, name))
	if above == nil {
		if _, told := c.cfg.Profiles[own.Extends]; !told {
			c.add(key, "%q is not a profile; there are %s", own.Extends, list(c.known()))
		}
		done[name] = nil
		return nil
	}
	w := &whole{base: above.base, keyed: above.keyed, fixed: maps.Clone(above.fixed), sure: maps.Clone(above.sure), rules: slices.Clone(above.rules)}
	done[name] = w
	c.own("profiles."+name, own, w)
	return w
}

// own lays what a profile itself says over what it extends.
func (c *compiler) own(key string, own Custom, w *whole) {
	if own.Keyed != nil {
		w.keyed = *own.Keyed
		if w.keyed && w.base.strict {
			c.add(key+".keyed", "%s: a code must not be derived from the person (45 CFR 164.514(c))", w.base.name)
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(own.Replace)) {
		at := key + ".replace." + typ
		text := own.Replace[typ]
		if !pii.Type(typ).Known() {
			c.add(at, "%q is not a type; there are %s", typ, list(pii.Types()))
		}
		if text == "" || len(text) > maxWord {
			c.add(at, "a value has 1 to %d bytes", maxWord)
		}
		if strings.ContainsAny(text, "\"\\") || strings.ContainsFunc(text, unicode.IsControl) {
			c.add(at, "a value has no quotes, backslashes and control characters: it may stand in JSON inside a text")
		}
		if w.fixed == nil {
			w.fixed = map[pii.Type]string{}
		}
		w.fixed[pii.Type(typ)] = text
	}
	for _, typ := range slices.Sorted(maps.Keys(own.Sure)) {
		c.sure(key+".sure."+typ, pii.Type(typ), own.Sure[typ])
		if w.sure == nil {
			w.sure = map[pii.Type]float64{}
		}
		w.sure[pii.Type(typ)] = own.Sure[typ]
	}
	if len(own.Rules) > maxRules {
		c.add(key+".rules", "more than %d", maxRules)
		return
	}
	for i, r := range own.Rules {
		w.rules = append(w.rules, c.rule(fmt.Sprintf("%s.rules[%d]", key, i), r, w.base))
	}
}

// sure checks how sure the detector must be of a type. Of a secret every finding
// counts: what is passed cannot be called back.
func (c *compiler) sure(key string, typ pii.Type, least float64) {
	switch {
	case typ == pii.Secret:
		c.add(key, "every finding of a secret counts")
	case !typ.Known():
		c.add(key, "%q is not a type; there are %s", typ, list(pii.Types()))
	}
	if !(least >= 0 && least <= 1) {
		c.add(key, "is 0 to 1")
	}
}

func (c *compiler) rule(key string, r Rule, base *builtin) *rule {
	out := &rule{key: key, action: Action(r.Action), subs: r.Subs, servers: r.Servers, tools: r.Tools, purposes: r.Purposes,
		types: c.types(key+".types", r.Types), paths: c.paths(key+".paths", r.Paths)}
	if out.types == nil {
		out.types = allButSecrets() // a rule about secrets names them
	}
	for i, z := range r.Zones {
		if !Zone(z).Known() {
			c.add(fmt.Sprintf("%s.zones[%d]", key, i), "%q is not a zone; there are clear, token, minimal, sealed", z)
		}
		out.zones = append(out.zones, Zone(z))
	}
	for i, t := range r.Toward {
		switch t {
		case "server":
			out.toward = append(out.toward, Server)
		case "client":
			out.toward = append(out.toward, Client)
		default:
			c.add(fmt.Sprintf("%s.toward[%d]", key, i), "%q is not server or client", t)
		}
	}
	for name, words := range map[string][]string{"subs": r.Subs, "servers": r.Servers, "tools": r.Tools, "purposes": r.Purposes} {
		c.words(key+"."+name, words)
	}
	c.action(key+".action", out, base)
	return out
}

// underived are the actions whose outcome is derived from the value, or is a part
// of it: 45 CFR 164.514(c) and (b)(2)(i)(R). The attack is a dictionary: who has
// the key tries every number there is (TestSafeHarborRefusesDerived).
var underived = []Action{Hash, SIV, FF1, Shift, Mask, Surrogate}

// ofSecrets are the actions that a secret may have. A part, a code or a token of
// one is of no use to anybody who should not have it.
var ofSecrets = []Action{Keep, Flag, Block, Drop, Redact}

// digits are the types whose values are numbers first of all. Not SSN: another
// SSN is another person's (a surrogate has area 000, which nobody has).
var digits = []pii.Type{pii.Phone, pii.CreditCard, pii.IBAN, pii.BankAccount, pii.DeviceID, pii.NationalID, pii.TaxID,
	pii.HealthID, pii.Passport, pii.DriverLicense, pii.VehicleID, pii.CompanyID, pii.OtherID}

func (c *compiler) action(key string, r *rule, base *builtin) {
	a := r.action
	if !a.Known() {
		c.add(key, "%q is not an action; there are %s", a, list(actions))
		return
	}
	if base.strict && slices.Contains(underived, a) {
		c.add(key, "%s refuses %s: what is left must not be derived from the person (45 CFR 164.514(c))", base.name, a)
	}
	if r.types[pii.Secret] && !slices.Contains(ofSecrets, a) {
		c.add(key, "a secret can only be %s", list(ofSecrets))
	}
	for _, t := range pii.Types() {
		switch {
		case !r.types[t]:
		case a == Shift && t != pii.DateTime:
			c.add(key, "shift is for DATE_TIME, not for %s", t)
			return
		case a == FF1 && !slices.Contains(digits, t):
			c.add(key, "ff1 is for values that are numbers, not for %s", t)
			return
		}
	}
}

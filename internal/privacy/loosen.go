package privacy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// Loosenings names everything that lets more through than the profile which
// ships, for the log at start. A rule is on the list when it lets more through
// in some zone and direction, wherever else it may be stricter.
func (p *Profile) Loosenings() []string {
	var out []string
	for _, r := range p.ordered {
		var types []string
		for _, t := range pii.Types() {
			if r.types[t] && p.looser(r, t) {
				types = append(types, string(t))
			}
		}
		if len(types) > 0 {
			out = append(out, fmt.Sprintf("%s (%s) lets more through than %s: %s", r.key, r.action, p.base.name, strings.Join(types, ", ")))
		}
	}
	for _, t := range slices.Sorted(maps.Keys(p.sure)) {
		if p.sure[t] > 0 {
			out = append(out, fmt.Sprintf("sure.%s: findings with a score below %v pass", t, p.sure[t]))
		}
	}
	if p.cfg.Shadow {
		out = append(out, "shadow: findings are counted, nothing is hidden or blocked")
	}
	if a := p.OnError(); a != Block {
		out = append(out, fmt.Sprintf("on_error: a failed scan does not block, but %s", a))
	}
	for _, word := range slices.Sorted(maps.Keys(p.cfg.Zones)) {
		if p.cfg.Zones[word] == ZoneClear {
			out = append(out, fmt.Sprintf("zones.%s: receivers see clear values, and pseudonyms that restore names", word))
		}
	}
	return out
}

// looser compares a rule with the table everywhere that the rule is meant for.
func (p *Profile) looser(r *rule, typ pii.Type) bool {
	subs := r.subs
	if len(subs) == 0 {
		subs = []string{""}
		for f := range p.base.subs {
			if f.typ == typ {
				subs = append(subs, f.sub)
			}
		}
	}
	for _, w := range everywhere() {
		if len(r.zones) > 0 && !slices.Contains(r.zones, w.Zone) || len(r.toward) > 0 && !slices.Contains(r.toward, w.Toward) {
			continue
		}
		for _, sub := range subs {
			if strength(r.in(w.Zone, typ)) < strength(p.table(w, typ, sub)) {
				return true
			}
		}
	}
	return false
}

// everywhere is every zone in both directions.
func everywhere() (out []Where) {
	for _, z := range []Zone{ZoneClear, ZoneToken, ZoneMinimal, ZoneSealed} {
		out = append(out, Where{Toward: Server, Zone: z}, Where{Toward: Client, Zone: z})
	}
	return out
}

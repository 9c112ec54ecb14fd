package privacy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// row says what a profile makes of a type in the zones clear, token, minimal and
// sealed.
type row struct {
	typ   pii.Type
	sub   string
	zones [4]Action
}

var zones = [4]Zone{ZoneClear, ZoneToken, ZoneMinimal, ZoneSealed}

// on is a row of an action: kept in clear, blocked in sealed, and without what
// links in minimal.
func on(typ pii.Type, token, minimal Action) row {
	return row{typ, "", [4]Action{Keep, token, minimal, Block}}
}

func off(typ pii.Type) row { return row{typ, "", [4]Action{Keep, Keep, Keep, Keep}} }

func (r row) of(sub string) row { r.sub = sub; return r }

// profileTables are all types of all profiles that ship.
var profileTables = map[string][]row{
	"secrets-only": {
		off(pii.Person), off(pii.Organization), off(pii.Location), off(pii.NRP), off(pii.Title), off(pii.Age), off(pii.DateTime),
		off(pii.DateTime).of("DATE_OF_BIRTH"), off(pii.Email), off(pii.Phone), off(pii.URL), off(pii.IPAddress), off(pii.MACAddress),
		off(pii.DeviceID), off(pii.CreditCard), off(pii.IBAN), off(pii.BankAccount), off(pii.Crypto), off(pii.SSN), off(pii.NationalID),
		off(pii.TaxID), off(pii.HealthID), off(pii.Passport), off(pii.DriverLicense), off(pii.VehicleID), off(pii.CompanyID), off(pii.OtherID),
	},
	"gdpr-minimal": {
		on(pii.Person, Token, Redact), off(pii.Organization), off(pii.Title), off(pii.Age), off(pii.CompanyID), off(pii.OtherID),
		on(pii.NRP, Drop, Drop), on(pii.Location, Generalize, Generalize), on(pii.Location, Generalize, Generalize).of("ZIP_CODE"),
		off(pii.DateTime), on(pii.DateTime, Generalize, Generalize).of("DATE_OF_BIRTH"), on(pii.Email, Token, Redact), on(pii.Phone, Token, Redact),
		{pii.URL, "", [4]Action{Keep, Generalize, Generalize, Generalize}}, on(pii.IPAddress, Generalize, Generalize),
		on(pii.MACAddress, Token, Redact), on(pii.DeviceID, Token, Redact), on(pii.CreditCard, Redact, Redact), on(pii.IBAN, Token, Redact),
		on(pii.BankAccount, Token, Redact), on(pii.Crypto, Token, Redact), on(pii.SSN, Redact, Redact), on(pii.NationalID, Redact, Redact),
		on(pii.TaxID, Redact, Redact), on(pii.HealthID, Token, Redact), on(pii.HealthID, Redact, Redact).of("UK_NHS"),
		on(pii.Passport, Redact, Redact), on(pii.DriverLicense, Redact, Redact), on(pii.VehicleID, Token, Redact),
	},
	"hipaa-safe-harbor": {
		on(pii.Person, Token, Redact), on(pii.Organization, Token, Redact), off(pii.Title), on(pii.NRP, Flag, Flag), on(pii.CompanyID, Flag, Flag),
		on(pii.Location, Redact, Redact), on(pii.Location, Redact, Redact).of("STREET_ADDRESS"), on(pii.Location, Redact, Redact).of("UK_POSTCODE"),
		on(pii.Location, Generalize, Generalize).of("ZIP_CODE"), on(pii.DateTime, Generalize, Generalize), on(pii.Age, Generalize, Generalize),
		on(pii.DateTime, Generalize, Generalize).of("DATE_OF_BIRTH"), on(pii.Phone, Token, Redact), on(pii.Email, Token, Redact),
		on(pii.SSN, Token, Redact), on(pii.HealthID, Token, Redact), on(pii.IBAN, Token, Redact), on(pii.BankAccount, Token, Redact),
		on(pii.CreditCard, Token, Redact), on(pii.Passport, Token, Redact), on(pii.DriverLicense, Token, Redact), on(pii.VehicleID, Token, Redact),
		on(pii.DeviceID, Token, Redact), on(pii.MACAddress, Token, Redact), on(pii.URL, Redact, Redact), on(pii.IPAddress, Redact, Redact),
		on(pii.NationalID, Token, Redact), on(pii.TaxID, Token, Redact), on(pii.Crypto, Token, Redact), on(pii.OtherID, Token, Redact),
	},
}

// TestProfiles pins every type of every profile that ships, in every zone and
// direction. A type that is missing here fails.
func TestProfiles(t *testing.T) {
	for name, rows := range profileTables {
		p := named(t, name)
		for _, typ := range pii.Types() {
			if typ != pii.Secret && !slices.ContainsFunc(rows, func(r row) bool { return r.typ == typ }) {
				t.Errorf("%s: the test has no row for %s", name, typ)
			}
		}
		looks := map[pii.Type]bool{}
		for _, r := range rows {
			for i, z := range zones {
				for _, toward := range []Toward{Server, Client} {
					if got := p.Decide(Where{Toward: toward, Zone: z}, r.typ, r.sub); got != r.zones[i] {
						t.Errorf("%s: %s %s toward %d in %s: %s, want %s", name, r.typ, r.sub, toward, z, got, r.zones[i])
					}
				}
				looks[r.typ] = looks[r.typ] || r.zones[i] != Keep
			}
		}
		for _, typ := range pii.Types() {
			if got := p.Scanner().Wants(typ); got != (looks[typ] || typ == pii.Secret) {
				t.Errorf("%s: looks for %s: %v", name, typ, got)
			}
		}
	}
	if len(profileTables) != len(Names()) {
		t.Errorf("%d tables for %v", len(profileTables), Names())
	}
}

// TestSecretsEverywhere: no profile lets a secret through in any zone.
func TestSecretsEverywhere(t *testing.T) {
	for _, name := range Names() {
		p := named(t, name)
		for _, w := range everywhere() {
			want := Block
			if w.Toward == Client && w.Zone != ZoneSealed {
				want = Redact
			}
			if got := p.Decide(w, pii.Secret, "AWS_ACCESS_KEY"); got != want {
				t.Errorf("%s toward %d in %s: %s, want %s", name, w.Toward, w.Zone, got, want)
			}
		}
	}
}

// TestDecideFailsClosed: a place that nobody filled in, a zone and a type that
// nobody knows.
func TestDecideFailsClosed(t *testing.T) {
	p := named(t, "gdpr-minimal")
	if got := p.Decide(Where{Zone: ZoneClear}, pii.Email, ""); got != Block {
		t.Errorf("toward nobody: %s", got)
	}
	for _, z := range []Zone{"", "clearer", "CLEAR"} {
		if got := p.Decide(Where{Toward: Client, Zone: z}, pii.Email, ""); got != Redact {
			t.Errorf("zone %q: %s", z, got)
		}
	}
	if got := p.Decide(Where{Toward: Client, Zone: ZoneToken}, "FINGERPRINT", ""); got != Block {
		t.Errorf("an unknown type: %s", got)
	}
}

// TestZoneWords: what the configuration says of a word, the four words by
// themselves, and minimal for the rest.
func TestZoneWords(t *testing.T) {
	p := compiled(t, Config{Zones: map[string]Zone{"intern": ZoneClear, "clear": ZoneSealed}})
	for word, want := range map[string]Zone{"intern": ZoneClear, "clear": ZoneSealed, "token": ZoneToken, "sealed": ZoneSealed, "": ZoneMinimal, "x": ZoneMinimal} {
		if got := p.Zone(word); got != want {
			t.Errorf("%q is %s, want %s", word, got, want)
		}
	}
}

// TestCustom: the last rule that matches decides; each of its lists narrows it.
func TestCustom(t *testing.T) {
	p := compiled(t, Config{Profile: "desk", Profiles: map[string]Custom{
		"desk": {Extends: "base", Rules: []Rule{
			{Types: []string{"EMAIL"}, Servers: []string{"crm-*"}, Tools: []string{"find"}, Purposes: []string{"support"}, Action: "mask"},
			{Types: []string{"PHONE"}, Zones: []string{"minimal"}, Action: "token"},
			{Types: []string{"TAX_ID"}, Subs: []string{"DE_TAX_ID"}, Toward: []string{"client"}, Action: "hash"},
			{Paths: []string{"**.note"}, Action: "block"},
		}},
		"base": {Extends: "gdpr-minimal", Rules: []Rule{{Types: []string{"EMAIL"}, Action: "surrogate"}}},
	}})
	crm := Where{Toward: Client, Zone: ZoneToken, Server: "crm-eu", Tool: "find", Purpose: "support"}
	for i, c := range []struct {
		change func(*Where)
		typ    pii.Type
		sub    string
		want   Action
	}{
		{func(*Where) {}, pii.Email, "", Mask},
		{func(w *Where) { w.Zone = ZoneMinimal }, pii.Email, "", Redact},
		{func(w *Where) { w.Zone = ZoneClear }, pii.Email, "", Keep},
		{func(w *Where) { w.Zone = ZoneSealed }, pii.Email, "", Block},
		{func(w *Where) { w.Server = "mail" }, pii.Email, "", Surrogate},
		{func(w *Where) { w.Server = "my-crm-eu" }, pii.Email, "", Surrogate},
		{func(w *Where) { w.Tool = "finder" }, pii.Email, "", Surrogate},
		{func(w *Where) { w.Purpose = "" }, pii.Email, "", Surrogate},
		{func(w *Where) { w.Path = "tickets[*].note" }, pii.Email, "", Block},
		{func(w *Where) { w.Path = "note" }, pii.Email, "", Block},
		{func(w *Where) { w.Path = "tickets[*].note"; w.Zone = ZoneClear }, pii.Email, "", Block},
		{func(w *Where) { w.Path = "notes" }, pii.Email, "", Mask},
		{func(w *Where) { w.Path = "tickets[*].note" }, pii.Secret, "", Redact},
		{func(w *Where) { w.Zone = ZoneMinimal }, pii.Phone, "", Token},
		{func(*Where) {}, pii.TaxID, "DE_TAX_ID", Hash},
		{func(*Where) {}, pii.TaxID, "US_ITIN", Redact},
		{func(w *Where) { w.Toward = Server }, pii.TaxID, "DE_TAX_ID", Redact},
	} {
		w := crm
		c.change(&w)
		if got := p.Decide(w, c.typ, c.sub); got != c.want {
			t.Errorf("case %d, %+v, %s: %s, want %s", i, w, c.typ, got, c.want)
		}
	}
	want := []string{
		"profiles.base.rules[0] (surrogate) lets more through than gdpr-minimal: EMAIL",
		"profiles.desk.rules[0] (mask) lets more through than gdpr-minimal: EMAIL",
		"profiles.desk.rules[1] (token) lets more through than gdpr-minimal: PHONE",
		"profiles.desk.rules[2] (hash) lets more through than gdpr-minimal: TAX_ID",
	}
	if got := p.Loosenings(); !slices.Equal(got, want) {
		t.Errorf("loosenings:\n%s", strings.Join(got, "\n"))
	}
}

// TestLoosenings: what is stricter is not on the list, what opens is.
func TestLoosenings(t *testing.T) {
	for _, name := range Names() {
		if got := named(t, name).Loosenings(); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	rules := func(r ...Rule) Config {
		return Config{Profile: "p", Profiles: map[string]Custom{"p": {Extends: "hipaa-safe-harbor", Rules: r}}}
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{rules(Rule{Types: []string{"EMAIL"}, Action: "redact"}), ""},
		{rules(Rule{Types: []string{"EMAIL", "PHONE"}, Action: "keep"}), "profiles.p.rules[0] (keep) lets more through than hipaa-safe-harbor: EMAIL, PHONE"},
		{rules(Rule{Types: []string{"SECRET"}, Action: "flag"}), "profiles.p.rules[0] (flag) lets more through than hipaa-safe-harbor: SECRET"},
		{rules(Rule{Types: []string{"SECRET"}, Toward: []string{"client"}, Zones: []string{"clear", "token", "minimal"}, Action: "block"}), ""},
		{rules(Rule{Types: []string{"SECRET"}, Action: "redact"}), "profiles.p.rules[0] (redact) lets more through than hipaa-safe-harbor: SECRET"},
		{rules(Rule{Types: []string{"LOCATION"}, Subs: []string{"GEO"}, Action: "generalize"}), "profiles.p.rules[0] (generalize) lets more through than hipaa-safe-harbor: LOCATION"},
		{Config{Shadow: true}, "shadow: findings are counted, nothing is hidden or blocked"},
		{Config{OnError: "flag"}, "on_error: a failed scan does not block, but flag"},
		{Config{Zones: map[string]Zone{"b": ZoneClear, "a": ZoneSealed}}, "zones.b: receivers see clear values, and pseudonyms that restore names"},
	} {
		if got := strings.Join(compiled(t, c.cfg).Loosenings(), "\n"); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.cfg, got, c.want)
		}
	}
}

// TestCompileRefuses has every problem with the path of its key, and a word of
// its sentence.
func TestCompileRefuses(t *testing.T) {
	yes := true
	rule := func(r Rule) Config {
		return Config{Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal", Rules: []Rule{{Action: "redact"}, r}}}}
	}
	strict := func(action string) Config {
		return Config{Profiles: map[string]Custom{"mid": {Extends: "hipaa-safe-harbor"},
			"own": {Extends: "mid", Rules: []Rule{{Types: []string{"DATE_TIME"}, Action: action}}}}}
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Profile: "gdpr"}, `profile: "gdpr" is not a profile; there are secrets-only, gdpr-minimal, hipaa-safe-harbor`},
		{Config{Profile: "all"}, `profile: "all" is not a profile`},
		{Config{OnError: "pass"}, "on_error: "},
		{Config{Scope: []string{"tenant", "world"}}, "scope[1]: "},
		{Config{Expiry: -1}, "expiry: "},
		{Config{Zones: map[string]Zone{"x": "open"}}, "zones.x: "},
		{Config{Patterns: []pii.Pattern{{Name: "a", Expr: "a+"}, {Name: "b", Expr: `(a)\1`}}}, "patterns[1]: RE2 refuses it"},
		{Config{Patterns: []pii.Pattern{{Name: "a", Expr: "a+"}, {Name: "a", Expr: `b`}}}, "patterns[1]: its name"},
		{Config{Patterns: []pii.Pattern{{Name: "a", Type: "X", Expr: "a+"}}}, "patterns[0]: "},
		{rule(Rule{Types: []string{"EMAIL", "MAIL"}, Action: "keep"}), `profiles.own.rules[1].types[1]: "MAIL" is not a type; there are PERSON`},
		{rule(Rule{Zones: []string{"open"}, Action: "keep"}), "profiles.own.rules[1].zones[0]: "},
		{rule(Rule{Toward: []string{"up"}, Action: "keep"}), "profiles.own.rules[1].toward[0]: "},
		{rule(Rule{Servers: []string{"a", ""}, Action: "keep"}), "profiles.own.rules[1].servers[1]: "},
		{rule(Rule{Paths: []string{"a..b"}, Action: "keep"}), "profiles.own.rules[1].paths[0]: "},
		{rule(Rule{Action: ""}), `profiles.own.rules[1].action: "" is not an action; there are keep, flag`},
		{rule(Rule{Action: "encrypt"}), "profiles.own.rules[1].action: "},
		{rule(Rule{Action: "shift"}), "profiles.own.rules[1].action: shift is for DATE_TIME, not for PERSON"},
		{rule(Rule{Types: []string{"US_SSN"}, Action: "ff1"}), "profiles.own.rules[1].action: ff1 is for values that are numbers"},
		{rule(Rule{Types: []string{"SECRET"}, Action: "token"}), "profiles.own.rules[1].action: a secret can only be"},
		{rule(Rule{Types: []string{"SECRET"}, Action: "mask"}), "profiles.own.rules[1].action: a secret can only be"},
		{strict("hash"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses hash"},
		{strict("siv"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses siv"},
		{strict("ff1"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses ff1"},
		{strict("shift"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses shift"},
		{strict("mask"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses mask"},
		{strict("surrogate"), "profiles.own.rules[0].action: hipaa-safe-harbor refuses surrogate"},
		{Config{Profiles: map[string]Custom{"own": {Extends: "hipaa-safe-harbor", Keyed: &yes}}}, "profiles.own.keyed: hipaa-safe-harbor: a code must not be derived"},
		{Config{Profiles: map[string]Custom{"own": {}}}, `profiles.own.extends: "" is not a profile`},
		{Config{Profiles: map[string]Custom{"own": {Extends: "all"}}}, `profiles.own.extends: "all" is not a profile`},
		{Config{Profiles: map[string]Custom{"own": {Extends: "own"}}}, "profiles.own.extends: profiles extend each other in a circle"},
		{Config{Profiles: map[string]Custom{"a": {Extends: "b"}, "b": {Extends: "a"}}}, "profiles.a.extends: profiles extend each other in a circle"},
		{Config{Profiles: map[string]Custom{"gdpr-minimal": {Extends: "secrets-only"}}}, "profiles.gdpr-minimal: is not a name"},
		{Config{Profiles: map[string]Custom{"all": {Extends: "secrets-only"}}}, "profiles.all: is not a name"},
		{Config{Profiles: map[string]Custom{"own": {Extends: "secrets-only", Replace: map[string]string{"MAIL": "x"}}}}, "profiles.own.replace.MAIL: "},
		{Config{Profiles: map[string]Custom{"own": {Extends: "secrets-only", Replace: map[string]string{"EMAIL": ""}}}}, "profiles.own.replace.EMAIL: "},
		{Config{Restore: []RestoreRule{{Paths: []string{"a"}}}}, "restore[0].servers: "},
		{Config{Restore: []RestoreRule{{Servers: []string{"a"}}}}, "restore[0].paths: "},
		{Config{Restore: []RestoreRule{{Servers: []string{"a"}, Paths: []string{"a"}, Types: []string{"SECRET"}}}}, "restore[0].types: "},
	} {
		_, err := Compile(c.cfg)
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+c.want) {
			t.Errorf("%+v:\n%v\nwant %s", c.cfg, err, c.want)
		}
	}
}

// TestCompileReportsAll: one run finds every problem.
func TestCompileReportsAll(t *testing.T) {
	_, err := Compile(Config{Profile: "x", OnError: "y", Scope: []string{"z"}, Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal",
		Rules: []Rule{{Types: []string{"A", "B"}, Action: "c"}}}}})
	ps, ok := err.(Problems)
	if !ok || len(ps) != 6 {
		t.Errorf("%d problems: %v", len(ps), err)
	}
}

// TestPatternsAct: what an operator looks for is hidden under every profile.
func TestPatternsAct(t *testing.T) {
	for name, want := range map[string]Action{"secrets-only": Redact, "gdpr-minimal": Redact, "hipaa-safe-harbor": Token} {
		p := compiled(t, Config{Profile: name, Patterns: []pii.Pattern{{Name: "badge", Expr: `ZZ-[0-9]{6}`}}})
		if got := p.Decide(Where{Toward: Client, Zone: ZoneToken}, pii.OtherID, "badge"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if out, _ := hidden(t, p, Where{Toward: Client, Zone: ZoneMinimal}, "badge ZZ-123456."); strings.Contains(out, "123456") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// TestRestoreIsNarrow: toward a server of the zone clear, at the place, for the
// purpose and of the type that one rule names, and nowhere else.
func TestRestoreIsNarrow(t *testing.T) {
	p := compiled(t, Config{Profile: "gdpr-minimal", Restore: []RestoreRule{{Servers: []string{"crm"}, Tools: []string{"find"},
		Purposes: []string{"support"}, Paths: []string{"to[*].mail"}, Types: []string{"EMAIL"}}, {Servers: []string{"all"}, Paths: []string{"**"}}}})
	good := Where{Toward: Server, Zone: ZoneClear, Server: "crm", Tool: "find", Purpose: "support", Path: "to[*].mail"}
	if !p.Restores(good, pii.Email) {
		t.Error("the one place is refused")
	}
	for name, change := range map[string]func(*Where){
		"client": func(w *Where) { w.Toward = Client }, "nobody": func(w *Where) { w.Toward = 0 },
		"token": func(w *Where) { w.Zone = ZoneToken }, "minimal": func(w *Where) { w.Zone = ZoneMinimal }, "no zone": func(w *Where) { w.Zone = "" },
		"server": func(w *Where) { w.Server = "crm2" }, "tool": func(w *Where) { w.Tool = "" }, "purpose": func(w *Where) { w.Purpose = "" },
		"no path": func(w *Where) { w.Path = "" }, "above": func(w *Where) { w.Path = "to[*]" }, "below": func(w *Where) { w.Path = "to[*].mail.x" },
		"all, no path": func(w *Where) { w.Server, w.Path = "all", "" },
	} {
		w := good
		change(&w)
		if p.Restores(w, pii.Email) {
			t.Errorf("%s: restored", name)
		}
	}
	if p.Restores(good, pii.Phone) {
		t.Error("another type is restored")
	}
	all := Where{Toward: Server, Zone: ZoneClear, Server: "all", Path: "x"}
	if !p.Restores(all, pii.Phone) || p.Restores(all, pii.Secret) {
		t.Error("no types named: all but secrets")
	}
}

func TestScopeAndDefaults(t *testing.T) {
	no := false
	for _, c := range []struct {
		cfg   Config
		scope string
		keyed bool
		base  string
	}{
		{Config{}, "[tenant session]", false, "secrets-only"},
		{Config{Profile: "gdpr-minimal"}, "[tenant server purpose]", true, "gdpr-minimal"},
		{Config{Profile: "hipaa-safe-harbor"}, "[tenant session]", false, "hipaa-safe-harbor"},
		{Config{Profile: "own", Scope: []string{"agent"}, Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal", Keyed: &no}}}, "[tenant agent]", false, "gdpr-minimal"},
	} {
		p := compiled(t, c.cfg)
		if got := fmt.Sprint(p.Scope()); got != c.scope || p.Keyed() != c.keyed || p.Base() != c.base || p.OnError() != Block || p.Shadow() {
			t.Errorf("%+v: %s %v %s %s", c.cfg, got, p.Keyed(), p.Base(), p.OnError())
		}
	}
}

// TestDecideAllocatesNothing: it is asked for every finding of every message.
func TestDecideAllocatesNothing(t *testing.T) {
	p := compiled(t, Config{Profile: "own", Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal", Rules: []Rule{
		{Servers: []string{"a*", "b"}, Paths: []string{"**.x[*].y"}, Action: "keep"}}}}})
	w := Where{Toward: Client, Zone: ZoneToken, Server: "b", Path: "a.b[*].x[*].y"}
	var got Action
	if n := testing.AllocsPerRun(100, func() { got = p.Decide(w, pii.Email, "") }); n != 0 || got != Keep {
		t.Errorf("%v allocations, %s", n, got)
	}
}

// TestSure: what the detector is not sure enough of is no finding, by type; the
// threshold is inherited, told at start, and never of a secret.
func TestSure(t *testing.T) {
	own := map[string]Custom{"a": {Extends: "gdpr-minimal", Sure: map[string]float64{"PERSON": 0.8, "EMAIL": 0.5}},
		"b": {Extends: "a", Sure: map[string]float64{"EMAIL": 0}}}
	found := func() []pii.Span {
		return []pii.Span{{Start: 1, Type: pii.Person, Score: 0.79}, {Start: 2, Type: pii.Person, Score: 0.8}, {Start: 3, Type: pii.Email, Score: 0.4}, {Start: 4, Type: pii.Secret, Score: 0.1}}
	}
	for profile, want := range map[string][]int{"gdpr-minimal": {1, 2, 3, 4}, "a": {2, 4}, "b": {2, 3, 4}} {
		p, err := Compile(Config{Profile: profile, Profiles: own})
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, s := range p.Sure(found()) {
			got = append(got, s.Start)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", profile, got, want)
		}
		if told := strings.Contains(strings.Join(p.Loosenings(), " "), "sure.PERSON"); told != (profile != "gdpr-minimal") {
			t.Errorf("%s: told at start: %v", profile, told)
		}
	}
	for _, bad := range []map[string]float64{{"SECRET": 0}, {"NOTHING": 0.5}, {"EMAIL": 1.1}, {"EMAIL": -0.1}, {"EMAIL": math.NaN()}} {
		if _, err := Compile(Config{Profiles: map[string]Custom{"a": {Extends: "gdpr-minimal", Sure: bad}}}); err == nil || !strings.Contains(err.Error(), "profiles.a.sure.") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestNothingEndsAString: what takes a value's place may stand in JSON inside a text,
// where a quote of it would end the string.
func TestNothingEndsAString(t *testing.T) {
	for _, text := range []string{`the "number"`, `a\b`, "two\nlines"} {
		_, err := Compile(Config{Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal", Replace: map[string]string{"PHONE": text}}}})
		if err == nil || !strings.Contains(err.Error(), "profiles.own.replace.PHONE: a value has no quotes") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := mask("Karla Brandt\"\\\n\""); strings.ContainsAny(got, "\"\\\n") {
		t.Errorf("%q", got)
	}
}

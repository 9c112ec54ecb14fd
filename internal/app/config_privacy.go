package app

// PrivacyConfig is what becomes of personal data and secrets in messages
// (docs/privacy.md).
type PrivacyConfig struct {
	// Profile says what is looked for and what becomes of it: secrets-only,
	// gdpr-minimal, hipaa-safe-harbor, or a name of profiles. Default:
	// secrets-only: credentials go to no server and reach no client, all else
	// passes.
	Profile string `yaml:"profile" reload:"hot"`
	// Profiles are the operator's own. Each begins with another one and says
	// what is different; what it lets through more is logged at start.
	Profiles []ProfileConfig `yaml:"profiles" reload:"hot"`
	// Patterns are further things to look for.
	Patterns []PatternConfig `yaml:"patterns" reload:"hot"`
	// Zones say how far the zones of agents and servers are trusted: clear,
	// token, minimal or sealed. Those four words stand for themselves. Default:
	// a zone that is not listed, and none, is minimal.
	Zones map[string]string `yaml:"zones" reload:"hot"`
	// Shadow counts what would be done and changes nothing. Default: false.
	Shadow bool `yaml:"shadow" reload:"hot"`
	// OnError says what becomes of a message that the detector failed on:
	// block, redact (the whole content of a result is withheld) or flag (it
	// passes, and the record says so). Default: block.
	OnError string `yaml:"on_error" enum:"block,redact,flag" reload:"hot"`
	// Scope is within what the same value has the same pseudonym: any of
	// tenant, session, agent, server, purpose. Default: as the profile says.
	Scope []string `yaml:"scope" reload:"hot"`
	// Expiry is how long pseudonyms can be turned back. Default: 720h.
	Expiry Duration `yaml:"expiry" min:"1m" max:"87600h" reload:"hot"`
	// NewValues is how many different values one caller may have pseudonyms made for
	// in an hour; a message that comes after them is refused. Default: 100000.
	NewValues int `yaml:"new_values" min:"1" max:"100000000" reload:"hot"`
	// Restore names the servers, of the zone clear, for which pseudonyms in
	// arguments are turned back. Default: none.
	Restore []RestoreConfig `yaml:"restore" reload:"hot"`
	// Subjects name the members that say whom a record is about, so that what is
	// hidden of a person can be erased together. Default: none.
	Subjects []SubjectConfig `yaml:"subjects" reload:"hot"`
	// Sidecar is a detector outside that is asked besides. Default: none.
	Sidecar SidecarConfig `yaml:"sidecar"`
	// Reveal is how many people it takes to reveal the value behind a pseudonym:
	// one, or two, of whom the second agrees to what the first asked for.
	// Default: one.
	Reveal string `yaml:"reveal" enum:"one,two" reload:"hot"`
	// Learn counts which members of results later arguments use, so that
	// ostiary filter suggest can propose filters. Paths and counts are kept in
	// memory, never values. Default: false.
	Learn bool `yaml:"learn"`
}

// ProfileConfig is a profile of the operator's own.
type ProfileConfig struct {
	// Name is what profile and extends call it.
	Name string `yaml:"name" required:"true"`
	// Extends is the profile that it begins with.
	Extends string `yaml:"extends" required:"true"`
	// Keyed makes pseudonyms by a key (true) or draws them (false). Default: as
	// the profile that it extends.
	Keyed *bool `yaml:"keyed"`
	// Replace gives the fixed text of the action replace by type.
	Replace map[string]string `yaml:"replace"`
	// Sure says by type how sure the detector must be, from 0 to 1; what it is less
	// sure of passes. Of a name under a key it is surer than of one in prose; privacy
	// explain shows the scores. Default: every finding counts.
	Sure map[string]*float64 `yaml:"sure" min:"0" max:"1"`
	// Rules say what is different. The last one that matches decides.
	Rules []PrivacyRule `yaml:"rules"`
}

// PrivacyRule says what becomes of what it matches. A list that is left out
// matches everything; in names and paths * stands for any text.
type PrivacyRule struct {
	// Types are types of findings, such as EMAIL.
	Types []string `yaml:"types"`
	// Subs are fine labels, such as DE_TAX_ID.
	Subs []string `yaml:"subs"`
	// Zones are trust zones of the receiver.
	Zones []string `yaml:"zones"`
	// Toward is server, client or both.
	Toward []string `yaml:"toward"`
	// Servers are names of servers, in both directions.
	Servers []string `yaml:"servers"`
	// Tools are names of tools.
	Tools []string `yaml:"tools"`
	// Purposes are those of grants.
	Purposes []string `yaml:"purposes"`
	// Paths are places below the arguments or the structured result, such as
	// patient.name, rows[*].email or **.note.
	Paths []string `yaml:"paths"`
	// Action is keep, flag, block, drop, redact, mask, replace, generalize,
	// hash, token, siv, ff1, shift or surrogate.
	Action string `yaml:"action" required:"true"`
}

// PatternConfig is a thing to look for in RE2's syntax.
type PatternConfig struct {
	// Name stands in records and reports.
	Name string `yaml:"name" required:"true"`
	// Type is the type of its findings. Default: OTHER_ID.
	Type string `yaml:"type"`
	// Expr is the expression, at most 1,000 bytes.
	Expr string `yaml:"expr" required:"true"`
}

// RestoreConfig names where pseudonyms are turned back.
type RestoreConfig struct {
	// Servers are names of servers in the zone clear.
	Servers []string `yaml:"servers" required:"true"`
	// Tools are names of tools. Default: all.
	Tools []string `yaml:"tools"`
	// Purposes are those of grants. Default: all.
	Purposes []string `yaml:"purposes"`
	// Paths are places below the arguments. ** is all of them.
	Paths []string `yaml:"paths" required:"true"`
	// Types are the types that are turned back. Default: all but SECRET.
	Types []string `yaml:"types"`
	// FF1 says that every number at these paths was made by ff1, of the one type
	// that the rule names. Nothing proves it: a number that was not becomes
	// another one. Default: false.
	FF1 bool `yaml:"ff1"`
}

// SubjectConfig names members that hold the id of a person whom data is about.
// All that is found in the same record belongs to that person.
type SubjectConfig struct {
	// Kind says what the ids are of, such as patient. privacy subject erase
	// --subject takes kind:id.
	Kind string `yaml:"kind" required:"true"`
	// Servers are names of servers.
	Servers []string `yaml:"servers" required:"true"`
	// Tools are names of tools. Default: all.
	Tools []string `yaml:"tools"`
	// Paths are places below the arguments, the structured result, or a text that
	// is JSON, such as patients[*].id.
	Paths []string `yaml:"paths" required:"true"`
	// Up is how many objects and arrays above the member's own object the record
	// is. Default: 0, the object that holds the member.
	Up int `yaml:"up" min:"0" max:"8"`
}

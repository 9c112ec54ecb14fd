package clientfile

import "slices"

// WrapEntry returns the entry that stands in for a server: the stdio shim,
// which speaks to the running gateway and starts nothing itself. Without a
// server the entry reaches all that the agent may use, under the name ostiary.
func WrapEntry(app App, binary, dir, agent, server string) Entry {
	e := Entry{App: app, Name: server, Type: "stdio", Command: binary,
		Args: []string{"wrap", "--agent", agent, "--server", server, "--dir", dir}}
	if server == "" {
		e.Name, e.Args = "ostiary", []string{"wrap", "--agent", agent, "--dir", dir}
	}
	switch app {
	case Copilot:
		e.Extra = []Member{{Key: "tools", Raw: `["*"]`}}
	case Zed:
		e.Extra = []Member{{Key: "source", Raw: `"custom"`}}
	}
	return e
}

// IsWrap reports whether an entry is the stdio shim of binary.
func IsWrap(e Entry, binary string) bool {
	return e.Command == binary && len(e.Args) > 0 && e.Args[0] == "wrap"
}

// carried are the members that say how the client treats the server rather
// than what it is; none can hold a credential.
var carried = []string{"timeout", "trust", "description", "tools", "includeTools", "excludeTools", "autoApprove", "alwaysAllow",
	"disabledTools", "alwaysLoad", "gallery", "startup_timeout_sec", "startup_timeout_ms", "tool_timeout_sec", "enabled_tools",
	"disabled_tools", "required", "source"}

// Carry returns replacement with the settings of old that still apply to it:
// whether it is on, time limits, the client's own tool lists. Everything else,
// known or not, leaves the file with the old entry.
func Carry(old, replacement Entry) Entry {
	replacement.Name, replacement.Project = old.Name, old.Project
	replacement.Disabled = old.Disabled
	extra := slices.Clone(replacement.Extra)
	for _, m := range old.Extra {
		if !slices.Contains(carried, m.Key) {
			continue
		}
		at := slices.IndexFunc(extra, func(x Member) bool { return x.Key == m.Key })
		switch {
		case at < 0:
			extra = append(extra, m)
		case m.Key != "source":
			extra[at] = m
		}
	}
	replacement.Extra = extra
	return replacement
}

package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/wire"
)

// FilterAPI is how operators say which parts of answers callers receive.
type FilterAPI interface {
	ApplyFilter(context.Context, ApplyFilter) (Done[FilterView], error)
	RemoveFilter(context.Context, RemoveFilter) (Done[FilterView], error)
	Filters(context.Context, None) ([]FilterView, error)
	Filter(context.Context, FilterVersion) (FilterView, error)
	FilterHistory(context.Context, ID) ([]FilterView, error)
	RollbackFilter(context.Context, RollbackFilter) (Done[FilterView], error)
	SuggestFilter(context.Context, SuggestFilter) (FilterProposal, error)
}

// ApplyFilter puts a file of rules in force in place of the one of the same
// server.
type ApplyFilter struct {
	Change
	Server string `json:"server,omitempty"` // "" = the rules say which servers they are about
	Name   string `json:"name,omitempty"`   // of the file
	Text   string `json:"text"`             // YAML
}

// RemoveFilter takes the filter of a server away.
type RemoveFilter struct {
	Change
	Server string `json:"server"` // "*" = the one of all servers
}

// FilterView is a filter as people see it.
type FilterView struct {
	Server   string    `json:"server"` // "*" = the rules say which
	Version  uint64    `json:"version"`
	State    string    `json:"state,omitempty"` // of a version: active, replaced
	Rules    int       `json:"rules"`
	File     string    `json:"file"`
	Hash     string    `json:"hash"`
	Previous string    `json:"previous,omitempty"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	Text     string    `json:"text,omitempty"`
}

// SuggestFilter asks for a proposal from what was learned, here and elsewhere.
type SuggestFilter struct {
	Server  string           `json:"server"`
	Tool    string           `json:"tool,omitempty"`
	Learned []filter.Learned `json:"learned,omitempty"` // from a file of results
}

// FilterProposal is a filter that nobody has applied.
type FilterProposal struct {
	Server string `json:"server"`
	Tools  int    `json:"tools"` // that something was learned about
	Text   string `json:"text"`  // YAML
}

// filterDetail is the recorded detail: hashes tell which text, the store holds it.
type filterDetail struct {
	Version uint64 `json:"version"`
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
	File    string `json:"file,omitempty"`
	Rules   int    `json:"rules"`
	Of      uint64 `json:"of,omitempty"` // version that came back
}

func filterID(server string) string { return cmp.Or(server, registry.FilterAll) }

// filterAct names the act on one filter, which has to say why: it decides what
// everybody receives.
func filterAct(kind, id string, c Change) (*act, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return nil, invalid("add --reason TEXT", "a change of filters needs a reason")
	}
	return &act{kind: kind, subject: id, noun: registry.NounRef{Kind: registry.KindFilter, ID: id}, what: "the filter of " + id, Change: c}, nil
}

// ApplyFilter checks a filter and puts it in force. One that cannot be read
// changes nothing.
func (o *operator) ApplyFilter(_ context.Context, r ApplyFilter) (Done[FilterView], error) {
	return o.applyFilter("filter.apply", r, 0)
}

// applyFilter puts r in force as an act of a kind; of is the version that it was.
func (o *operator) applyFilter(kind string, r ApplyFilter, of uint64) (Done[FilterView], error) {
	var out Done[FilterView]
	id := filterID(r.Server)
	rules, err := filter.ParseFor(id, cmp.Or(r.Name, "filter"), []byte(r.Text))
	if err != nil {
		return out, &Error{Code: Invalid, Message: "the filter is not valid; the one in force stays", Cause: err.Error(),
			Fix: "correct each line, and try it with: ostiary filter test FILE RESULT"}
	}
	t, err := filterAct(kind, id, r.Change)
	if err != nil {
		return out, err
	}
	err = o.change(t, func(s store.Store) (any, error) {
		if id != registry.FilterAll {
			if _, err := s.Server(id); err != nil {
				return nil, asError("server "+id, err)
			}
		}
		f, err := o.nextFilter(s, id, r)
		if err != nil {
			return nil, err
		}
		out.Item, out.Notices = o.viewFilter(id, f), o.unknownNames(rules)
		return filterDetail{f.Version, f.Previous, f.Hash, f.Name, len(rules), of}, putFilter(s, id, f)
	})
	if err != nil {
		return Done[FilterView]{}, err
	}
	out.Applied = !r.DryRun
	return out, nil
}

// nextFilter returns the filter as the next version.
func (o *operator) nextFilter(s store.Store, id string, r ApplyFilter) (registry.Filter, error) {
	by, err := s.Pseudonym(o.by)
	f := registry.Filter{Version: 1, Name: cmp.Or(r.Name, "filter"), Text: r.Text, Hash: registry.FilterHash(r.Text), Reason: r.Reason, By: by, At: o.now()}
	if err != nil {
		return f, err
	}
	old, err := lastFilter(s, id)
	if errors.Is(err, registry.ErrNotFound) {
		return f, nil
	}
	f.Version, f.Previous = old.Version+1, old.Hash
	return f, err
}

func filterOf(s registry.NounStore, id string) (registry.Filter, error) {
	n, err := s.Noun(registry.KindFilter, id)
	if err != nil {
		return registry.Filter{}, err
	}
	return registry.ValueOf[registry.Filter](n)
}

// unknownNames tells which names in rules nobody has: a rule about them takes
// nothing away, which its author may not expect.
func (o *operator) unknownNames(rules []filter.Rule) []string {
	view, notes := o.base, []string{}
	say := func(what, name string) {
		note := fmt.Sprintf("there is no %s %s: what the rule says of it has no effect", what, name)
		if !slices.Contains(notes, note) && len(notes) < 20 {
			notes = append(notes, note)
		}
	}
	for i := range rules {
		agent, server, tool := rules[i].Names()
		if agent != "" && view.Agent(agent) == nil {
			say("agent", agent)
		}
		if server == "" {
			continue
		}
		if v := view.Server(server); v == nil {
			say("server", server)
		} else if tool != "" && v.Tool(tool) == nil {
			say("tool", server+"/"+tool)
		}
	}
	return notes
}

// RemoveFilter takes a filter away.
func (o *operator) RemoveFilter(_ context.Context, r RemoveFilter) (Done[FilterView], error) {
	var out Done[FilterView]
	id := filterID(r.Server)
	t, err := filterAct("filter.remove", id, r.Change)
	if err != nil {
		return out, err
	}
	err = o.change(t, func(s store.Store) (any, error) {
		f, err := filterOf(s, id)
		if err != nil {
			return nil, err
		}
		out.Item = o.viewFilter(id, f)
		return filterDetail{Version: f.Version, Before: f.Hash, File: f.Name}, s.DeleteNoun(registry.KindFilter, id)
	})
	if err != nil {
		return Done[FilterView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

// Filters lists them, without their texts.
func (o *operator) Filters(context.Context, None) ([]FilterView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindFilter)
	if err != nil {
		return nil, asError("the filters", err)
	}
	out := []FilterView{}
	for _, n := range all {
		f, err := registry.ValueOf[registry.Filter](n)
		if err != nil {
			return nil, asError("the filters", err)
		}
		v := o.viewFilter(n.ID, f)
		v.Text = ""
		out = append(out, v)
	}
	return out, nil
}

// Filter returns one with its text.
func (o *operator) Filter(_ context.Context, r FilterVersion) (FilterView, error) {
	id := filterID(r.ID.ID)
	f, err := filterOf(o.cfg.Store, id)
	if r.Version != 0 {
		f, err = filterVersion(o.cfg.Store, id, r.Version)
	}
	if err != nil {
		return FilterView{}, asError("the filter of "+id, err)
	}
	return o.viewFilter(id, f), nil
}

func (o *operator) viewFilter(id string, f registry.Filter) FilterView {
	v := FilterView{Server: id, Version: f.Version, File: f.Name, Hash: f.Hash, Previous: f.Previous, By: o.nameOf(f.By), Reason: f.Reason, At: f.At, Text: f.Text}
	if rules, err := filter.ParseFor(id, f.Name, []byte(f.Text)); err == nil {
		v.Rules = len(rules)
	}
	return v
}

// SuggestFilter proposes a filter from what was learned.
func (o *operator) SuggestFilter(_ context.Context, r SuggestFilter) (FilterProposal, error) {
	view := o.cfg.Live.Load()
	server := view.Server(r.Server)
	if server == nil {
		return FilterProposal{}, asError("server "+r.Server, registry.ErrNotFound)
	}
	learned := r.Learned
	if len(learned) == 0 && o.cfg.Learned != nil {
		learned = o.cfg.Learned(r.Server, r.Tool)
	}
	if len(learned) == 0 {
		return FilterProposal{}, &Error{Code: NotFound, Message: "nothing was learned of " + r.Server,
			Fix: "set privacy.learn: true and let calls pass, or give results: --results FILE.jsonl --tool TOOL"}
	}
	text := filter.Suggest(learned, func(tool string) wire.Value {
		t := server.Tool(tool)
		if t == nil {
			return wire.Value{}
		}
		v, err := wire.ParseValue([]byte(t.Definition), wire.DefaultLimits())
		if err != nil {
			return wire.Value{}
		}
		return v.Get("outputSchema")
	})
	return FilterProposal{Server: r.Server, Tools: len(learned), Text: text}, nil
}

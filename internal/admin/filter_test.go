package admin

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

const someFilter = "filter:\n  - drop: [ssn]\n"

// filterStory calls every function of FilterAPI once.
func filterStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	why := Change{Reason: "story"}
	f1, err := api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Name: "f.yaml", Text: someFilter})
	note("ApplyFilter", f1, err)
	f2, err := api.Filters(ctx, None{})
	note("Filters", f2, err)
	f3, err := api.Filter(ctx, FilterVersion{ID: ID{"wiki"}})
	note("Filter", f3, err)
	f6, err := api.FilterHistory(ctx, ID{"wiki"})
	note("FilterHistory", f6, err)
	f7, err := api.RollbackFilter(ctx, RollbackFilter{Change: why, Server: "wiki", Version: 1})
	note("RollbackFilter", f7, err)
	f4, err := api.SuggestFilter(ctx, SuggestFilter{Server: "wiki", Learned: []filter.Learned{{Tool: "read-file", Members: []filter.Seen{{Path: "id", Used: 1}}}}})
	note("SuggestFilter", f4, err)
	f5, err := api.RemoveFilter(ctx, RemoveFilter{Change: why, Server: "wiki"})
	note("RemoveFilter", f5, err)
}

// drops reports what the data path does with a member of an answer of wiki.
func drops(t *testing.T, w *world, member string) bool {
	t.Helper()
	m, err := wire.NewResult(wire.IntID(1), []byte(`{"content":[],"structuredContent":{"`+member+`":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	edits, _, err := filter.Of(w.live.Load()).For(filter.Match{Server: "wiki", Method: "tools/call", Tool: "read-file"}).Apply(m.Result(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(edits) > 0
}

// TestFilters tells how filters come into force, change and go.
func TestFilters(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		if drops(t, w, "ssn") {
			t.Fatal("something is dropped before there is a filter")
		}
		d := must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Name: "wiki.yaml", Text: someFilter}))
		if v := d.Item; !d.Applied || v.Version != 1 || v.Rules != 1 || v.Server != "wiki" || v.File != "wiki.yaml" || v.Reason != why.Reason || len(d.Notices) > 0 {
			t.Errorf("%+v", d)
		}
		if !drops(t, w, "ssn") || drops(t, w, "iban") {
			t.Error("the filter is not in force as it was written")
		}
		// Filters of all servers and of one take away together; each is a noun.
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Text: "filter: [{drop: [iban]}]"}))
		if !drops(t, w, "ssn") || !drops(t, w, "iban") {
			t.Error("the filters do not add up")
		}
		d = must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Text: "filter: [{drop: [name]}]"}))
		if d.Item.Version != 2 || d.Item.Previous != registry.FilterHash(someFilter) || drops(t, w, "ssn") || !drops(t, w, "name") {
			t.Errorf("the second version: %+v", d)
		}
		all := must[[]FilterView](t)(api.Filters(ctx, None{}))
		if len(all) != 2 || all[0].Server != "*" || all[1].Server != "wiki" || all[0].Text+all[1].Text != "" {
			t.Errorf("%+v", all)
		}
		if v := must[FilterView](t)(api.Filter(ctx, FilterVersion{})); v.Text != "filter: [{drop: [iban]}]" || v.Version != 1 {
			t.Errorf("%+v", v)
		}
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: Change{Reason: "dry", DryRun: true}, Server: "wiki", Text: someFilter}))
		if drops(t, w, "ssn") {
			t.Error("a dry run is in force")
		}
		must[Done[FilterView]](t)(api.RemoveFilter(ctx, RemoveFilter{Change: why, Server: "wiki"}))
		if drops(t, w, "name") || !drops(t, w, "iban") {
			t.Error("the filter is not gone, or another is")
		}
		last := w.records.entries[len(w.records.entries)-1]
		if last.Action != "filter.remove" || last.Subject != "wiki" || last.Before == "" || last.After != "" || last.Reason != why.Reason {
			t.Errorf("the record says %+v", last)
		}
	})
}

// TestFiltersAreRefused tells what changes nothing.
func TestFiltersAreRefused(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Text: someFilter}))
		for name, c := range map[string]struct {
			r    ApplyFilter
			code Code
			says string
		}{
			"no YAML":          {ApplyFilter{Change: why, Server: "wiki", Text: "filter: ["}, Invalid, "is not YAML"},
			"an unknown key":   {ApplyFilter{Change: why, Server: "wiki", Name: "x.yaml", Text: "filter:\n  - dorp: a\n"}, Invalid, "x.yaml:2:5: filter[0].dorp"},
			"no reason":        {ApplyFilter{Server: "wiki", Text: someFilter}, Invalid, ""},
			"another server":   {ApplyFilter{Change: why, Server: "wiki", Text: "filter: [{server: crm, drop: [a]}]"}, Invalid, "names another server"},
			"no such server":   {ApplyFilter{Change: why, Server: "crm", Text: someFilter}, NotFound, ""},
			"nothing":          {ApplyFilter{Change: why, Server: "wiki"}, Invalid, "is empty"},
			"larger than read": {ApplyFilter{Change: why, Text: someFilter + strings.Repeat("#", 300<<10)}, Invalid, "is larger"},
		} {
			_, err := api.ApplyFilter(ctx, c.r)
			if e := refused(t, err, c.code); !strings.Contains(e.Cause, c.says) || e.Fix == "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if !drops(t, w, "ssn") {
			t.Error("the filter in force is gone")
		}
		_, err := api.RemoveFilter(ctx, RemoveFilter{Change: why, Server: "crm"})
		refused(t, err, NotFound)
		_, err = api.RemoveFilter(ctx, RemoveFilter{Server: "wiki"})
		refused(t, err, Invalid)
		_, err = api.Filter(ctx, FilterVersion{ID: ID{"crm"}})
		refused(t, err, NotFound)
		_, err = api.SuggestFilter(ctx, SuggestFilter{Server: "wiki"})
		refused(t, err, NotFound)
		_, err = api.SuggestFilter(ctx, SuggestFilter{Server: "crm"})
		refused(t, err, NotFound)
		d := must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Text: "filter: [{server: crm, agent: nobody, drop: [a]}, {server: wiki, tool: nothing, drop: [b]}]"}))
		if len(d.Notices) != 3 {
			t.Errorf("names that nobody has: %q", d.Notices)
		}
	})
}

// TestBrokenFilterBlocks tells that a stored filter which cannot be read, or is
// not the one that was applied, lets nothing of its servers pass.
func TestBrokenFilterBlocks(t *testing.T) {
	for id, f := range map[string]registry.Filter{
		"wiki": {Text: "filter: [", Hash: registry.FilterHash("filter: [")},
		"*":    {Text: someFilter, Hash: registry.FilterHash(someFilter + " ")},
	} {
		n, err := registry.NewNoun(registry.KindFilter, id, "", f)
		if err != nil {
			t.Fatal(err)
		}
		view, err := registry.NewSnapshot(1, nil, nil, nil, nil, nil).WithNouns([]registry.Noun{n}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.NewResult(wire.IntID(1), []byte(`{"content":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		edits, r, err := filter.Of(view).For(filter.Match{Server: "wiki", Method: "tools/call"}).Apply(m.Result(), nil)
		if err != nil || r.Unfit == "" || edits != nil {
			t.Errorf("%s: %v, %+v, %v", id, edits, r, err)
		}
		if _, r, _ := filter.Of(view).For(filter.Match{Server: "crm", Method: "tools/call"}).Apply(m.Result(), nil); (r.Unfit != "") != (id == "*") {
			t.Errorf("%s: another server: %+v", id, r)
		}
	}
}

// TestFilterHistory tells how an earlier version comes back: as the next one,
// also after the filter was removed.
func TestFilterHistory(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		apply := func(text string) {
			must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Server: "wiki", Name: "wiki.yaml", Text: text}))
		}
		apply(someFilter)
		apply("filter: [{drop: [name]}]")
		must[Done[FilterView]](t)(api.ApplyFilter(ctx, ApplyFilter{Change: why, Text: "filter: [{drop: [iban]}]"}))
		must[Done[FilterView]](t)(api.RollbackFilter(ctx, RollbackFilter{Change: Change{Reason: "dry", DryRun: true}, Server: "wiki", Version: 1}))
		if drops(t, w, "ssn") {
			t.Error("a dry run is in force")
		}
		d := must[Done[FilterView]](t)(api.RollbackFilter(ctx, RollbackFilter{Change: why, Server: "wiki", Version: 1}))
		if v := d.Item; v.Version != 3 || v.Text != someFilter || v.File != "wiki.yaml" || !drops(t, w, "ssn") || drops(t, w, "name") || !drops(t, w, "iban") {
			t.Errorf("%+v", d)
		}
		last := w.records.entries[len(w.records.entries)-1]
		if last.Action != "filter.rollback" || last.Subject != "wiki" || last.Reason != why.Reason {
			t.Errorf("the record says %+v", last)
		}
		all := must[[]FilterView](t)(api.FilterHistory(ctx, ID{"wiki"}))
		if len(all) != 3 || all[0].Version != 3 || all[0].State != "active" || all[1].State != "replaced" || all[2].Hash != all[0].Hash || all[1].Text != "" {
			t.Errorf("%+v", all)
		}
		if v := must[FilterView](t)(api.Filter(ctx, FilterVersion{ID{"wiki"}, 2})); v.Text != "filter: [{drop: [name]}]" {
			t.Errorf("%+v", v)
		}
		must[Done[FilterView]](t)(api.RemoveFilter(ctx, RemoveFilter{Change: why, Server: "wiki"}))
		if all = must[[]FilterView](t)(api.FilterHistory(ctx, ID{"wiki"})); len(all) != 3 || all[0].State != "replaced" {
			t.Errorf("after the removal: %+v", all)
		}
		d = must[Done[FilterView]](t)(api.RollbackFilter(ctx, RollbackFilter{Change: why, Server: "wiki", Version: 2}))
		if d.Item.Version != 4 || !drops(t, w, "name") {
			t.Errorf("%+v", d)
		}
		for name, r := range map[string]RollbackFilter{
			"no such version":     {Change: why, Server: "wiki", Version: 9},
			"version 0":           {Change: why, Server: "wiki"},
			"a server without":    {Change: why, Server: "crm", Version: 1},
			"no reason":           {Server: "wiki", Version: 1},
			"a name with a slash": {Change: why, Server: "wiki/0", Version: 1},
		} {
			if _, err := api.RollbackFilter(ctx, r); err == nil {
				t.Errorf("%s: it was taken", name)
			}
		}
		for range maxFilterVersions {
			apply(someFilter)
		}
		all = must[[]FilterView](t)(api.FilterHistory(ctx, ID{"wiki"}))
		if len(all) != maxFilterVersions || all[0].Version != maxFilterVersions+4 {
			t.Errorf("%d versions are kept, the newest is %d", len(all), all[0].Version)
		}
		if all = must[[]FilterView](t)(api.FilterHistory(ctx, ID{})); len(all) != 1 {
			t.Errorf("the other filter has %d versions", len(all))
		}
	})
}

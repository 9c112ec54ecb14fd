package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// maxFilterVersions is how many versions of one filter are kept; the oldest go.
const maxFilterVersions = 100

// FilterVersion names a version of a filter; 0 is the one in force.
type FilterVersion struct {
	ID
	Version uint64 `json:"version,omitempty"`
}

// RollbackFilter puts an earlier version of a filter in force again.
type RollbackFilter struct {
	Change
	Server  string `json:"server"` // "*" = the one of all servers
	Version uint64 `json:"version"`
}

// filterVersionID orders the versions of one filter. A server's name holds no
// slash.
func filterVersionID(id string, version uint64) string { return fmt.Sprintf("%s/%012d", id, version) }

// filterVersions returns the versions of a filter that are kept, the oldest
// first.
func filterVersions(s registry.NounStore, id string) ([]registry.Noun, error) {
	all, err := s.Nouns(registry.KindFilterVersion)
	return slices.DeleteFunc(all, func(n registry.Noun) bool { return !strings.HasPrefix(n.ID, id+"/") }), err
}

// putFilter puts f in force, and keeps it as a version.
func putFilter(s store.Store, id string, f registry.Filter) error {
	kept, err := filterVersions(s, id)
	if err != nil {
		return err
	}
	for len(kept) >= maxFilterVersions {
		if err := s.DeleteNoun(registry.KindFilterVersion, kept[0].ID); err != nil {
			return err
		}
		kept = kept[1:]
	}
	version, err := registry.NewNoun(registry.KindFilterVersion, filterVersionID(id, f.Version), "", f)
	if err != nil {
		return err
	}
	if err := s.InsertNoun(version); err != nil {
		return err
	}
	n, err := registry.NewNoun(registry.KindFilter, id, "", f)
	if err != nil {
		return err
	}
	return putNoun(s, n)
}

// lastFilter returns the filter that was applied last, also one that was removed.
func lastFilter(s registry.NounStore, id string) (registry.Filter, error) {
	kept, err := filterVersions(s, id)
	if err != nil {
		return registry.Filter{}, err
	}
	if len(kept) > 0 {
		return registry.ValueOf[registry.Filter](kept[len(kept)-1])
	}
	return filterOf(s, id)
}

// FilterHistory lists the versions of a filter that are kept, the newest first,
// without their texts.
func (o *operator) FilterHistory(_ context.Context, r ID) ([]FilterView, error) {
	id := filterID(r.ID)
	kept, err := filterVersions(o.cfg.Store, id)
	if err != nil {
		return nil, asError("the versions of the filter", err)
	}
	active, err := filterOf(o.cfg.Store, id)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, asError("the filter of "+id, err)
	}
	views := []FilterView{}
	for _, n := range slices.Backward(kept) {
		f, err := registry.ValueOf[registry.Filter](n)
		if err != nil {
			return nil, asError("the versions of the filter", err)
		}
		v := o.viewFilter(id, f)
		if v.Text, v.State = "", "replaced"; f.Version == active.Version {
			v.State = "active"
		}
		views = append(views, v)
	}
	return views, nil
}

// filterVersion returns one version of a filter.
func filterVersion(s registry.NounStore, id string, version uint64) (registry.Filter, error) {
	n, err := s.Noun(registry.KindFilterVersion, filterVersionID(id, version))
	if errors.Is(err, registry.ErrNotFound) {
		return registry.Filter{}, &Error{Code: NotFound, Message: fmt.Sprintf("there is no version %d of the filter of %s", version, id), Fix: "see: ostiary filter history " + id}
	}
	if err != nil {
		return registry.Filter{}, err
	}
	return registry.ValueOf[registry.Filter](n)
}

// RollbackFilter makes an earlier version the next one. It is read and checked
// again: what an older gateway took may be refused now.
func (o *operator) RollbackFilter(_ context.Context, r RollbackFilter) (Done[FilterView], error) {
	f, err := filterVersion(o.cfg.Store, filterID(r.Server), r.Version)
	if err != nil {
		return Done[FilterView]{}, asError("the filter of "+filterID(r.Server), err)
	}
	return o.applyFilter("filter.rollback", ApplyFilter{Change: r.Change, Server: r.Server, Name: f.Name, Text: f.Text}, r.Version)
}

package authorize

import (
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// lists are the lists of a server beside its tools: how an item is named, and
// the method that an item would be used with.
var lists = []struct{ key, name, method string }{
	{"resources", "uri", "resources/read"},
	{"resourceTemplates", "uriTemplate", "resources/read"},
	{"prompts", "name", "prompts/get"},
}

// filterItems removes from a result's lists of resources and prompts what a read
// would be refused (TestListsShowWhatReadsAllow). key is the list that was asked
// for; "" when that is not known.
func (s *Step) filterItems(x *exchange.Exchange, key string) error {
	for _, l := range lists {
		if key != "" && key != l.key {
			continue
		}
		decide := policy.Lister(x.View)
		edits := wire.RemoveElements(x.Message.Result().Get(l.key), func(_ int, v wire.Value) bool {
			name, ok := v.Get(l.name).Text()
			if !ok {
				return true
			}
			q := s.named(x, l.method, name)
			d := scoped(decide(q), q)
			return !d.Allow && d.Needs == ""
		})
		if err := rewrite(x, edits); err != nil {
			return err
		}
	}
	return nil
}

// named asks about one resource or prompt, as of now.
func (s *Step) named(x *exchange.Exchange, method, name string) policy.Query {
	q := policy.Query{Principal: x.Principal, Server: x.Endpoint, Method: method, Need: registry.Read, Name: name}
	q.Call = policy.Call{Time: s.Clock.Now(), IP: x.Peer.Addr(), Labels: x.Labels}
	return q
}

// listens decides on each resource that a listening client wants to hear of. One
// that is refused refuses all: the client would otherwise wait for news that
// never come. decided is the decision on listening itself.
func (s *Step) listens(view *registry.Snapshot, x *exchange.Exchange, decided policy.Decision) policy.Decision {
	if x.Fact.Action != wire.ActListen || !decided.Allow {
		return decided
	}
	decide := policy.Lister(view)
	for v := range x.Request.Params().Get("notifications").Get("resourceSubscriptions").Elements() {
		uri, ok := v.Text()
		q := s.named(x, x.Request.Method(), uri)
		d := scoped(decide(q), q)
		if !ok && d.Allow {
			d = policy.Decision{Kind: fault.Denied, Reason: policy.ReasonArgument, Version: d.Version, Policy: d.Policy}
		}
		if !d.Allow {
			return d
		}
	}
	return decided
}

// completes returns what a completion is asked for.
func completes(x *exchange.Exchange) (of, name string, ok bool) {
	ref := x.Request.Params().Get("ref")
	switch kind, _ := ref.Get("type").Text(); kind {
	case "ref/prompt":
		name, ok = ref.Get("name").Text()
		return policy.OfPrompt, name, ok
	case "ref/resource":
		name, ok = ref.Get("uri").Text()
		return policy.OfResource, name, ok
	}
	return "", "", false
}

// updated reports whether a caller may hear, now, that a resource changed.
func (s *Step) updated(x *exchange.Exchange) bool {
	q := s.named(x, x.Message.Method(), x.Message.Name())
	return decide(s.Live.Load(), q).Allow
}

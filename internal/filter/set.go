package filter

// Set holds compiled rules. It is immutable. A nil Set does nothing.
type Set struct {
	byServer map[string][]*Rule // rules about one server
	rest     []*Rule            // rules that may be about any
	broken   map[string]string  // why the rules of a server cannot be used; "" = of all servers
}

// New compiles rules.
func New(rules []Rule) *Set {
	s := &Set{}
	s.add(rules)
	return s
}

func (s *Set) add(rules []Rule) {
	for i := range rules {
		r := &rules[i]
		name, one := r.server.literal()
		if !one {
			s.rest = append(s.rest, r)
			continue
		}
		if s.byServer == nil {
			s.byServer = map[string][]*Rule{}
		}
		s.byServer[name] = append(s.byServer[name], r)
	}
}

// filtered are the methods whose answers are filtered: those that carry what
// tools, resources and prompts yield. Lists and handshakes are not content;
// other rooms bound them.
var filtered = map[string]bool{"tools/call": true, "resources/read": true, "prompts/get": true, "tasks/result": true, "tasks/get": true,
	"tasks/update": true, "tasks/cancel": true, "": true, "GET": true, "subscriptions/listen": true}

// For returns what is to be done with an answer; nil: nothing. Method is that of
// the request. Where it is not known, as on a stream that is resumed (GET) or
// listened to, every rule counts that may be about the server, whatever it says of
// tools, resources and methods (TestUnknownRequestsMeetEveryRule).
func (s *Set) For(m Match) *Plan {
	if s == nil || !filtered[m.Method] {
		return nil
	}
	unknown := m.Method == "" || m.Method == "GET" || m.Method == "subscriptions/listen"
	if len(s.broken) > 0 {
		for _, server := range []string{"", m.Server} {
			if why := s.broken[server]; why != "" {
				return &Plan{broken: why}
			}
		}
	}
	var p *Plan
	for _, list := range [2][]*Rule{s.byServer[m.Server], s.rest} {
		for _, r := range list {
			if !r.about(&m) || !unknown && !r.fits(&m) {
				continue
			}
			if p == nil {
				p = &Plan{unknown: unknown}
			}
			p.rules = append(p.rules, r)
		}
	}
	return p
}

package aggregate

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// TestNames is M07: whatever servers call their tools, two servers never meet
// in one name, and every name leads back to where it came from.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, server := range []string{"a", "b", "a-b", "a1"} {
		for _, name := range []string{"t", "b__t", "_t", "__t", "a__b__t", "t_", "t__", "A.b-c"} {
			full, ok := prefixed(server, name)
			if !ok {
				t.Errorf("%s %s has no name", server, name)
				continue
			}
			if other, twice := seen[full]; twice {
				t.Errorf("%s is %s and %s", full, other, server+" "+name)
			}
			seen[full] = server + " " + name
			if s, n, ok := unprefix(full); !ok || s != server || n != name {
				t.Errorf("%s leads to %s %s", full, s, n)
			}
		}
	}
	for _, name := range []string{"", "a b", "a/b", "t\x00", "\u0442", "a:b", "a\n", strings.Repeat("x", 126)} {
		if full, ok := prefixed("a", name); ok {
			t.Errorf("%q became %q", name, full)
		}
	}
	if full, ok := prefixed("a", strings.Repeat("x", 125)); !ok || len(full) != 128 {
		t.Errorf("the longest name: %d bytes, %v", len(full), ok)
	}
	for _, full := range []string{"", "t", "a_t", "__t", "a__", "__"} {
		if s, n, ok := unprefix(full); ok {
			t.Errorf("%q leads to %q %q", full, s, n)
		}
	}
	for _, full := range []string{"", "file:///a", "ostiary://", "ostiary://a", "ostiary://a/", "ostiary:///a", "OSTIARY://a/b", "ostiary:/a/b", "xostiary://a/b"} {
		if s, u, ok := unprefixURI(full); ok {
			t.Errorf("%q leads to %q %q", full, s, u)
		}
	}
}

func FuzzUnprefix(f *testing.F) {
	for _, s := range []string{"a__t", "a___t", "__", "a-b__c__d", "\xff__\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, full string) {
		server, name, ok := unprefix(full)
		if !ok || registry.ValidID(server) != nil {
			return
		}
		if again, ok := prefixed(server, name); ok && again != full {
			t.Errorf("%q leads to %q %q, which is %q", full, server, name, again)
		}
	})
}

func FuzzUnprefixURI(f *testing.F) {
	for _, s := range []string{"ostiary://a/file:///b", "ostiary://a//", "ostiary://a/{x}", "file:///"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, full string) {
		server, uri, ok := unprefixURI(full)
		if ok && (prefixedURI(server, uri) != full || uri == "" || server == "" || strings.Contains(server, "/")) {
			t.Errorf("%q leads to %q %q", full, server, uri)
		}
	})
}

// TestOutward: every URI that a caller could send back is ours; nothing else
// changes by a byte.
func TestOutward(t *testing.T) {
	for in, out := range map[string]string{
		`"result":{"contents":[{"uri":"file:///a","text":"file:///a"} , {"uri":"b:1"}]}`:                       `"result":{"contents":[{"uri":"ostiary://one/file:///a","text":"file:///a"} , {"uri":"ostiary://one/b:1"}]}`,
		`"result":{"content":[{"type":"text","text":"x","uri":"u"},{"type":"resource_link","uri":"u:1"}]}`:     `"result":{"content":[{"type":"text","text":"x","uri":"u"},{"type":"resource_link","uri":"ostiary://one/u:1"}]}`,
		`"result":{"content":[{"type":"resource","resource":{"uri":"u:\u002f","text":""},"uri":"v"}],"n":1.0}`: `"result":{"content":[{"type":"resource","resource":{"uri":"ostiary://one/u:/","text":""},"uri":"v"}],"n":1.0}`,
		`"result":{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"u:1"}}}]}`:       `"result":{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"ostiary://one/u:1"}}}]}`,
		`"result":{ "structuredContent":{"uri":"u:1"} }`:                                                       `"result":{ "structuredContent":{"uri":"u:1"} }`,
	} {
		m, err := outward("one", parse(t, `{"jsonrpc":"2.0","id":1,`+in+`}`, wire.FromServer))
		if err != nil || string(m.Raw()) != `{"jsonrpc":"2.0","id":1,`+out+`}` {
			t.Errorf("%s\nbecame %s, %v", in, m.Raw(), err)
		}
	}
	m, err := outward("one", parse(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1","x":"u:1"}}`, wire.FromServer))
	if err != nil || string(m.Raw()) != `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"ostiary://one/u:1","x":"u:1"}}` {
		t.Errorf("%s, %v", m.Raw(), err)
	}
}

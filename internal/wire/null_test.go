package wire

import "testing"

// go-sdk v1.8.0 answers an input_required result with "content": null.
func TestServersMayWriteNullForAbsentLists(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		from Side
		ok   bool
	}{
		"content null":           {`{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","content":null}}`, FromServer, true},
		"messages null":          {`{"jsonrpc":"2.0","id":1,"result":{"messages":null}}`, FromServer, true},
		"tools null":             {`{"jsonrpc":"2.0","id":1,"result":{"tools":null}}`, FromServer, true},
		"result null":            {`{"jsonrpc":"2.0","id":1,"result":null}`, FromServer, false},
		"error null":             {`{"jsonrpc":"2.0","id":1,"error":null}`, FromServer, false},
		"params null":            {`{"jsonrpc":"2.0","method":"notifications/message","params":null}`, FromServer, false},
		"meta null":              {`{"jsonrpc":"2.0","id":1,"result":{"_meta":null}}`, FromServer, false},
		"content is a number":    {`{"jsonrpc":"2.0","id":1,"result":{"content":1}}`, FromServer, false},
		"client: arguments null": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":null}}`, FromClient, false},
		"client: params null":    {`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`, FromClient, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(c.raw), DefaultLimits(), c.from); (err == nil) != c.ok {
				t.Fatalf("accepted %t, want %t (%v)", err == nil, c.ok, err)
			}
		})
	}
}

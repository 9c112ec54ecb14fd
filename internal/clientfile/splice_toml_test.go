package clientfile

import "testing"

func TestEveryWayToWriteATOMLEntryIsReplaced(t *testing.T) {
	const wrap = `command = "o"` + "\n" + `args = ["wrap"]` + "\n"
	const inline = `{ command = "o", args = ["wrap"] }`
	for _, c := range []struct{ name, src, want string }{
		{"header", "[mcp_servers.a]\ncommand = 'x'\n[z]\nk = 1\n", "[mcp_servers.a]\n" + wrap + "[z]\nk = 1\n"},
		{"no line end", "[mcp_servers.a]\ncommand = 'x'", "[mcp_servers.a]\n" + wrap},
		{"quoted", "[ mcp_servers . \"a\" ]\ncommand = 'x'\n", "[ mcp_servers . \"a\" ]\n" + wrap},
		{"sub-table first", "[mcp_servers.a.env]\nK = 'v'\n[mcp_servers.a]\ncommand = 'x'\n", "[mcp_servers.a]\n" + wrap},
		{"sub-table only", "[mcp_servers.a.env]\nK = 'v'\n", "[mcp_servers.a]\n" + wrap},
		{"array of tables", "[mcp_servers.a]\ncommand = 'x'\n[[mcp_servers.a.t]]\nn = 1\n[[mcp_servers.a.t]]\nn = 2\n", "[mcp_servers.a]\n" + wrap},
		{"apart", "[mcp_servers.a]\ncommand = 'x'\n\n[mcp_servers.b]\ncommand = 'y'\n\n[mcp_servers.a.env]\nK = 'v'\n",
			"[mcp_servers.a]\n" + wrap + "\n[mcp_servers.b]\ncommand = 'y'\n\n"},
		{"several lines", "[mcp_servers.a]\ncommand = '''\nx'''\nargs = [\n 'y', # why\n]\n[z]\n", "[mcp_servers.a]\n" + wrap + "[z]\n"},
		{"in the parent's section", "[mcp_servers]\na = { command = 'x' } # mine\nb.command = 'y'\n", "[mcp_servers]\na = " + inline + " # mine\nb.command = 'y'\n"},
		{"dotted at the root", "mcp_servers.a.command = 'x'\nmcp_servers.a.args = []\nk = 1\n", "mcp_servers.a = " + inline + "\nk = 1\n"},
		{"inline at the root", "mcp_servers = { a = { command = 'x' }, b = { url = 'u' } }\n", "mcp_servers = { a = " + inline + ", b = { url = 'u' } }\n"},
		{"dotted inside inline", "mcp_servers = { a.command = 'x', b.url = 'u' }\n", "mcp_servers = { a = " + inline + ", b = { url = 'u' } }\n"},
		{"CRLF", "[mcp_servers.a]\r\ncommand = 'x'\r\n", "[mcp_servers.a]\r\ncommand = \"o\"\r\nargs = [\"wrap\"]\r\n"},
		{"byte order mark", "\xef\xbb\xbf[mcp_servers.a]\ncommand = 'x'\n", "\xef\xbb\xbf[mcp_servers.a]\n" + wrap},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse(Location{App: Codex, Path: "f", Key: []string{"mcp_servers"}, Format: TOML}, []byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Replace([]Change{{Name: "a", New: &Entry{Command: "o", Args: []string{"wrap"}}}})
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %q\nwant %q", err, got, c.want)
			}
		})
	}
}

func TestJSONCRemovalKeepsCommasAndComments(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"first on a line", `{"mcpServers": {"a": {}, "b": {}}}`, `{"mcpServers": {"b": {}}}`},
		{"last on a line", `{"mcpServers": {"b": {}, "a": {}}}`, `{"mcpServers": {"b": {} }}`},
		{"only", `{"mcpServers": {"a": {}}}`, `{"mcpServers": {}}`},
		{"comment before the comma", "{\"mcpServers\": {\n  \"a\": {} /* c */,\n  \"b\": {}\n}}", "{\"mcpServers\": {\n  /* c */\n  \"b\": {}\n}}"},
		{"comma on its own line", "{\"mcpServers\": {\n  \"b\": {} // c\n  , \"a\": {}\n}}", "{\"mcpServers\": {\n  \"b\": {} // c\n   \n}}"},
		{"trailing comma", "{\"mcpServers\": {\n  \"b\": {},\n  \"a\": {},\n}}", "{\"mcpServers\": {\n  \"b\": {},\n}}"},
		{"escaped name", `{"mcpServers": {"\u0061": {"command": "x"}}}`, `{"mcpServers": {}}`},
		{"byte order mark", "\xef\xbb\xbf{\"mcpServers\": {\"a\": {}}}", "\xef\xbb\xbf{\"mcpServers\": {}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse(Location{App: Cursor, Path: "f", Key: []string{"mcpServers"}, Format: JSONC}, []byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Replace([]Change{{Name: "a"}})
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %q\nwant %q", err, got, c.want)
			}
		})
	}
}

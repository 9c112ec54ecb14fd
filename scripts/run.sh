#!/bin/sh
# Starts a gateway in ./.ostiary in front of the sample server, for trying it
# out. What is there already stays as it is. LISTEN and ADMIN_LISTEN, host:port,
# choose the addresses of a new one.
set -eu
cd "$(dirname "$0")/.."

here=$(pwd)
dir=$here/.ostiary
out=$here/.ostiary-demo
ostiary() { "$here/bin/ostiary" "$@" --dir "$dir"; }

# quietly shows what a command says only when it fails.
quietly() {
	said=$("$@" 2>&1) || {
		echo "$said" >&2
		exit 1
	}
}

[ -f "$dir/ostiary.yaml" ] || quietly ostiary init \
	--listen "${LISTEN:-127.0.0.1:8443}" --admin-listen "${ADMIN_LISTEN:-127.0.0.1:8444}"
ostiary server list -o json | grep -q '"id": *"sample"' ||
	quietly "$here/bin/ostiary" server submit sample --dir "$dir" -- "$here/bin/sample-server"
! ostiary server show sample -o json | grep -q '"state": *"submitted"' ||
	quietly ostiary server approve sample --reason "the sample of this repository" \
		--tool-access echo=read --tool-access add=read --tool-access note_write=write
ostiary agent list -o json | grep -q '"id": *"demo"' ||
	quietly ostiary agent register demo --out "$out"
ostiary access list --agent demo -o json | grep -q '"server"' ||
	quietly ostiary access grant demo sample --access write

address=$(sed -n 's/.*address: *"\{0,1\}\([^"} ]*\).*/\1/p' "$dir/ostiary.yaml" | head -n 1)
cat <<TEXT

The agent "demo" may use the server "sample" (echo, add, note_write).

A client that starts its servers itself (most desktop apps), in its mcpServers:
  "sample": {"command": "$here/bin/ostiary",
             "args": ["wrap", "--agent", "demo", "--server", "sample", "--dir", "$dir"]}

A client that speaks HTTP, old or new protocol:
  URL            https://$address/s/sample/mcp
  Authorization  Bearer, then the text of $out/token
  authority      $out/ca.pem

One call from a shell:
  curl --cacert "$out/ca.pem" -H "Authorization: Bearer \$(cat "$out/token")" \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: echo' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"curl","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}' \\
    https://$address/s/sample/mcp

Your own apps: bin/ostiary import --dry-run --dir "$dir"
To forget this gateway: rm -r "$dir" "$out"

TEXT
exec "$here/bin/ostiary" up --dir "$dir"

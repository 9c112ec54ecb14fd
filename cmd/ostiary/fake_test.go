package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// fakeServer is a tool server of the legacy era on standard input and output,
// for the scripts. Its one tool answers with what its environment holds.
func fakeServer() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if err := json.Unmarshal(in.Bytes(), &m); err != nil || len(m.ID) == 0 {
			continue
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,%s}`+"\n", m.ID, fakeAnswer(m.Method))
	}
}

func fakeAnswer(method string) string {
	switch method {
	case "initialize":
		return `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`
	case "ping":
		return `"result":{}`
	case "tools/list":
		return `"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
	case "tools/call":
		return fmt.Sprintf(`"result":{"content":[{"type":"text","text":%q}]}`, "the key is "+os.Getenv("FAKE_KEY"))
	}
	return `"error":{"code":-32601,"message":"no such method"}`
}

// Package doortest is the fake world around a whole gateway on loopback: a
// scripted tool server that records every byte (Upstream, Stdio), a test CA, a
// built gateway with its operator's commands (Gateway), and clients of both
// protocol eras that send exactly the bytes they are told to.
//
// It listens and dials on loopback only, starts only processes that it ends
// again, and writes only below the test's temporary directory. It deliberately
// imports no package of the gateway: it is the independent other side, and
// what it knows of MCP (2024-11-05 to 2026-07-28,
// https://modelcontextprotocol.io/specification) it knows by itself.
package doortest

// Package hostile holds the black-box hostile cases: tests that send what an
// attacker sends to a whole gateway and look at what reached the server, what
// was recorded and what was answered. Each test is named by the case's number.
//
// It drives the built binary through test/doortest, on loopback only, and
// deliberately imports no package of the gateway: what the rooms promise, their
// own tests prove. It follows MCP 2024-11-05 to 2026-07-28
// (https://modelcontextprotocol.io/specification) and RFC 9110 to 9113.
package hostile

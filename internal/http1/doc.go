// Package http1 speaks HTTP/1.1 at both ends of the gateway: an edge server
// that calls a Handler, and a pooled client for upstreams. One parser reads
// the heads, chunks and trailers of both. HTTP/2 is served behind the same
// Handler by net/http, chosen by ALPN.
//
// The dialect is a strict subset of RFC 9112 and RFC 9110 (June 2022): what is
// accepted here has one reading under any parser. Refused are bare LF,
// obs-fold, white space before a colon, bytes other than printable ASCII and
// tab in values, a second Content-Length even if equal, Content-Length beside
// Transfer-Encoding, any coding but a single "chunked", HTTP/1.0 requests,
// targets that are not in origin-form, CONNECT, TRACE, upgrades and h2c.
// FuzzHead and FuzzChunked hold it against net/http. HTTP/2 follows RFC 9113.
//
// The room touches the connections that it is given and nothing else: it
// listens nowhere, dials through a function that it receives, and reads no
// files. It deliberately knows nothing of MCP, follows no redirects, decodes
// no content encodings, keeps no cookies and routes nothing.
package http1

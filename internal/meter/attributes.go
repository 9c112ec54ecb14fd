package meter

import "go.opentelemetry.io/otel/attribute"

// Names of span attributes, all in this file because the conventions they
// follow are still in development (open-telemetry/semantic-conventions-genai,
// docs/gen-ai/mcp.md). Arguments, results, URIs and who called are never
// attributes: a trace is not a record, and its collector not its keeper.
const (
	attrMethod    = attribute.Key("mcp.method.name")
	attrVersion   = attribute.Key("mcp.protocol.version")
	attrTool      = attribute.Key("gen_ai.tool.name")
	attrOperation = attribute.Key("gen_ai.operation.name")
	attrError     = attribute.Key("error.type")
	attrExchange  = attribute.Key("ostiary.exchange.id")
	attrServer    = attribute.Key("ostiary.server")
	attrOutcome   = attribute.Key("ostiary.outcome")
)

// Names of the attributes of the gateway itself.
const (
	attrService        = attribute.Key("service.name")
	attrServiceVersion = attribute.Key("service.version")
)

package forward

import (
	"sync"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// paramCache holds the Mcp-Param-* headers of pinned tool definitions by the
// digest of the definition, which never changes.
var paramCache sync.Map // digest string -> []wire.HeaderParam

// headerParams returns the headers that mirror arguments of tool, nil when the
// definition is not known.
func headerParams(tool *registry.Tool) []wire.HeaderParam {
	if tool.Definition == "" {
		return nil
	}
	if p, ok := paramCache.Load(tool.Digest); ok {
		return p.([]wire.HeaderParam)
	}
	params := []wire.HeaderParam{}
	if schema, ok := wire.InputSchema([]byte(tool.Definition)); ok {
		if found, err := wire.HeaderParams(schema); err == nil {
			params = append(params, found...)
		}
	}
	paramCache.Store(tool.Digest, params)
	return params
}

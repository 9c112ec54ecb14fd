package wire

// scopes are the protocol objects of all versions (schema.ts of 2024-11-05 to
// 2026-07-28). One scope serves every method: a member that another method
// defines is a protocol member here too. It is built once and never changed.
var scopes = buildScopes()

// The roots from which a message is walked.
type roots struct{ envelope, params, result, failure *scope }

// text returns a member that is a string of class c.
func text(name string, c class) member { return member{name: name, kinds: isString, class: c} }

// typed returns a member of one of the kinds.
func typed(name string, k kinds) member { return member{name: name, kinds: k} }

// object returns a member that is an object of scope s.
func object(name string, s *scope) member { return member{name: name, kinds: isObject, inner: s} }

// list returns a member that is an array of objects of scope s.
func list(name string, s *scope) member { return member{name: name, kinds: isArray, inner: s} }

// loose returns a member that is, or holds, objects of scope s, or anything.
func loose(name string, s *scope) member { return member{name: name, inner: s} }

// anyKey returns a scope of free names whose values are objects of scope s.
func anyKey(s *scope) *scope { return &scope{every: &member{kinds: isObject, inner: s}} }

// buildScopes builds the tree of scopes; params, results and blocks nest in
// each other, so those are declared before they are filled.
func buildScopes() roots {
	params, result := newScope(""), newScope("")
	meta := metaScope()
	task := newScope("statusMessage createdAt lastUpdatedAt ttl pollInterval ttlMs pollIntervalMs",
		text("taskId", handleText), typed("status", isString), object("_meta", meta))
	contents := newScope("text blob mimeType annotations", text("uri", uriText), object("_meta", meta))
	block := blockScope(meta, contents)
	message := newScope("", typed("role", isString), loose("content", block), object("_meta", meta))
	definition := definitionScope(meta)
	inputs := anyKey(newScope("", text("method", nameText), object("params", params)))
	failure := newScope("code message data")

	fillParams(params, meta, task, message, definition)
	for _, m := range []member{object("inputRequests", inputs), object("inputResponses", anyKey(result)),
		loose("result", result), loose("error", failure)} {
		params.add(m)
	}
	fillResult(result, meta, task, message, definition)
	answers := *result // an elicitation's reply: its content object is the person's form
	addContent(result, block, contents, false)
	addContent(&answers, block, contents, true)
	for _, s := range []*scope{result, &answers} {
		s.add(object("inputRequests", inputs))
		s.add(loose("result", result))
		s.add(loose("error", failure))
	}
	result.alt = &alternative{has: "action", hasNot: "role", scope: &answers}
	return roots{newScope("jsonrpc id method params result error"), params, result, failure}
}

// addContent adds the members that hold content blocks.
func addContent(s, block, contents *scope, arrayOnly bool) {
	for n := range s.byLen {
		s.byLen[n] = append([]member(nil), s.byLen[n]...) // the two results share no list
	}
	s.add(member{name: "content", kinds: isObject | isArray, inner: block, arrayOnly: arrayOnly, blocks: true})
	s.add(member{name: "contents", kinds: isArray, inner: contents, blocks: true})
}

// metaScope is _meta: the reserved keys. All others are free.
func metaScope() *scope {
	const mcp = "io.modelcontextprotocol/"
	related := newScope("", text("taskId", handleText))
	return newScope("",
		member{name: "progressToken", kinds: isString | isNumber, class: idText},
		member{name: mcp + "subscriptionId", kinds: isString | isNumber, class: idText},
		text(mcp+"protocolVersion", nameText),
		object(mcp+"clientCapabilities", capabilityScope()),
		object(mcp+"clientInfo", implementationScope()),
		object(mcp+"serverInfo", implementationScope()),
		typed(mcp+"logLevel", isString),
		object(mcp+"related-task", related),
		typed("traceparent", isString), typed("tracestate", isString), typed("baggage", isString))
}

// capabilityScope is what clients and servers say they can.
func capabilityScope() *scope {
	listChanged := newScope("", typed("listChanged", isBool), typed("subscribe", isBool))
	sub := newScope("context tools form url")
	request := newScope("tools sampling elicitation call createMessage create")
	return newScope("experimental logging completions",
		object("sampling", sub), object("elicitation", sub), object("roots", listChanged),
		object("prompts", listChanged), object("resources", listChanged), object("tools", listChanged),
		object("tasks", newScope("list cancel", loose("requests", request))),
		typed("extensions", isObject))
}

// implementationScope is clientInfo and serverInfo.
func implementationScope() *scope {
	return newScope("title description websiteUrl",
		typed("name", isString), typed("version", isString), loose("icons", iconScope()))
}

func iconScope() *scope { return newScope("src mimeType sizes theme") }

// annotationScope is the annotations of tools, resources and blocks.
func annotationScope() *scope {
	return newScope("audience priority lastModified title readOnlyHint destructiveHint idempotentHint openWorldHint")
}

// definitionScope is a tool, resource, template or prompt of a list.
func definitionScope(meta *scope) *scope {
	argument := newScope("title description required", typed("name", isString))
	return newScope("type mimeType size",
		text("name", nameText), text("uri", uriText), text("uriTemplate", uriText),
		typed("title", isString|isNull), typed("description", isString|isNull),
		typed("inputSchema", isObject), typed("outputSchema", isObject|isNull),
		loose("annotations", annotationScope()), loose("icons", iconScope()),
		loose("execution", newScope("taskSupport")), loose("arguments", argument),
		object("_meta", meta))
}

// blockScope is a content block: text, image, audio, resource_link, resource,
// tool_use or tool_result, which holds blocks again.
func blockScope(meta, contents *scope) *scope {
	block := newScope("title description size id structuredContent isError",
		typed("type", isString), typed("text", isString), typed("data", isString),
		typed("mimeType", isString|isNull), text("uri", uriText), typed("name", isString),
		typed("input", isObject), typed("toolUseId", isString), object("resource", contents),
		loose("annotations", annotationScope()), loose("icons", iconScope()), object("_meta", meta))
	block.add(loose("content", block))
	return block
}

// fillParams adds the members of the params of all methods.
func fillParams(s, meta, task, message, definition *scope) {
	ref := newScope("title", typed("type", isString), text("name", nameText), text("uri", uriText))
	argument := newScope("", text("name", nameText), typed("value", isString))
	filter := newScope("", typed("toolsListChanged", isBool), typed("promptsListChanged", isBool),
		typed("resourcesListChanged", isBool), member{name: "resourceSubscriptions", kinds: isArray, class: uriText})
	hints := newScope("costPriority speedPriority intelligencePriority", loose("hints", newScope("name")))
	for _, m := range []member{
		text("name", nameText), text("uri", uriText), text("taskId", handleText),
		text("cursor", cursorText), text("requestState", stateText),
		{name: "requestId", kinds: isString | isNumber, class: idText},
		{name: "progressToken", kinds: isString | isNumber, class: idText},
		typed("arguments", isObject), object("_meta", meta), object("task", task),
		object("ref", ref), object("argument", argument),
		object("context", newScope("", typed("arguments", isObject))),
		object("notifications", filter), list("messages", message), list("tools", definition),
		typed("protocolVersion", isString), object("capabilities", capabilityScope()),
		object("clientInfo", implementationScope()), typed("level", isString),
		typed("progress", isNumber), typed("message", isString), typed("mode", isString),
		text("url", uriText), text("elicitationId", handleText), typed("requestedSchema", isObject),
		typed("systemPrompt", isString), typed("status", isString),
		loose("modelPreferences", hints), loose("toolChoice", newScope("mode")),
	} {
		s.add(m)
	}
	for _, name := range []string{"reason", "total", "logger", "data", "includeContext", "temperature", "maxTokens",
		"stopSequences", "metadata", "statusMessage", "createdAt", "lastUpdatedAt", "ttl", "pollInterval",
		"ttlMs", "pollIntervalMs"} {
		s.add(member{name: name})
	}
}

// fillResult adds the members of the results of all methods but content.
func fillResult(s, meta, task, message, definition *scope) {
	root := newScope("", text("uri", uriText), typed("name", isString|isNull), object("_meta", meta))
	completion := newScope("total hasMore", typed("values", isArray))
	for _, m := range []member{
		object("_meta", meta), typed("isError", isBool), typed("resultType", isString),
		text("requestState", stateText), {name: "nextCursor", kinds: isString | isNull, class: cursorText},
		list("tools", definition), list("resources", definition), list("resourceTemplates", definition),
		list("prompts", definition), list("messages", message), list("roots", root), list("tasks", task),
		object("completion", completion), object("task", task), text("taskId", handleText),
		typed("status", isString), typed("protocolVersion", isString), typed("supportedVersions", isArray),
		object("capabilities", capabilityScope()), object("serverInfo", implementationScope()),
		typed("instructions", isString|isNull), typed("role", isString), typed("action", isString),
		typed("cacheScope", isString), typed("ttlMs", isNumber), object("notifications", newScope("")),
	} {
		s.add(m)
	}
	for _, name := range []string{"structuredContent", "description", "model", "stopReason", "statusMessage",
		"createdAt", "lastUpdatedAt", "ttl", "pollInterval", "pollIntervalMs"} {
		s.add(member{name: name})
	}
}

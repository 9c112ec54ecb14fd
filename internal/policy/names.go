package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"ostiary.dev/ostiary/internal/registry"
)

// The entity types of the schema.
const (
	typeTenant   types.EntityType = "Ostiary::Tenant"
	typeRole     types.EntityType = "Ostiary::Role"
	typeClient   types.EntityType = "Ostiary::Client"
	typePerson   types.EntityType = "Ostiary::Person"
	typeServer   types.EntityType = "Ostiary::Server"
	typeTool     types.EntityType = "Ostiary::Tool"
	typeResource types.EntityType = "Ostiary::Resource"
	typePrompt   types.EntityType = "Ostiary::Prompt"
	typeAction   types.EntityType = "Ostiary::Action"
)

// The actions beside those of tools. All of them read.
const (
	actConnect   = "connect"   // begin, say hello, set the level of logs: on the server
	actList      = "list"      // what there is: on the server; each item is decided on its own
	actGet       = "get"       // a resource or a prompt
	actSubscribe = "subscribe" // be told when a resource changes
	actComplete  = "complete"  // suggestions for a resource or a prompt
	actTask      = "task"      // a task that no tool call began: on the server
)

// fixedActions are the actions that every gateway has, with what they are on.
var fixedActions = []struct{ name, on string }{
	{actConnect, "Server"}, {actList, "Server"}, {actGet, "Resource, Prompt"}, {actSubscribe, "Resource, Server"},
	{actComplete, "Resource, Prompt, Server"}, {actTask, "Server"},
}

// callAction returns the name of a tool's action: "call:SERVER/TOOL", with the
// tool's name byte for byte. A server's id holds no slash, so no two tools have
// one name.
func callAction(server, tool string) string { return "call:" + server + "/" + tool }

func uid(t types.EntityType, id string) types.EntityUID {
	return types.NewEntityUID(t, types.String(id))
}

func action(name string) types.EntityUID { return uid(typeAction, name) }

// serverOf returns the server that an id of a tool, resource or prompt, or an
// action's name, belongs to; "" when it belongs to none.
func serverOf(e types.EntityUID) string {
	id := string(e.ID)
	switch e.Type {
	case typeServer:
		return id
	case typeAction:
		rest, ok := strings.CutPrefix(id, "call:")
		if !ok {
			return ""
		}
		id = rest
	case typeTool, typeResource, typePrompt:
	default:
		return ""
	}
	server, _, _ := strings.Cut(id, "/")
	return server
}

// target is what a query asks about, in Cedar's words.
type target struct {
	action   types.EntityUID
	group    types.EntityUID // "read", "write" or "modify"; the zero value when the class is unknown
	resource types.EntityUID
}

// targetOf names what q asks about. need is the class that was found.
func targetOf(q *Query, need registry.Access) target {
	t := target{}
	if rank(need) > 0 {
		t.group = action(string(need))
	}
	if q.IsTool {
		t.action, t.resource = action(callAction(q.Server, q.Tool)), uid(typeTool, q.Server+"/"+q.Tool)
		return t
	}
	name, on := methodAction(q.Method)
	if q.Of != "" {
		on = q.Of
	}
	t.action, t.resource = action(name), uid(typeServer, q.Server)
	switch {
	case q.Name == "" || on == "":
	case on == OfPrompt:
		t.resource = uid(typePrompt, q.Server+"/"+q.Name)
	default:
		t.resource = uid(typeResource, q.Server+"/"+q.Name)
	}
	return t
}

// methodAction returns the action of a method that is no tool call, and what
// its name is of.
func methodAction(method string) (name, on string) {
	switch method {
	case "resources/read", "notifications/resources/updated":
		return actGet, OfResource
	case "prompts/get":
		return actGet, OfPrompt
	case "resources/subscribe", "resources/unsubscribe", "subscriptions/listen":
		return actSubscribe, OfResource
	case "completion/complete":
		return actComplete, OfPrompt
	case "tools/list", "resources/list", "resources/templates/list", "prompts/list":
		return actList, ""
	}
	if strings.HasPrefix(method, "tasks/") || method == "notifications/tasks/status" {
		return actTask, ""
	}
	return actConnect, ""
}

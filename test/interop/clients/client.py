"""A client of the Python SDK. It takes one JSON plan as its argument, carries
it out and prints one JSON report; see plan_test.go for both. Anything
unexpected ends it with exit status 1."""

import json
import ssl
import sys

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

plan = json.loads(sys.argv[1])
counts = {"sampling": 0, "elicitation": 0, "roots": 0, "logs": 0}


def dump(value):
    """The wire form of an SDK value."""
    return value.model_dump(by_alias=True, exclude_none=True, mode="json")


def fill(schema):
    """The smallest content that a requested schema accepts."""
    content = {}
    for name in schema.get("required", []):
        p = schema["properties"][name]
        choices = p.get("enum") or [c["const"] for c in p.get("oneOf", [])]
        plain = {"string": "interop", "integer": 1, "number": 1, "boolean": True, "array": []}
        content[name] = p["default"] if "default" in p else choices[0] if choices else plain[p["type"]]
    return content


async def sample(_context, _params):
    counts["sampling"] += 1
    text = types.TextContent(type="text", text="sampled text")
    return types.CreateMessageResult(role="assistant", model="interop-model", content=text)


async def elicit(_context, params):
    counts["elicitation"] += 1
    return types.ElicitResult(action="accept", content=fill(params.requested_schema))


async def roots(_context):
    counts["roots"] += 1
    return types.ListRootsResult(roots=[types.Root(uri="file:///interop", name="interop")])


async def log(_params):
    counts["logs"] += 1


async def settle(work):
    """Turns a refusal by JSON-RPC error into a value; all else is raised."""
    try:
        return await work
    except MCPError as e:
        return {"error": e.error.code}


async def call(client, s):
    progress = 0

    async def on_progress(*_):
        nonlocal progress
        progress += 1

    r = await client.call_tool(s["name"], s.get("arguments", {}), progress_callback=on_progress if s.get("progress") else None)
    out = {"isError": bool(r.is_error)}
    if not s.get("volatile"):
        out["content"] = [dump(c) for c in r.content]
    if r.structured_content is not None:
        out["structuredContent"] = r.structured_content
    if s.get("progress"):
        out["progress"] = progress > 0
    return out


async def cancel(client, s):
    """Gives the call up at its first sign of life."""
    with anyio.CancelScope() as scope:

        async def give_up(*_):
            scope.cancel()

        await client.call_tool(s["name"], s.get("arguments", {}), progress_callback=give_up)
        return "finished"
    return "cancelled"


async def step(client, s):
    match s["do"]:
        case "tools":
            return sorted(t.name for t in (await client.list_tools()).tools)
        case "resources":
            return sorted(str(r.uri) for r in (await client.list_resources()).resources)
        case "templates":
            return sorted(r.uri_template for r in (await client.list_resource_templates()).resource_templates)
        case "prompts":
            return sorted(p.name for p in (await client.list_prompts()).prompts)
        case "read":

            async def read():
                return [dump(c) for c in (await client.read_resource(s["uri"])).contents]

            return await settle(read())
        case "prompt":

            async def prompt():
                return [dump(m) for m in (await client.get_prompt(s["name"], s.get("arguments"))).messages]

            return await settle(prompt())
        case "complete":

            async def complete():
                ref = types.PromptReference(type="ref/prompt", name=s["ref"]["name"])
                return (await client.complete(ref, s["argument"])).completion.values

            return await settle(complete())
        case "call":
            return await settle(call(client, s))
        case "cancel":
            return await cancel(client, s)
    raise ValueError(f"unknown step {s['do']}")


async def run(server):
    mode = {"modern": "2026-07-28"}.get(plan["era"], plan["era"])
    callbacks = dict(sampling_callback=sample, elicitation_callback=elicit, list_roots_callback=roots, logging_callback=log)
    async with Client(server, mode=mode, read_timeout_seconds=60, **callbacks) as client:
        steps = [await step(client, s) for s in plan["steps"]]
        version = str(client.session.protocol_version)
    print(json.dumps({"version": version, "steps": steps, "counts": counts}))


async def main():
    if "command" in plan:
        await run(StdioServerParameters(command=plan["command"][0], args=plan["command"][1:], env=plan.get("env")))
        return
    headers = {"Authorization": "Bearer " + plan["token"]} if plan.get("token") else {}
    verify = ssl.create_default_context(cafile=plan["ca"]) if plan.get("ca") else True
    async with httpx2.AsyncClient(headers=headers, verify=verify, timeout=60) as http:
        await run(streamable_http_client(plan["url"], http_client=http))


anyio.run(main)

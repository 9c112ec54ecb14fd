"""Asks the Cedar in Rust, by cedarpy. Each line of the input is a question, each
line of the output its answer. Policies are known by their places."""

import functools
import json
import re
import sys

import cedarpy

PLACE = re.compile(r"`policy(\d+)`")


@functools.lru_cache(maxsize=4)
def parsed(schema):
    """A schema, which many questions share."""
    return cedarpy.Schema.from_str(schema)


def places(ids):
    return sorted(int(i.removeprefix("policy")) for i in ids)


def authorize(ask):
    request = {k: ask[k] for k in ("principal", "action", "resource", "context")}
    answer = cedarpy.is_authorized(request, "\n".join(ask["policies"]), ask["entities"],
                                   parsed(ask["schema"]) if ask.get("schema") else None)
    errors = answer.diagnostics.errors
    if answer.decision is cedarpy.Decision.NoDecision:
        return {"failed": errors}
    failing = {int(m[1]) for m in map(PLACE.search, errors) if m}
    if len(failing) != len(errors):
        return {"failed": errors}
    allow = answer.decision is cedarpy.Decision.Allow
    return {"allow": allow, "reasons": places(answer.diagnostics.reasons), "errors": sorted(failing)}


def validate(ask):
    answer = cedarpy.validate_policies("\n".join(ask["policies"]), parsed(ask["schema"]))
    return {"errors": sorted({int(e.policy_id.removeprefix("policy")) for e in answer.errors if e.policy_id}),
            "failed": [e.error for e in answer.errors if not e.policy_id],
            "messages": [e.error for e in answer.errors]}


for line in sys.stdin:
    ask = json.loads(line)
    try:
        answer = validate(ask) if ask["ask"] == "validate" else authorize(ask)
    except Exception as e:  # a question that the library does not take
        answer = {"failed": [str(e) or repr(e)]}
    print(json.dumps(answer))

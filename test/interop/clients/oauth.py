"""A client of the Python SDK that logs in by OAuth; the plan and the report are
those of oauth.mjs."""

import json
import ssl
import sys
import urllib.parse
import urllib.request

import anyio
import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

plan = json.loads(sys.argv[1])
REDIRECT = "http://127.0.0.1:45678/callback"


class Storage:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, info):
        self.client = info


storage = Storage()
back = {}


async def redirected(url):
    with urllib.request.urlopen(plan["browser"] + "?url=" + urllib.parse.quote(url, safe="")) as r:
        back.update(urllib.parse.parse_qsl(urllib.parse.urlsplit(r.read().decode()).query))


async def called_back():
    return AuthorizationCodeResult(code=back["code"], state=back.get("state"), iss=back.get("iss"))


metadata = OAuthClientMetadata(
    client_name="Python", redirect_uris=[REDIRECT], grant_types=["authorization_code", "refresh_token"], response_types=["code"]
)
auth = OAuthClientProvider(plan["url"], metadata, storage, redirected, called_back)


async def call():
    trust = ssl.create_default_context(cafile=plan["ca"])
    async with httpx2.AsyncClient(auth=auth, verify=trust, timeout=60) as http:
        async with Client(streamable_http_client(plan["url"], http_client=http)) as client:
            r = await client.call_tool(plan["tool"], {})
            return r.content[0].text


async def main():
    text = await call()
    before = storage.tokens
    auth.context.token_expiry_time = 1  # expired, so the client refreshes
    again = await call()
    refreshed = storage.tokens.refresh_token != before.refresh_token
    print(json.dumps({"text": text, "again": again, "refreshed": refreshed, "scope": before.scope, "iss": back.get("iss")}))


anyio.run(main)

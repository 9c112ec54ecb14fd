// A client of either generation of the TypeScript SDK that logs in by OAuth. It
// takes one JSON plan as its argument: {url, browser, generation, tool}. The
// browser is an address that opens an authorization URL as a person would and
// answers with the address that the person was sent back to. It calls the tool,
// refreshes its token, calls it again, and prints one JSON report.
const plan = JSON.parse(process.argv[2]);
const redirect = 'http://127.0.0.1:45678/callback';

class Provider {
  redirectUrl = redirect;
  clientMetadata = {
    client_name: 'TypeScript', redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], token_endpoint_auth_method: 'none',
  };
  back = undefined;
  state() { return 'state-' + plan.generation; }
  clientInformation() { return this.client; }
  saveClientInformation(v) { this.client = v; }
  tokens() { return this.kept; }
  saveTokens(v) { this.kept = v; }
  saveCodeVerifier(v) { this.verifier = v; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(v) { this.discovery = v; }
  discoveryState() { return this.discovery; }
  async redirectToAuthorization(url) {
    const r = await fetch(plan.browser + '?url=' + encodeURIComponent(url.href));
    this.back = new URL(await r.text());
  }
}

const one = plan.generation === 1;
const sdk = one
  ? { ...await import('@modelcontextprotocol/sdk/client/index.js'), ...await import('@modelcontextprotocol/sdk/client/streamableHttp.js') }
  : await import('@modelcontextprotocol/client');

const provider = new Provider();
const client = () => new sdk.Client({ name: 'oauth', version: '1' }, { capabilities: {} });
const open = () => new sdk.StreamableHTTPClientTransport(new URL(plan.url), { authProvider: provider });

const first = open();
try {
  await client().connect(first);
  throw new Error('connected without a login');
} catch (e) {
  if (e.constructor.name !== 'UnauthorizedError' || !provider.back) throw e;
}
const q = provider.back.searchParams;
if (q.get('state') !== provider.state()) throw new Error('state ' + q.get('state'));
await (one ? first.finishAuth(q.get('code')) : first.finishAuth(q));

const call = async () => {
  const c = client();
  const transport = open();
  await c.connect(transport);
  const r = await c.callTool({ name: plan.tool, arguments: {} });
  await transport.close();
  return r.content[0].text;
};
const text = await call();
const before = provider.kept;
provider.kept = { ...before, access_token: 'a.b.c' }; // refused, so the client refreshes
const again = await call();
console.log(JSON.stringify({ text, again, refreshed: provider.kept.refresh_token !== before.refresh_token, scope: before.scope, iss: q.get('iss') }));
process.exit(0);

// A client of either generation of the TypeScript SDK. It takes one JSON plan
// as its argument, carries it out and prints one JSON report; see plan_test.go
// for both. Anything unexpected ends it with exit status 1.
const plan = JSON.parse(process.argv[2]);
const counts = { sampling: 0, elicitation: 0, roots: 0, logs: 0 };
const info = { name: 'interop-typescript', version: '1' };
const capabilities = { sampling: {}, elicitation: {}, roots: {} };

const answers = {
  'sampling/createMessage': () => {
    counts.sampling++;
    return { role: 'assistant', model: 'interop-model', content: { type: 'text', text: 'sampled text' } };
  },
  'elicitation/create': request => {
    counts.elicitation++;
    return { action: 'accept', content: fill(request.params.requestedSchema) };
  },
  'roots/list': () => {
    counts.roots++;
    return { roots: [{ uri: 'file:///interop', name: 'interop' }] };
  },
};

// fill makes the smallest content that a requested schema accepts.
function fill(schema) {
  const content = {};
  for (const name of schema?.required ?? []) {
    const p = schema.properties[name];
    const choices = p.enum ?? p.oneOf?.map(c => c.const);
    content[name] = p.default ?? choices?.[0] ?? { string: 'interop', integer: 1, number: 1, boolean: true, array: [] }[p.type];
  }
  return content;
}

async function connect() {
  if (plan.generation === 1) {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const types = await import('@modelcontextprotocol/sdk/types.js');
    const client = new Client(info, { capabilities });
    client.setRequestHandler(types.CreateMessageRequestSchema, answers['sampling/createMessage']);
    client.setRequestHandler(types.ElicitRequestSchema, answers['elicitation/create']);
    client.setRequestHandler(types.ListRootsRequestSchema, answers['roots/list']);
    client.setNotificationHandler(types.LoggingMessageNotificationSchema, () => { counts.logs++; });
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js');
    const transport = open(StreamableHTTPClientTransport, StdioClientTransport);
    await client.connect(transport);
    return { client, transport, call: (params, options) => client.callTool(params, undefined, options), version: transport.protocolVersion ?? transport._protocolVersion ?? '' };
  }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
  const mode = plan.era === 'modern' ? { pin: '2026-07-28' } : plan.era;
  const client = new Client(info, { capabilities, versionNegotiation: { mode } });
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(method, answer);
  }
  client.setNotificationHandler('notifications/message', () => { counts.logs++; });
  const transport = open(StreamableHTTPClientTransport, StdioClientTransport);
  await client.connect(transport);
  return { client, transport, call: (params, options) => client.callTool(params, options), version: client.getNegotiatedProtocolVersion() };
}

function open(HTTP, Stdio) {
  if (plan.command) {
    const [command, ...args] = plan.command;
    return new Stdio({ command, args, env: plan.env, stderr: 'inherit' });
  }
  const headers = plan.token ? { Authorization: `Bearer ${plan.token}` } : {};
  return new HTTP(new URL(plan.url), { requestInit: { headers } });
}

// settle turns a refusal by JSON-RPC error into a value; all else is thrown.
async function settle(work) {
  try {
    return await work();
  } catch (e) {
    if (typeof e.code !== 'number') throw e;
    return { error: e.code };
  }
}

async function step(s, { client, call }) {
  switch (s.do) {
    case 'tools': return (await client.listTools()).tools.map(t => t.name).sort();
    case 'resources': return (await client.listResources()).resources.map(r => r.uri).sort();
    case 'templates': return (await client.listResourceTemplates()).resourceTemplates.map(r => r.uriTemplate).sort();
    case 'prompts': return (await client.listPrompts()).prompts.map(p => p.name).sort();
    case 'read': return settle(async () => (await client.readResource({ uri: s.uri })).contents);
    case 'prompt': return settle(async () => (await client.getPrompt({ name: s.name, arguments: s.arguments })).messages);
    case 'complete': return settle(async () => (await client.complete({ ref: s.ref, argument: s.argument })).completion.values);
    case 'call': {
      let progress = 0;
      const options = s.progress ? { onprogress: () => { progress++; } } : {};
      return settle(async () => {
        const r = await call({ name: s.name, arguments: s.arguments ?? {} }, options);
        const out = { isError: r.isError ?? false };
        if (!s.volatile) out.content = r.content;
        if (r.structuredContent !== undefined) out.structuredContent = r.structuredContent;
        if (s.progress) out.progress = progress > 0;
        return out;
      });
    }
    case 'cancel': {
      // Gives the call up at its first sign of life.
      const gaveUp = new AbortController();
      try {
        await call({ name: s.name, arguments: s.arguments ?? {} }, { signal: gaveUp.signal, onprogress: () => gaveUp.abort('interop gives up') });
        return 'finished';
      } catch (e) {
        if (!gaveUp.signal.aborted) throw e;
        return 'cancelled';
      }
    }
    default: throw new Error(`unknown step ${s.do}`);
  }
}

const connection = await connect();
const steps = [];
for (const s of plan.steps) {
  steps.push(await step(s, connection));
}
if (connection.transport.terminateSession && plan.era !== 'modern') {
  await connection.transport.terminateSession();
}
await connection.client.close();
console.log(JSON.stringify({ version: connection.version, steps, counts }));
process.exit(0);

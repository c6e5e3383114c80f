// One of the official clients against a server: connects, lists everything, calls every tool, prints what it saw as JSON.
// The clients check each answer against the protocol's schemas, and structured results against the tool's outputSchema.
//
// usage: node ask.mjs client|sdk URL KEY MODE ARGUMENTS
//   MODE: legacy, auto, or a version to insist on; ARGUMENTS: JSON, tool name -> its arguments
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [which, url, key, mode, args] = process.argv.slice(2);
const require = createRequire(process.cwd() + "/");
const load = name => import(pathToFileURL(require.resolve(name)));
const who = { name: "patrond-test", version: "1" };

async function open() {
    const options = { requestInit: { headers: { Authorization: `Bearer ${key}` } } };
    if (which === "sdk") {
        const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
        const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
        const client = new Client(who, { capabilities: {} });
        await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
        return client;
    }
    const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
    const negotiation = mode === "legacy" || mode === "auto" ? mode : { pin: mode };
    const client = new Client(who, { capabilities: {}, versionNegotiation: { mode: negotiation } });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
    return client;
}

const client = await open();
const seen = { version: client.getNegotiatedProtocolVersion?.(), server: client.getServerVersion(), tools: {} };
const wanted = JSON.parse(args);
const { tools } = await client.listTools();
for (const tool of tools) {
    const r = await client.callTool({ name: tool.name, arguments: wanted[tool.name] ?? {} });
    seen.tools[tool.name] = { isError: r.isError === true, text: r.content[0].text, structured: r.structuredContent !== undefined };
}
const { resources } = await client.listResources();
const { prompts } = await client.listPrompts();
seen.resources = resources.length;
seen.templates = (await client.listResourceTemplates()).resourceTemplates.map(t => t.uriTemplate);
seen.read = (await client.readResource({ uri: resources[0].uri })).contents[0].uri === resources[0].uri;
seen.prompts = prompts.map(p => p.name);
seen.messages = (await client.getPrompt({ name: "briefing" })).messages.length;
seen.completed = (await client.complete({ ref: { type: "ref/resource", uri: "customer://{id}" },
    argument: { name: "id", value: "" } })).completion.values.length;
await client.close();
console.log(JSON.stringify(seen));

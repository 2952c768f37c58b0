// Anthropic's SDK for Node as its users write it: node anthropic.mjs SCENARIO OPTIONS prints what it got, as JSON.
import Anthropic from "@anthropic-ai/sdk";

const [scenario, given] = process.argv.slice(2);
const options = JSON.parse(given);
const client = new Anthropic({
  baseURL: options.url,
  [options.as ?? "apiKey"]: options.key,
  maxRetries: options.retries ?? 0,
  timeout: 30_000,
});
const model = options.model;
const messages = [{ role: "user", content: options.text ?? "Hi" }];
const tools = [{
  name: "weather",
  description: "Tells the weather.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}];
const thinking = { type: "adaptive", display: "summarized" };
const max_tokens = 2000;

const ask = async (body) => {
  const request = { model, max_tokens, tools, thinking, ...body };
  return options.stream ? client.messages.stream(request).finalMessage() : client.messages.create(request);
};

const scenarios = {
  answer: () => ask({ messages }),

  async events() {
    const stream = await client.messages.create({ model, max_tokens, messages, stream: true });
    const events = [];
    for await (const event of stream) events.push(event);
    return events;
  },

  // Everything the model said goes back with the tool's result, as the documentation wants it.
  async tools() {
    const first = await ask({ messages });
    const results = first.content
      .filter((block) => block.type === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: `Sunny in ${block.input.city}.` }));
    const history = [...messages, { role: "assistant", content: first.content }, { role: "user", content: results }];
    return { first, last: await ask({ messages: history }) };
  },

  async cached() {
    const system = [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }];
    return client.messages.create({ model, max_tokens, system, messages });
  },

  async models() {
    const ids = [];
    for await (const one of client.models.list({ limit: 3 })) ids.push(one.id);
    return { ids, one: await client.models.retrieve(model) };
  },

  count: () => client.messages.countTokens({ model, messages, tools, system: "Be brief." }),

  // Leaves in the middle of a stream.
  async hangup() {
    const stream = await client.messages.create({ model, max_tokens, messages, stream: true });
    for await (const event of stream) {
      if (event.type !== "content_block_delta") continue;
      stream.controller.abort();
      return event;
    }
  },
};

try {
  console.log(JSON.stringify(await scenarios[scenario]()));
} catch (error) {
  if (!(error instanceof Anthropic.APIError)) throw error;
  const { status, type, message, requestID } = error;
  console.log(JSON.stringify({ raised: error.constructor.name, status, type, message, requestID }));
}

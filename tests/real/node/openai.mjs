// OpenAI's SDK for Node as its users write it: node openai.mjs SCENARIO OPTIONS prints what it got, as JSON.
import OpenAI from "openai";

const [scenario, given] = process.argv.slice(2);
const options = JSON.parse(given);
const client = new OpenAI({
  baseURL: `${options.url}/${options.version ?? "v2"}`,
  apiKey: options.key,
  maxRetries: options.retries ?? 0,
  timeout: 30_000,
});
const model = options.model;
const messages = [{ role: "user", content: options.text ?? "Hi" }];
const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "Tells the weather.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const scenarios = {
  whole: () => client.chat.completions.create({ model, messages }),

  async stream() {
    const stream = await client.chat.completions.create({
      model, messages, stream: true, stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  // The SDK puts the chunks together itself, and throws at a stream that is not well-formed.
  gathered: () => client.chat.completions.stream({ model, messages, tools: [weather] }).finalChatCompletion(),

  // The SDK runs the tool and asks again, until there is an answer.
  async tools() {
    const asked = [];
    const tell = ({ city }) => (asked.push(city), `Sunny in ${city}.`);
    const tool = { ...weather, function: { ...weather.function, function: tell, parse: JSON.parse } };
    const run = options.stream
      ? client.chat.completions.runTools({ model, messages, tools: [tool], stream: true })
      : client.chat.completions.runTools({ model, messages, tools: [tool] });
    return { answer: await run.finalContent(), asked };
  },

  async thinking() {
    const headers = { "X-Thinking": "field" };
    const whole = await client.chat.completions.create({ model, messages }, { headers });
    const stream = await client.chat.completions.create({ model, messages, stream: true }, { headers });
    let streamed = "";
    for await (const chunk of stream) streamed += chunk.choices[0]?.delta.reasoning_content ?? "";
    return { whole: whole.choices[0].message.reasoning_content, streamed };
  },

  async models() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids, one: await client.models.retrieve(model) };
  },

  embeddings: () => client.embeddings.create({ model, input: ["one", "two"] }),

  // Leaves in the middle of a stream.
  async hangup() {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of stream) {
      stream.controller.abort();
      return chunk;
    }
  },
};

try {
  console.log(JSON.stringify(await scenarios[scenario]()));
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  const { status, code, type, param, message, requestID } = error;
  console.log(JSON.stringify({ raised: error.constructor.name, status, code, type, param, message, requestID }));
}

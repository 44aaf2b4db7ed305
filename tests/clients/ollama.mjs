import { Ollama } from "ollama";
import { address, asked, called, embedded, fakes, formed, grounded, must, plainModel, tryAll, vaultModel } from "./trying.mjs";

const client = new Ollama({ host: address });
// A request for a tool cannot be forced in this dialect: the fake model does as it is told.
const willing = new Ollama({ host: fakes });
const request = {
  model: plainModel, messages: [{ role: "user", content: asked.line }],
  tools: [{ type: "function", function: asked.tool }],
};
const messages = [{ role: "user", content: asked.question }];
const short = { num_predict: 48, temperature: 0 };

await tryAll({
  async models() {
    const { models } = await client.list();
    const shown = await client.show({ model: models[0].name });
    must(shown.details && shown.capabilities.includes("completion"), JSON.stringify(shown));
    await client.ps();
    return "list, show, ps";
  },
  async chat() {
    const answer = await client.chat({ model: vaultModel, messages, options: short });
    must(answer.done && answer.eval_count > 0, "no counts");
    return grounded(answer.message.content);
  },
  async stream() {
    let text = "";
    let pieces = 0;
    let last;
    for await (const part of await client.chat({ model: vaultModel, messages, stream: true, options: short })) {
      text += part.message.content;
      pieces++;
      last = part;
    }
    must(last.done && last.done_reason && last.eval_count > 0, `it ended with ${JSON.stringify(last)}`);
    return grounded(text, pieces) + ", counts";
  },
  async tools() {
    const { message } = await willing.chat(request);
    const { name, arguments: given } = message.tool_calls[0].function;
    const got = called(name, given);
    const result = { role: "tool", tool_name: name, content: asked.result };
    const next = await willing.chat({ ...request, messages: [...request.messages, message, result] });
    must(next.message.content.includes(asked.result), `the tool's result is not seen: ${next.message.content}`);
    return `${got}, answer (fakes)`;
  },
  async "tools, streamed"() {
    const calls = [];
    const twice = [{ role: "user", content: `${asked.line}\n${asked.line}` }];
    for await (const part of await willing.chat({ ...request, messages: twice, stream: true })) {
      calls.push(...(part.message.tool_calls ?? []));
    }
    must(calls.length === 2, `${calls.length} calls instead of two`);
    for (const call of calls) called(call.function.name, call.function.arguments);
    return "two calls (fakes)";
  },
  async structured() {
    const answer = await client.chat({ model: plainModel, messages, format: asked.form, options: short });
    return formed(JSON.parse(answer.message.content));
  },
  async embeddings() {
    const { embeddings } = await client.embed({ model: "any", input: asked.texts });
    return embedded(embeddings);
  },
  async completion() {
    const answer = await client.generate({ model: plainModel, prompt: "Once upon a", options: { num_predict: 8 } });
    must(answer.done && answer.response, JSON.stringify(answer));
    return "text";
  },
});

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { address, asked, called, embedded, fakes, formed, grounded, must, plainModel, tryAll, vaultModel } from "./trying.mjs";

const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: asked.question }];
const request = [{ role: "user", content: asked.request }];
const tools = [{ type: "function", function: { ...asked.tool, strict: true } }];
const short = { max_output_tokens: 48, temperature: 0 };
const form = z.object({ day: z.enum(["Monday", "Tuesday"]), weekly: z.boolean() });

await tryAll({
  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    must((await client.models.retrieve(ids[0])).id === ids[0], "retrieve");
    return "list, one";
  },
  async chat() {
    const answer = await client.chat.completions.create({ model: vaultModel, messages, max_tokens: 48, temperature: 0 });
    must(answer.usage.total_tokens > 0, "no usage");
    return grounded(answer.choices[0].message.content);
  },
  async stream() {
    const stream = client.chat.completions.stream({
      model: vaultModel, messages, max_tokens: 48, temperature: 0, stream_options: { include_usage: true },
    });
    let pieces = 0;
    stream.on("content", () => pieces++);
    const answer = await stream.finalChatCompletion();
    must(answer.usage.total_tokens > 0, "no usage");
    return grounded(answer.choices[0].message.content, pieces) + ", usage";
  },
  async tools() {
    const body = { model: plainModel, tools, max_tokens: 64, temperature: 0 };
    const choice = { type: "function", function: { name: asked.tool.name } };
    const { message, finish_reason } = (
      await client.chat.completions.create({ ...body, messages: request, tool_choice: choice })
    ).choices[0];
    must(finish_reason === "tool_calls", `it ended with ${finish_reason}`);
    const [call] = message.tool_calls;
    const got = called(call.function.name, call.function.arguments);
    const result = { role: "tool", tool_call_id: call.id, content: asked.result };
    const next = await client.chat.completions.create({
      ...body, messages: [...request, message, result], tool_choice: "none",
    });
    must(next.choices[0].message.content, "no answer to the tool's result");
    return `${got}, answer`;
  },
  async "tools, streamed"() {
    const stream = client.chat.completions.stream({
      model: plainModel, messages: request, tools, tool_choice: "required", max_tokens: 64, temperature: 0,
    });
    let pieces = 0;
    stream.on("tool_calls.function.arguments.delta", () => pieces++);
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
    must(finish_reason === "tool_calls", `it ended with ${finish_reason}`);
    must(pieces > 1, "the arguments came in one piece");
    return called(message.tool_calls[0].function.name, message.tool_calls[0].function.arguments);
  },
  async "tools, parallel"() {
    const willing = new OpenAI({ baseURL: `${fakes}/v1`, apiKey: "none", maxRetries: 0 });
    const twice = [{ role: "user", content: `${asked.line}\n${asked.line}` }];
    const stream = willing.chat.completions.stream({ model: plainModel, messages: twice, tools });
    const calls = (await stream.finalChatCompletion()).choices[0].message.tool_calls;
    must(calls.length === 2, `${calls.length} calls instead of two`);
    for (const call of calls) called(call.function.name, call.function.arguments);
    return "two calls (fakes)";
  },
  async structured() {
    const answer = await client.chat.completions.parse({
      model: plainModel, messages, response_format: zodResponseFormat(form, "meeting"), max_tokens: 64, temperature: 0,
    });
    return formed(answer.choices[0].message.parsed);
  },
  async responses() {
    const answer = await client.responses.create({ model: vaultModel, input: asked.question, ...short });
    return grounded(answer.output_text);
  },
  async "responses, streamed"() {
    const stream = client.responses.stream({ model: vaultModel, input: asked.question, ...short });
    let pieces = 0;
    stream.on("response.output_text.delta", () => pieces++);
    return grounded((await stream.finalResponse()).output_text, pieces);
  },
  async "responses, tools"() {
    const answer = await client.responses.create({
      model: plainModel, input: asked.request, tool_choice: "required", max_output_tokens: 64, temperature: 0,
      tools: [{ type: "function", ...asked.tool, strict: true }],
    });
    const call = answer.output.find((item) => item.type === "function_call");
    return called(call.name, call.arguments);
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model: "any", input: asked.texts });
    return embedded(answer.data.map((item) => item.embedding));
  },
  async completion() {
    const answer = await client.completions.create({ model: plainModel, prompt: "Once upon a", max_tokens: 8 });
    must(answer.choices[0].text, "no text");
    return "text";
  },
});

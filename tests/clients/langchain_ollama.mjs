import { ToolMessage } from "@langchain/core/messages";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { z } from "zod";
import { address, asked, called, embedded, fakes, formed, grounded, must, plainModel, tryAll, vaultModel } from "./trying.mjs";

const form = z.object({ day: z.enum(["Monday", "Tuesday"]), weekly: z.boolean() });
const tool = { type: "function", function: asked.tool };

function chat(model) {
  return new ChatOllama({ model, baseUrl: address, numPredict: 48, temperature: 0, maxRetries: 0 });
}

// A call cannot be forced in this dialect: the fake model does as it is told.
const willing = new ChatOllama({ model: plainModel, baseUrl: fakes, maxRetries: 0 }).bindTools([tool]);

await tryAll({
  async chat() {
    return grounded((await chat(vaultModel).invoke(asked.question)).text);
  },
  async stream() {
    let whole;
    let pieces = 0;
    for await (const chunk of await chat(vaultModel).stream(asked.question)) {
      whole = whole ? whole.concat(chunk) : chunk;
      pieces++;
    }
    must(whole.usage_metadata?.total_tokens > 0, "no usage");
    return grounded(whole.text, pieces) + ", usage";
  },
  async tools() {
    const answer = await willing.invoke(asked.line);
    const [call] = answer.tool_calls;
    const got = called(call.name, call.args);
    const result = new ToolMessage({ content: asked.result, tool_call_id: call.id, name: call.name });
    const next = await willing.invoke([["user", asked.line], answer, result]);
    must(next.text.includes(asked.result), `the tool's result is not seen: ${next.text}`);
    return `${got}, answer (fakes)`;
  },
  async "tools, streamed"() {
    let whole;
    for await (const chunk of await willing.stream(`${asked.line}\n${asked.line}`)) {
      whole = whole ? whole.concat(chunk) : chunk;
    }
    must(whole.tool_calls.length === 2, `${whole.tool_calls.length} calls instead of two`);
    for (const call of whole.tool_calls) called(call.name, call.args);
    return "two calls (fakes)";
  },
  async structured() {
    return formed(await chat(plainModel).withStructuredOutput(form, { method: "jsonSchema" }).invoke(asked.question));
  },
  async embeddings() {
    return embedded(await new OllamaEmbeddings({ model: "any", baseUrl: address }).embedDocuments(asked.texts));
  },
});

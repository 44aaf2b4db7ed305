import { ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import { address, asked, called, embedded, formed, grounded, must, plainModel, tryAll, vaultModel } from "./trying.mjs";

const form = z.object({ day: z.enum(["Monday", "Tuesday"]), weekly: z.boolean() });
const tool = { type: "function", function: asked.tool };

function chat(model, more = {}) {
  return new ChatOpenAI({
    model, apiKey: "none", configuration: { baseURL: `${address}/v1` }, maxRetries: 0, maxTokens: 48, temperature: 0,
    ...more,
  });
}

async function streamed(stream) {
  let whole;
  let pieces = 0;
  for await (const chunk of stream) {
    whole = whole ? whole.concat(chunk) : chunk;
    pieces++;
  }
  return { whole, pieces };
}

// What Copilot's LM Studio template does: the Responses API through the same class.
const responses = { useResponsesApi: true };

await tryAll({
  async chat() {
    return grounded((await chat(vaultModel).invoke(asked.question)).text);
  },
  async stream() {
    const { whole, pieces } = await streamed(await chat(vaultModel).stream(asked.question));
    must(whole.usage_metadata?.total_tokens > 0, "no usage");
    return grounded(whole.text, pieces) + ", usage";
  },
  async tools() {
    const answer = await chat(plainModel).bindTools([tool], { tool_choice: asked.tool.name }).invoke(asked.request);
    const [call] = answer.tool_calls;
    const got = called(call.name, call.args);
    const result = new ToolMessage({ content: asked.result, tool_call_id: call.id });
    const next = await chat(plainModel).invoke([["user", asked.request], answer, result]);
    must(next.text, "no answer to the tool's result");
    return `${got}, answer`;
  },
  async "tools, streamed"() {
    const model = chat(plainModel).bindTools([tool], { tool_choice: "required" });
    const { whole, pieces } = await streamed(await model.stream(asked.request));
    must(pieces > 1, "it came in one piece");
    return called(whole.tool_calls[0].name, whole.tool_calls[0].args);
  },
  async structured() {
    for (const method of ["jsonSchema", "functionCalling"]) {
      formed(await chat(plainModel).withStructuredOutput(form, { method, name: "meeting" }).invoke(asked.question));
    }
    return "typed object, both ways";
  },
  async responses() {
    return grounded((await chat(vaultModel, responses).invoke(asked.question)).text);
  },
  async "responses, streamed"() {
    const { whole, pieces } = await streamed(await chat(vaultModel, responses).stream(asked.question));
    return grounded(whole.text, pieces);
  },
  async "responses, tools"() {
    const model = chat(plainModel, responses).bindTools([tool], { tool_choice: asked.tool.name });
    const answer = await model.invoke(asked.request);
    return called(answer.tool_calls[0].name, answer.tool_calls[0].args);
  },
  async embeddings() {
    const embeddings = new OpenAIEmbeddings({
      model: "any", apiKey: "none", configuration: { baseURL: `${address}/v1` }, maxRetries: 0,
    });
    return embedded(await embeddings.embedDocuments(asked.texts));
  },
});

import { Client } from "../../src/bridge/client";
import { type Answer, ended, grown, waiting } from "../../src/chat/answer";
import { sse } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";

/** The answer that a snapshot of a stream makes. */
export async function answerOf(name: string): Promise<Answer> {
  const client = new Client(
    () => ({ address: "http://127.0.0.1:1234", token: "", vault: "" }),
    async () => Promise.resolve(sse(snapshot(name))()),
  );
  let answer = waiting;
  const asked = { messages: [], vaultbridge: {} };
  for await (const chunk of client.chat(asked, new AbortController().signal)) answer = grown(answer, chunk);
  return ended(answer, "done");
}

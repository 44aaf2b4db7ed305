import { describe, expect, it } from "vitest";
import { Session } from "../../src/chat/session";
import { grounds, wholeVault } from "../../src/chat/scope";
import { Serving, Speaking, json, sse } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";

function talking(reply: Serving["replies"][string] = sse(snapshot("chat-stream.sse"))) {
  const serving = new Serving({ "/v1/chat/completions": reply, "/vault/warm": json({ warmed: true }) });
  let ids = 0;
  const session = new Session(serving.client, {
    asking: () => ({ vaultbridge: grounds(wholeVault, "auto", []) }),
    words: String,
    newId: () => `t${String((ids += 1))}`,
  });
  const asked = () => (serving.requests.at(-1)?.body as { messages: { content: string }[] }).messages.map(({ content }) => content);
  return { serving, session, asked };
}

describe("a session", () => {
  it("asks, and has the answer in the conversation", async () => {
    const { session, asked } = talking();
    const changes: string[] = [];
    session.subscribe(({ kind }) => changes.push(kind));
    await session.ask("Tomatoes?");
    await session.ask("Why?");
    expect(session.conversation.path.map(({ answer }) => answer.progress)).toEqual(["done", "done"]);
    expect(asked()).toEqual(["Tomatoes?", "Water the tomatoes every second morning in summer. [1]", "Why?"]);
    expect(new Set(changes)).toEqual(new Set(["turns", "answer"]));
    expect(session.isRunning).toBe(false);
  });

  it("stops, and keeps what was said", async () => {
    const speaking = new Speaking();
    const { session } = talking(speaking.reply);
    const asking = session.ask("Tomatoes?");
    await expect.poll(() => session.isRunning).toBe(true);
    await expect.poll(() => { speaking.say("Water"); return session.conversation.last?.answer.text; }).toContain("Water");
    session.stop();
    await asking;
    expect(session.conversation.last?.answer.progress).toBe("stopped");
    expect(speaking.gone).toBe(true);
  });

  it("ends an answer when another question is asked", async () => {
    const speaking = new Speaking();
    const { session } = talking(speaking.reply);
    const first = session.ask("One?");
    await expect.poll(() => session.isRunning).toBe(true);
    void session.ask("Two?");
    await first;
    expect(session.conversation.path.map(({ answer }) => answer.progress)).toEqual(["stopped", "waiting"]);
    session.stop();
  });

  it("says what went wrong, and answers again on a branch", async () => {
    const { session, serving, asked } = talking(new TypeError("Failed to fetch"));
    await session.ask("Tomatoes?");
    expect(session.conversation.last?.answer).toMatchObject({ progress: "failed", problem: "BridgeError: offline" });
    serving.replies["/v1/chat/completions"] = sse(snapshot("chat-stream.sse"));
    await session.regenerate("t1");
    await session.edit("t2", "Bees?");
    expect(asked()).toEqual(["Bees?"]);
    expect(session.conversation.all).toHaveLength(3);
    session.choose("t2");
    expect(session.conversation.path.map(({ id }) => id)).toEqual(["t2"]);
  });

  it("warms what is typed, and minds no failure", async () => {
    const { session, serving, asked } = talking();
    await session.ask("Tomatoes?");
    await session.warm("And be");
    expect(serving.requests.at(-1)?.url).toContain("/vault/warm");
    expect(asked().at(-1)).toBe("And be");
    serving.replies["/vault/warm"] = new TypeError("Failed to fetch");
    await session.warm("And bees");
    expect(session.conversation.all).toHaveLength(1);
  });
});

it("a scope says what may be read", () => {
  expect(grounds({ kind: "none", name: "" }, "auto", [])).toMatchObject({ grounding: "off" });
  expect(grounds({ kind: "tag", name: "garden" }, "auto", ["Chats/a.md"])).toMatchObject({
    grounding: "always",
    scope: { tags: ["garden"], exclude: ["Chats/a.md"] },
  });
  expect(grounds(wholeVault, "auto", [])).toMatchObject({ grounding: "auto", scope: { exclude: [] } });
});

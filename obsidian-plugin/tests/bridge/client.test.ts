import { describe, expect, it } from "vitest";
import type { ChatRequest } from "../../src/bridge/client";
import { BridgeError } from "../../src/bridge/errors";
import type { Chunk } from "../../src/bridge/wire";
import { Serving, json, sse } from "./serving";
import { snapshot } from "./snapshots";

const ASKED: ChatRequest = { messages: [{ role: "user", content: "Tomatoes?" }], vaultbridge: { note: "Garden/Plan.md" } };

async function all(serving: Serving): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of serving.client.chat(ASKED, new AbortController().signal)) chunks.push(chunk);
  return chunks;
}

async function trouble(work: Promise<unknown>): Promise<[string, string]> {
  const error: unknown = await work.then(() => null, (reason: unknown) => reason);
  if (!(error instanceof BridgeError)) throw new Error("no BridgeError", { cause: error });
  return [error.trouble, error.detail];
}

describe("an answer", () => {
  it("comes in chunks, its citations first", async () => {
    const serving = new Serving({ "/v1/chat/completions": sse(snapshot("chat-stream.sse")) });
    const chunks = await all(serving);
    expect(chunks[0]?.vaultbridge?.citations?.map(({ link }) => link)).toContain("[[Tomatoes#Watering]]");
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(
      "Water the tomatoes every second morning in summer. [1]",
    );
    expect(serving.requests[0]?.body).toEqual({ ...ASKED, stream: true });
  });

  it("that breaks off is an error", async () => {
    const cut = snapshot("chat-stream.sse").split("\n\n").slice(0, 5).join("\n\n") + "\n\n";
    expect(await trouble(all(new Serving({ "/v1/chat/completions": sse(cut) })))).toEqual(["offline", ""]);
  });

  it("may fail in the middle", async () => {
    const failing = { model: "m", choices: [{ delta: {} }], error: { message: "The model died.", code: "worker_lost" } };
    const serving = new Serving({ "/v1/chat/completions": sse(`data: ${JSON.stringify(failing)}\n\n`) });
    expect(await trouble(all(serving))).toEqual(["failed", "The model died."]);
  });

  it("that is stopped is no trouble", async () => {
    const stop = new AbortController();
    const serving = new Serving({
      "/v1/chat/completions": ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => { reject(signal.reason as Error); })),
    });
    const reading = serving.client.chat(ASKED, stop.signal).next();
    stop.abort();
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("a request", () => {
  it("names the vault and the token, but asks any vault for its status", async () => {
    const serving = new Serving({
      "/vault/search": json(snapshot("search.json")),
      "/vault/status": json(snapshot("status.json")),
    });
    serving.target = { ...serving.target, token: "sesame", vault: "abc" };
    await serving.client.search("water & soil", 5);
    await serving.client.status();
    const [search, status] = serving.requests;
    expect(search?.url).toBe("http://127.0.0.1:1234/vault/search?q=water+%26+soil&k=5");
    expect(search?.headers.get("Authorization")).toBe("Bearer sesame");
    expect(search?.headers.get("X-Vaultbridge-Vault")).toBe("abc");
    expect(status?.headers.has("X-Vaultbridge-Vault")).toBe(false);
  });

  it("is answered by no vault as long as none was accepted", async () => {
    const serving = new Serving({ "/vault/search": json(snapshot("search.json")) });
    await serving.client.search("water", 5);
    expect(serving.requests[0]?.headers.get("X-Vaultbridge-Vault")).toBe("none");
  });

  it("keeps a note's folders and hides its signs", async () => {
    const note = { note: "Work/C# notes #1.md", indexed: true, reason: "", chunks: 1, indexed_at: null };
    const serving = new Serving({ "/vault/notes/Work/C%23%20notes%20%231.md": json(note) });
    expect(await serving.client.note("Work/C# notes #1.md")).toMatchObject(note);
  });

  it.each([
    [401, "invalid_api_key", "token"],
    [403, "forbidden", "forbidden"],
    [409, "wrong_vault", "other-vault"],
    [429, "overloaded", "busy"],
    [503, "not_ready", "loading"],
    [503, "model_missing", "no-model"],
    [400, "context_length_exceeded", "too-long"],
    [400, "something_new", "refused"],
    [500, "something_new", "failed"],
  ])("that is refused with %i %s is %s", async (status, code, expected) => {
    const serving = new Serving({ "/health": json({ error: { message: "Do this.", code } }, status) });
    expect(await trouble(serving.client.health())).toEqual([expected, "Do this."]);
  });

  it("to nobody, or to another program, says so", async () => {
    expect(await trouble(new Serving({ "/health": new TypeError("Failed to fetch") }).client.health())).toEqual(["offline", ""]);
    expect((await trouble(new Serving({ "/health": json("<html>") }).client.health()))[0]).toBe("strange");
    expect((await trouble(new Serving({ "/health": json({ status: "UP" }) }).client.health()))[0]).toBe("strange");
    expect((await trouble(new Serving({ "/health": json("<html>", 502) }).client.health()))[0]).toBe("strange");
  });
});

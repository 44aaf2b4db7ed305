import { describe, expect, it } from "vitest";
import { events } from "../../src/bridge/sse";
import { snapshot } from "./snapshots";

function stream(...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === "string" ? new TextEncoder().encode(part) : part);
      controller.close();
    },
  });
}

async function read(...parts: (string | Uint8Array)[]): Promise<string[]> {
  const all: string[] = [];
  for await (const data of events(stream(...parts))) all.push(data);
  return all;
}

describe("events", () => {
  it("are the same however the network cuts the stream", async () => {
    const bytes = new TextEncoder().encode(snapshot("chat-markdown.sse"));
    const whole = await read(bytes);
    expect(whole.at(-1)).toBe("[DONE]");
    for (const size of [1, 7, 100]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size));
      expect(await read(...parts)).toEqual(whole);
    }
  });

  it("may end their lines in any way", async () => {
    expect(await read("data: a\r\n\r\ndata: b\r\rdata: c\n\n")).toEqual(["a", "b", "c"]);
    expect(await read("data: a\r", "\n\r", "\ndata: b\r\n\r\n")).toEqual(["a", "b"]);
  });

  it("may have several lines, comments, other fields and no space", async () => {
    expect(await read(": hello\nevent: x\ndata:a\ndata: b\n\n\n: bye\n\n")).toEqual(["a\nb"]);
  });

  it("that are not whole are none", async () => {
    expect(await read("data: a\n\ndata: b")).toEqual(["a"]);
  });

  it("end the stream when the reader leaves", async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("data: x\n\n"));
      },
      cancel() {
        cancelled = true;
      },
    });
    for await (const data of events(endless)) if (data === "x") break;
    expect(cancelled).toBe(true);
  });
});

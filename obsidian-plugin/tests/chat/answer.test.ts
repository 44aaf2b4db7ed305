import { describe, expect, it } from "vitest";
import { grown, isRunning, sources, waiting } from "../../src/chat/answer";
import { answerOf } from "./answers";

describe("an answer", () => {
  it("has its text, and the citations that it rests on", async () => {
    const answer = await answerOf("chat-stream.sse");
    expect(answer.text).toBe("Water the tomatoes every second morning in summer. [1]");
    expect(answer.grounded).toBe(true);
    expect(answer.citations).toHaveLength(3);
    expect(sources(answer).map(({ path }) => path)).toEqual(["Garden/Tomatoes.md"]);
    expect(isRunning(answer)).toBe(false);
  });

  it("keeps thoughts apart", async () => {
    const answer = await answerOf("chat-tool-call.sse");
    expect(answer.thoughts).not.toBe("");
    expect(answer.text).not.toContain(answer.thoughts);
  });

  it("that was stopped rests on what is marked", async () => {
    const { citations } = await answerOf("chat-stream.sse");
    expect(sources({ ...waiting, citations, text: "Loam [2] and" }).map(({ number }) => number)).toEqual([2]);
  });

  it("is not changed by the next chunk, but followed by another", () => {
    const chunk = {
      model: "m",
      choices: [{ delta: { content: "a", reasoning_content: "" }, finish_reason: null }],
      vaultbridge: null,
      error: null,
    };
    expect(grown(grown(waiting, chunk), chunk).text).toBe("aa");
    expect(waiting.text).toBe("");
  });
});

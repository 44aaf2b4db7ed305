import { describe, expect, it } from "vitest";
import { UNSUPPORTED, linked, withSources } from "../../src/chat/citations";
import { targetOf } from "../../src/chat/links";
import { answerOf } from "./answers";

const { citations } = await answerOf("chat-stream.sse");

const span = (text: string): string => `<span class="${UNSUPPORTED}">${text}</span>`;
const place = (text: string, part: string) => {
  const start = Array.from(text.slice(0, text.indexOf(part))).length;
  return { choice: 0, start, end: start + Array.from(part).length, support: 0 };
};

describe("marks", () => {
  it("become links to what they stand for", () => {
    expect(linked("Water them. [1] Loam. [2]", citations)).toBe(
      "Water them. [[Tomatoes#Watering|1]] Loam. [[Tomatoes#Soil|2]]",
    );
  });

  it("keep the form of a link that Obsidian writes in another one", () => {
    const odd = { ...citations[0], number: 1, link: "[C# notes #1](Work/C%23%20notes%20%231.md#Delegates)" } as (typeof citations)[number];
    expect(linked("A function. [1]", [odd])).toBe("A function. [1](Work/C%23%20notes%20%231.md#Delegates)");
    expect(targetOf(odd.link)).toBe("Work/C# notes #1.md#Delegates");
  });

  it("are only those that the server named, and none in code or links", () => {
    const text = "`a[1]` [9] [1](https://example.org) [[1]]\n```\nb[1]\n```\n~ [3]";
    expect(linked(text, citations)).toBe(text.replace("[3]", "[[Bees|3]]"));
  });
});

describe("a sentence that no note holds", () => {
  it("stands in a span, whatever characters are before it", () => {
    const text = "🍅🍅 are red. They sing [1] at night. Done.";
    expect(linked(text, citations, [place(text, "They sing [1] at night.")])).toBe(
      `🍅🍅 are red. ${span("They sing [[Tomatoes#Watering|1]] at night.")} Done.`,
    );
  });

  it("leaves a list's marker and a heading's outside", () => {
    const text = "- [ ] They sing.\n## They dance.";
    expect(linked(text, [], [place(text, "- [ ] They sing."), place(text, "## They dance.")])).toBe(
      `- [ ] ${span("They sing.")}\n## ${span("They dance.")}`,
    );
  });

  it("is not marked where a span would cross other Markdown", () => {
    for (const part of ["They **sing.", "They sing.\n\nThey dance.", "`code"]) {
      expect(linked(`${part} on`, [], [place(`${part} on`, part)])).toBe(`${part} on`);
    }
  });
});

it("an answer for a note names its sources below", () => {
  expect(withSources("Water them. [1]", citations, [1], "Sources:")).toBe(
    "Water them. [[Tomatoes#Watering|1]]\n\nSources: [[Tomatoes#Watering]]",
  );
  expect(withSources("Hello.", citations, [], "Sources:")).toBe("Hello.");
});

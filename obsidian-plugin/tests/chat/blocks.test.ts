import { describe, expect, it } from "vitest";
import { blocks } from "../../src/chat/blocks";

describe("blocks", () => {
  it("are the text, in pieces between blank lines", () => {
    expect(blocks("One\ntwo\n\nThree\n\n\n# Four\n")).toEqual(["One\ntwo\n\n", "Three\n\n\n", "# Four\n"]);
  });

  it.each([
    ["code", "```js\na\n\nb\n```\n\n"],
    ["code within longer fences", "````\n```\n\nb\n````\n\n"],
    ["lists", "- a\n\n- b\n\n  more\n\n1. c\n\n"],
    ["quotes", "> a\n\n> b\n\n"],
  ])("keep %s together", (_, text) => {
    expect(blocks(`${text}End`)).toEqual([text, "End"]);
  });

  it("that are whole stay the same while the text grows", () => {
    const text = "# A\n\nText.\n\n```\nx\n\ny\n```\n\n- a\n- b\n\nEnd.\n\nMore.";
    const whole = blocks(text);
    for (let end = 0; end < text.length; end += 1) {
      const sofar = blocks(text.slice(0, end)).slice(0, -1);
      expect(whole.slice(0, sofar.length)).toEqual(sofar);
    }
  });
});

import { describe, expect, it } from "vitest";
import { type TextChange, changes } from "../../src/writing/diff";

function apply(text: string, made: readonly TextChange[]): string {
  return made.reduceRight((done, { start, end, insert }) => done.slice(0, start) + insert + done.slice(end), text);
}

describe("changes", () => {
  it("are the words that differ", () => {
    const text = "The old house is small.";
    const made = changes(text, "The new house is very small.");
    expect(made.map(({ start, end, insert }) => [text.slice(start, end), insert.trim()])).toEqual([
      ["old", "new"],
      ["", "very"],
    ]);
  });

  it("are one where only blanks are between them", () => {
    expect(changes("a red big car", "a blue tiny car")).toEqual([{ start: 2, end: 9, insert: "blue tiny" }]);
  });

  it("know words that have no blanks between them", () => {
    const made = changes("红烧肉要用小火慢慢炖", "红烧肉要用大火慢慢炖");
    expect(made).toHaveLength(1);
    expect((made[0]?.end ?? 0) - (made[0]?.start ?? 0)).toBeLessThanOrEqual(2);
  });

  it("are none between equal texts", () => {
    expect(changes("same", "same")).toEqual([]);
    expect(changes("", "")).toEqual([]);
  });

  it.each([
    ["", "new text"],
    ["old text", ""],
    ["one\ntwo\nthree", "one\n2\nthree\nfour"],
    ["a b a b a", "b a b a b"],
    ["word ".repeat(3000), "other ".repeat(2000) + "word ".repeat(1000)],
    ["x\n".repeat(3000), "y\n".repeat(3000)],
  ])("lead from one text to the other", (before, after) => {
    expect(apply(before, changes(before, after))).toBe(after);
  });

  it("are in order and do not overlap", () => {
    const made = changes("a b c d e f g", "a x c y e z g");
    expect(made.map(({ start }) => start)).toEqual([2, 6, 10]);
  });
});

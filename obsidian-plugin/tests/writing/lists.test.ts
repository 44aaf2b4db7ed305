import { describe, expect, it } from "vitest";
import { ListWriter } from "../../src/writing/lists";

/** What is written behind `line`, whatever pieces it comes in. */
function written(line: string, text: string): string {
  const results = [1, 3, 1000].map((size) => {
    const writer = new ListWriter(line);
    const pieces = text.match(new RegExp(`[^]{1,${String(size)}}`, "g")) ?? [];
    return pieces.map((piece) => writer.write(piece)).join("") + writer.end();
  });
  expect(new Set(results).size).toBe(1);
  return results[0] ?? "";
}

describe("behind a list's item", () => {
  it("text goes on in the item, and other items get its shape", () => {
    expect(written("  - [x] Buy milk", " and bread\n* Eggs\n* Tea")).toBe(" and bread\n  - [ ] Eggs\n  - [ ] Tea");
  });

  it("an item begins a new line", () => {
    expect(written("- Milk", "- Eggs\n- Tea")).toBe("\n- Eggs\n- Tea");
    expect(written("- Milk", "\n- Eggs")).toBe("\n- Eggs");
  });

  it("that is empty the first item is its text", () => {
    expect(written("- [ ] ", "- [ ] Eggs\n- [ ] Tea")).toBe("Eggs\n- [ ] Tea");
    expect(written("- ", "\n\n1. Eggs\n2. Tea")).toBe("Eggs\n- Tea");
  });

  it("numbers are counted on", () => {
    expect(written("3. Milk", "\n1. Eggs\n2. Tea")).toBe("\n4. Eggs\n5. Tea");
    expect(written("\t2) Milk", "\n- Eggs")).toBe("\n\t3) Eggs");
  });

  it("deeper items stay deeper", () => {
    expect(written("  * Milk", "\n- Eggs\n  - brown\n- Tea")).toBe("\n  * Eggs\n    * brown\n  * Tea");
    expect(written("1. ", "1. Eggs\n   - brown\n2. Tea")).toBe("Eggs\n   - brown\n2. Tea");
  });

  it("a task that is done stays done", () => {
    expect(written("- [ ] a", "\n- [x] b\n- c")).toBe("\n- [x] b\n- [ ] c");
  });

  it("plain lines are items, and blank lines between items go", () => {
    expect(written("- a", "\nb\nc")).toBe("\n- b\n- c");
    expect(written("- a", "\n\n- b\n\n- c")).toBe("\n- b\n- c");
  });

  it("a paragraph, a heading or code ends the list", () => {
    expect(written("- a", "\n- b\n\nThen this.\n- free")).toBe("\n- b\n\nThen this.\n- free");
    expect(written("- a", "\n## Next\nText")).toBe("\n## Next\nText");
  });

  it("emphasis and brackets are no marker", () => {
    expect(written("- ", "**Bold** move")).toBe("**Bold** move");
    expect(written("- ", "[[Note]] here\n- [[Other]]")).toBe("[[Note]] here\n- [[Other]]");
  });
});

it("anywhere else the text is left alone", () => {
  const text = "- a\n\n  * b\n1. c\n";
  expect(written("Some words", text)).toBe(text);
  expect(written("", text)).toBe(text);
});

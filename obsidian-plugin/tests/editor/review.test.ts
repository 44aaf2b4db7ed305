import { undo } from "@codemirror/commands";
import type { EditorView } from "@codemirror/view";
import { describe, expect, it } from "vitest";
import { acceptChanges, beginReview, changeAtCursor, previewReview, proposeReview, rejectChanges, reviewOf, reviews } from "../../src/editor/review";
import { editing, textOf, type, undoAll } from "./editing";

const labels = { accept: "Accept", reject: "Reject", acceptAll: "Accept all", rejectAll: "Reject all", rewriting: "Rewriting" };

function reviewing(text: string, proposed: string): EditorView {
  const view = editing(text, reviews(labels));
  const { from, to } = view.state.selection.main;
  beginReview(view, from, to);
  proposeReview(view, proposed);
  return view;
}

const all = (view: EditorView, selector: string) => [...view.dom.querySelectorAll(selector)].map(({ textContent }) => textContent);
const press = (view: EditorView, label: string, index = 0) =>
  [...view.dom.querySelectorAll("button")].filter(({ textContent }) => textContent === label)[index]?.click();

describe("a review", () => {
  const begin = () => reviewing("Say: |the old cat sat on a mat|!", "the new cat lay on a mat");

  it("shows what would go and what would come, and changes nothing", () => {
    const view = begin();
    expect(all(view, ".vaultbridge-removed")).toEqual(["old", "sat"]);
    expect(all(view, "ins")).toEqual(["new", "lay"]);
    expect(textOf(view)).toBe("Say: the old cat sat on a mat!");
  });

  it("accepts and rejects change by change", () => {
    const view = begin();
    press(view, "Accept", 1);
    expect(textOf(view)).toBe("Say: the old cat lay on a mat!");
    press(view, "Reject");
    expect(textOf(view)).toBe("Say: the old cat lay on a mat!");
    expect(reviewOf(view.state)).toBeNull();
    expect(all(view, "ins, .vaultbridge-removed, button")).toEqual([]);
  });

  it("accepts all in one step of the history", () => {
    const view = begin();
    press(view, "Accept all");
    expect(textOf(view)).toBe("Say: the new cat lay on a mat!");
    expect(undoAll(view)).toBe(1);
    expect(textOf(view)).toBe("Say: the old cat sat on a mat!");
  });

  it("accepts what is left after one was undone", () => {
    const view = begin();
    press(view, "Accept");
    undo(view);
    press(view, "Accept all");
    expect(textOf(view)).toBe("Say: the old cat lay on a mat!");
  });

  it("rejects all and leaves no step", () => {
    const view = begin();
    press(view, "Reject all");
    expect(undoAll(view)).toBe(0);
    expect(reviewOf(view.state)).toBeNull();
  });

  it("goes along with what is typed elsewhere, and gives up what is edited", () => {
    const view = begin();
    type(view, 0, "I ");
    type(view, textOf(view).indexOf("old") + 1, "!");
    acceptChanges(view);
    expect(textOf(view)).toBe("I Say: the o!ld cat lay on a mat!");
  });

  it("may only add or only remove", () => {
    const added = reviewing("|a b|", "a very b");
    acceptChanges(added);
    expect(textOf(added)).toBe("a very b");
    const removed = reviewing("|a very b|", "a b");
    acceptChanges(removed);
    expect(textOf(removed)).toBe("a b");
  });

  it("finds the change at the cursor", () => {
    const view = begin();
    view.dispatch({ selection: { anchor: textOf(view).indexOf("cat") } });
    const change = changeAtCursor(view.state);
    expect(change?.insert).toBe("lay");
    acceptChanges(view, change ? [change] : []);
    expect(textOf(view)).toBe("Say: the old cat lay on a mat!");
  });

  it("shows the text while it is made", () => {
    const view = editing("|old text|", reviews(labels));
    beginReview(view, 0, 8);
    previewReview(view, "new");
    previewReview(view, "new text");
    expect(all(view, ".vaultbridge-preview")).toEqual(["new text"]);
    rejectChanges(view);
    expect(all(view, ".vaultbridge-preview")).toEqual([]);
  });

  it("of an equal text is none", () => {
    const view = editing("|same|", reviews(labels));
    beginReview(view, 0, 4);
    expect(proposeReview(view, "same")).toBe(false);
    expect(reviewOf(view.state)).toBeNull();
  });
});

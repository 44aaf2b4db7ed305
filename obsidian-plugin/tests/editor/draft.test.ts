import { undo, redo } from "@codemirror/commands";
import { expect, describe, it } from "vitest";
import { acceptDraft, beginDraft, discardDraft, draftOf, drafts, settleDraft, writeDraft } from "../../src/editor/draft";
import { editing, shown, textOf, type, undoAll } from "./editing";

const labels = { accept: "Accept", discard: "Discard", writing: "Writing" };

function drafting(text: string, ...pieces: string[]) {
  const view = editing(text, drafts(labels));
  beginDraft(view, view.state.selection.main.head);
  for (const piece of pieces) writeDraft(view, piece);
  return view;
}

const buttons = (view: { dom: HTMLElement }) => [...view.dom.querySelectorAll("button")];
const marked = (view: { dom: HTMLElement }) =>
  [...view.dom.querySelectorAll(".vaultbridge-draft")].map(({ textContent }) => textContent).join("");

describe("a draft", () => {
  it("grows behind the cursor, which stays where it is", () => {
    const view = drafting("Once| upon", " there", " was\na time");
    expect(shown(view)).toBe("Once| there was\na time upon");
    expect(marked(view)).toBe(" there wasa time");
    expect(view.dom.querySelector("[role=status]")?.getAttribute("aria-label")).toBe("Writing");
  });

  it("is one step of the history, however many pieces it has", () => {
    const view = drafting("Once|", ..."a long text".split(""));
    settleDraft(view);
    undo(view);
    expect(shown(view)).toBe("Once|");
    redo(view);
    expect(textOf(view)).toBe("Oncea long text");
  });

  it("leaves what the user does meanwhile in its own steps", () => {
    const view = editing("Title\n\nOnce|", drafts(labels));
    type(view, 0, "My ");
    beginDraft(view, view.state.selection.main.head);
    writeDraft(view, " there");
    type(view, 8, "!");
    writeDraft(view, " was");
    expect(textOf(view)).toBe("My Title!\n\nOnce there was");
    settleDraft(view);
    undo(view);
    expect(textOf(view)).toBe("My Title!\n\nOnce");
    undo(view);
    expect(textOf(view)).toBe("My Title\n\nOnce");
    undo(view);
    expect(textOf(view)).toBe("Title\n\nOnce");
  });

  it("does not move a cursor or a selection within it when it is settled", () => {
    const view = drafting("A|", "bcdef");
    view.dispatch({ selection: { anchor: 2, head: 4 } });
    settleDraft(view);
    expect(shown(view)).toBe("Ab|cd|ef");
  });

  it("does not take what is typed at its ends", () => {
    const view = drafting("A|", "b");
    type(view, 1, "1");
    type(view, 3, "2");
    writeDraft(view, "c");
    expect(textOf(view)).toBe("A1bc2");
    discardDraft(view);
    expect(textOf(view)).toBe("A12");
  });

  it("is accepted by a button, and the cursor that waits goes on behind it", () => {
    const view = drafting("A|.", "bc");
    expect(buttons(view)).toEqual([]);
    settleDraft(view);
    buttons(view)[0]?.click();
    expect(shown(view)).toBe("Abc|.");
    expect(draftOf(view.state)).toBeNull();
    expect(marked(view)).toBe("");
  });

  it("leaves a cursor alone that has gone elsewhere", () => {
    const view = drafting("|A", "bc");
    view.dispatch({ selection: { anchor: 3 } });
    acceptDraft(view);
    expect(shown(view)).toBe("bcA|");
  });

  it("is accepted by whoever works on with it", () => {
    for (const at of [2, 3]) {
      const view = drafting("A|", "bc");
      settleDraft(view);
      type(view, at, "!");
      expect(draftOf(view.state)).toBeNull();
    }
  });

  it("stays while other text is edited, and is gone when it is undone", () => {
    const view = drafting("A|", "bc");
    settleDraft(view);
    type(view, 0, "!");
    expect(draftOf(view.state)).toEqual({ from: 2, to: 4, writing: false });
    undo(view);
    undo(view);
    expect(shown(view)).toBe("A|");
    expect(draftOf(view.state)).toBeNull();
  });

  it("is discarded in one step, and undo brings it back", () => {
    const view = drafting("A|", "bc");
    settleDraft(view);
    buttons(view)[1]?.click();
    expect(textOf(view)).toBe("A");
    undo(view);
    expect(textOf(view)).toBe("Abc");
  });

  it("without text is nothing", () => {
    const view = drafting("A|");
    settleDraft(view);
    expect(draftOf(view.state)).toBeNull();
    expect(undoAll(view)).toBe(0);
  });
});

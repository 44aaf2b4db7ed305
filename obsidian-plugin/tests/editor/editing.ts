import { history, historyKeymap, undo, undoDepth } from "@codemirror/commands";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";

/** An editor with a history; `|` in the text is the cursor, two of them are the selection. */
export function editing(text: string, ...extensions: Extension[]): EditorView {
  const [before = "", selected = "", after] = text.split("|");
  const doc = text.replaceAll("|", "");
  const anchor = before.length;
  const head = after === undefined ? anchor : anchor + selected.length;
  return new EditorView({
    state: EditorState.create({ doc, selection: { anchor, head }, extensions: [history(), keymap.of(historyKeymap), ...extensions] }),
    parent: document.body,
  });
}

export function textOf(view: EditorView): string {
  return view.state.doc.toString();
}

/** The text with its cursor or selection. */
export function shown(view: EditorView): string {
  const { from, to } = view.state.selection.main;
  const text = textOf(view);
  const marked = text.slice(0, from) + "|" + text.slice(from);
  return from === to ? marked : `${marked.slice(0, to + 1)}|${marked.slice(to + 1)}`;
}

export function type(view: EditorView, at: number, insert: string): void {
  view.dispatch({ changes: { from: at, insert }, userEvent: "input.type" });
}

/** Undo everything; in how many steps. */
export function undoAll(view: EditorView): number {
  const steps = undoDepth(view.state);
  while (undo(view));
  return steps;
}

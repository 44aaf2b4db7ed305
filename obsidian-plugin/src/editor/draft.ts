/**
 * Text that is being generated into a note: one stretch of an editor, marked until somebody accepts it.
 *
 * While it is written its pieces bypass the undo history. When it is settled it is taken out and put back in one
 * update, so that history has it as one step, however long it took and whatever the user did meanwhile.
 */

import { isolateHistory } from "@codemirror/commands";
import { type EditorState, type Extension, StateEffect, StateField, Transaction } from "@codemirror/state";
import { Decoration, EditorView, WidgetType } from "@codemirror/view";
import { button } from "./button";

export interface Draft {
  readonly from: number;
  readonly to: number;
  readonly writing: boolean;
}

export interface DraftLabels {
  readonly accept: string;
  readonly discard: string;
  readonly writing: string;
}

const setDraft = StateEffect.define<Draft | null>();

const field = StateField.define<Draft | null>({
  create: () => null,
  update(draft, transaction) {
    for (const effect of transaction.effects) if (effect.is(setDraft)) return effect.value;
    if (draft === null || !transaction.docChanged) return draft;
    if (!draft.writing && isTouched(draft, transaction)) return null;
    // What the user types at either end is the user's.
    const from = transaction.changes.mapPos(draft.from, 1);
    return { ...draft, from, to: Math.max(from, transaction.changes.mapPos(draft.to, -1)) };
  },
});

/** Whether somebody works on with the text: then it is theirs. */
function isTouched(draft: Draft, transaction: Transaction): boolean {
  let touched = false;
  transaction.changes.iterChangedRanges((from, to) => {
    touched ||= to > draft.from && from <= draft.to;
  });
  return touched;
}

export function draftOf(state: EditorState): Draft | null {
  return state.field(field, false) ?? null;
}

/** Begin a draft at a position; one that was there before is accepted. */
export function beginDraft(view: EditorView, at: number): void {
  view.dispatch({ effects: setDraft.of({ from: at, to: at, writing: true }) });
}

/** Write on at the draft's end. The cursor and the scroll position stay where they are. */
export function writeDraft(view: EditorView, text: string): void {
  const draft = draftOf(view.state);
  if (draft === null || text === "") return;
  const insert = view.state.toText(text);
  view.dispatch({
    changes: { from: draft.to, insert },
    effects: setDraft.of({ ...draft, to: draft.to + insert.length }),
    annotations: Transaction.addToHistory.of(false),
  });
}

/** No more is written: make what is there one step of the history. */
export function settleDraft(view: EditorView): void {
  const draft = draftOf(view.state);
  if (draft?.writing !== true) return;
  const { state } = view;
  const insert = state.doc.slice(draft.from, draft.to);
  if (insert.length === 0) {
    view.dispatch({ effects: setDraft.of(null) });
    return;
  }
  const taken = state.update({
    changes: { from: draft.from, to: draft.to },
    annotations: Transaction.addToHistory.of(false),
  });
  const given = taken.state.update({
    changes: { from: draft.from, insert },
    selection: state.selection,
    effects: setDraft.of({ ...draft, writing: false }),
    annotations: [isolateHistory.of("full"), Transaction.userEvent.of("input.generate")],
  });
  view.dispatch([taken, given]);
}

/** The text is the user's from now on. A cursor that still waits in front of it goes on behind it. */
export function acceptDraft(view: EditorView): boolean {
  settleDraft(view);
  const draft = draftOf(view.state);
  if (draft === null) return false;
  const { main } = view.state.selection;
  const waits = main.empty && main.head === draft.from;
  view.dispatch({ effects: setDraft.of(null), ...(waits && { selection: { anchor: draft.to }, scrollIntoView: true }) });
  return true;
}

/** Take the text out again. */
export function discardDraft(view: EditorView): boolean {
  settleDraft(view);
  const draft = draftOf(view.state);
  if (draft === null) return false;
  view.dispatch({
    changes: { from: draft.from, to: draft.to },
    effects: setDraft.of(null),
    annotations: [isolateHistory.of("full"), Transaction.userEvent.of("delete.generate")],
  });
  return true;
}

class WritingWidget extends WidgetType {
  constructor(private readonly label: string) {
    super();
  }

  override eq(other: WritingWidget): boolean {
    return other.label === this.label;
  }

  toDOM(): HTMLElement {
    return createSpan({ cls: "vaultbridge-writing", attr: { role: "status", "aria-label": this.label } });
  }
}

class AcceptWidget extends WidgetType {
  constructor(private readonly labels: DraftLabels) {
    super();
  }

  override eq(other: AcceptWidget): boolean {
    return other.labels === this.labels;
  }

  toDOM(view: EditorView): HTMLElement {
    const bar = createSpan({ cls: "vaultbridge-bar" });
    button(bar, this.labels.accept, () => acceptDraft(view));
    button(bar, this.labels.discard, () => discardDraft(view));
    return bar;
  }
}

/** Marks the draft of an editor. */
export function drafts(labels: DraftLabels): Extension {
  const text = Decoration.mark({ class: "vaultbridge-draft" });
  const writing = Decoration.widget({ widget: new WritingWidget(labels.writing), side: 1 });
  const accept = Decoration.widget({ widget: new AcceptWidget(labels), side: 1 });
  return [
    field,
    EditorView.decorations.compute([field], (state) => {
      const draft = draftOf(state);
      if (draft === null) return Decoration.none;
      const end = (draft.writing ? writing : accept).range(draft.to);
      return Decoration.set(draft.from < draft.to ? [text.range(draft.from, draft.to), end] : [end]);
    }),
  ];
}

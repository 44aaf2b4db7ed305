/** A text that is to be put in another one's place: shown as it is made, then as changes to accept or reject one by one. */

import { isolateHistory } from "@codemirror/commands";
import { type EditorState, type Extension, type Range, StateEffect, StateField, Transaction } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";
import { changes as changesOf } from "../writing/diff";
import { button } from "./button";

/** The text from `from` to `to` would become `insert`. */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

interface Review {
  readonly from: number;
  readonly to: number;
  /** What was made so far; the changes once it is whole. */
  readonly preview: string;
  readonly changes: readonly Change[];
}

export interface ReviewLabels {
  readonly accept: string;
  readonly reject: string;
  readonly acceptAll: string;
  readonly rejectAll: string;
  readonly rewriting: string;
}

const setReview = StateEffect.define<Review | null>();

const field = StateField.define<Review | null>({
  create: () => null,
  update(review, transaction) {
    for (const effect of transaction.effects) if (effect.is(setReview)) return effect.value;
    if (review === null || !transaction.docChanged) return review;
    const map = (pos: number, side: number): number => transaction.changes.mapPos(pos, side);
    const { changes } = review;
    const moved = { ...review, from: map(review.from, 1), to: map(review.to, -1) };
    if (moved.from >= moved.to) return null;
    // What the user changes meanwhile is not ours to change any more.
    const kept = changes.filter(({ from, to }) => transaction.changes.touchesRange(from, to) === false);
    if (changes.length > 0 && kept.length === 0) return null;
    return { ...moved, changes: kept.map((one) => ({ ...one, from: map(one.from, 1), to: map(one.to, from(one)) })) };
  },
});

/** An insertion stays one point; a replaced text does not grow at its end. */
const from = (change: Change): number => (change.from === change.to ? 1 : -1);

export function reviewOf(state: EditorState): Review | null {
  return state.field(field, false) ?? null;
}

export function beginReview(view: EditorView, from: number, to: number): void {
  view.dispatch({ effects: setReview.of({ from, to, preview: "", changes: [] }) });
}

/** Show what was made so far of the text that will be proposed. */
export function previewReview(view: EditorView, preview: string): void {
  const review = reviewOf(view.state);
  if (review !== null) view.dispatch({ effects: setReview.of({ ...review, preview }) });
}

/** Show the changes that make the proposed text; whether there are any. */
export function proposeReview(view: EditorView, text: string): boolean {
  const review = reviewOf(view.state);
  if (review === null) return false;
  const found = changesOf(view.state.sliceDoc(review.from, review.to), text);
  const changes = found.map(({ start, end, insert }) => ({ from: review.from + start, to: review.from + end, insert }));
  const { main } = view.state.selection;
  // What was selected is shown by its changes now, which a selection would hide.
  const selected = main.from === review.from && main.to === review.to;
  view.dispatch({
    effects: setReview.of(changes.length > 0 ? { ...review, preview: "", changes } : null),
    ...(selected && { selection: { anchor: review.to } }),
  });
  return changes.length > 0;
}

/** Make the changes, in one step of the history; without any, all that are left. */
export function acceptChanges(view: EditorView, chosen?: readonly Change[]): boolean {
  const review = reviewOf(view.state);
  const made = chosen ?? review?.changes ?? [];
  if (review === null || made.length === 0) return false;
  const rest = review.changes.filter((change) => !made.includes(change));
  const changes = view.state.changes(made.map(({ from, to, insert }) => ({ from, to, insert })));
  const moved = rest.map((one) => ({ ...one, from: changes.mapPos(one.from, 1), to: changes.mapPos(one.to, from(one)) }));
  const place = { from: changes.mapPos(review.from, -1), to: changes.mapPos(review.to, 1) };
  view.dispatch({
    changes,
    effects: setReview.of(moved.length > 0 ? { ...review, ...place, changes: moved } : null),
    annotations: [isolateHistory.of("full"), Transaction.userEvent.of("input.rewrite")],
  });
  return true;
}

/** Leave the text as it is there; without any changes named, everywhere. */
export function rejectChanges(view: EditorView, chosen?: readonly Change[]): boolean {
  const review = reviewOf(view.state);
  if (review === null) return false;
  const rest = chosen === undefined ? [] : review.changes.filter((change) => !chosen.includes(change));
  view.dispatch({ effects: setReview.of(rest.length > 0 ? { ...review, changes: rest } : null) });
  return true;
}

/** The change that the cursor is at, or the next one behind it. */
export function changeAtCursor(state: EditorState): Change | null {
  const { head } = state.selection.main;
  const changes = reviewOf(state)?.changes ?? [];
  return changes.find(({ to }) => to >= head) ?? changes[0] ?? null;
}

class ProposalWidget extends WidgetType {
  constructor(
    private readonly change: Change,
    private readonly labels: ReviewLabels,
  ) {
    super();
  }

  override eq({ change }: ProposalWidget): boolean {
    return change.insert === this.change.insert && change.from === this.change.from && change.to === this.change.to;
  }

  toDOM(view: EditorView): HTMLElement {
    const span = createSpan({ cls: "vaultbridge-proposal" });
    if (this.change.insert !== "") span.createEl("ins", { text: this.change.insert, cls: "vaultbridge-added" });
    const bar = span.createSpan({ cls: "vaultbridge-bar" });
    const here = (): Change[] => (reviewOf(view.state)?.changes ?? []).filter((one) => this.isFor(one));
    button(bar, this.labels.accept, () => acceptChanges(view, here()), "vaultbridge-accept");
    button(bar, this.labels.reject, () => rejectChanges(view, here()), "vaultbridge-reject");
    return span;
  }

  private isFor({ from, to, insert }: Change): boolean {
    return from === this.change.from && to === this.change.to && insert === this.change.insert;
  }
}

class AllWidget extends WidgetType {
  constructor(private readonly labels: ReviewLabels) {
    super();
  }

  override eq(other: AllWidget): boolean {
    return other.labels === this.labels;
  }

  toDOM(view: EditorView): HTMLElement {
    const bar = createDiv({ cls: "vaultbridge-bar vaultbridge-all" });
    button(bar, this.labels.acceptAll, () => acceptChanges(view));
    button(bar, this.labels.rejectAll, () => rejectChanges(view));
    return bar;
  }
}

class PreviewWidget extends WidgetType {
  constructor(
    private readonly text: string,
    private readonly labels: ReviewLabels,
  ) {
    super();
  }

  override eq(other: PreviewWidget): boolean {
    return other.text === this.text;
  }

  override updateDOM(dom: HTMLElement): boolean {
    dom.lastElementChild?.setText(this.text);
    return true;
  }

  toDOM(): HTMLElement {
    const box = createDiv({ cls: "vaultbridge-preview" });
    box.createSpan({ cls: "vaultbridge-writing", attr: { role: "status", "aria-label": this.labels.rewriting } });
    box.createDiv({ text: this.text });
    return box;
  }
}

/** Shows the review of an editor. */
export function reviews(labels: ReviewLabels): Extension {
  return [field, EditorView.decorations.compute([field, "doc"], (state) => decorations(state, labels))];
}

function decorations(state: EditorState, labels: ReviewLabels): DecorationSet {
  const review = reviewOf(state);
  if (review === null) return Decoration.none;
  const below = (widget: WidgetType): Range<Decoration> =>
    Decoration.widget({ widget, block: true, side: 1 }).range(state.doc.lineAt(review.to).to);
  if (review.changes.length === 0) {
    const rewritten = Decoration.mark({ class: "vaultbridge-rewritten" }).range(review.from, review.to);
    return Decoration.set([rewritten, below(new PreviewWidget(review.preview, labels))], true);
  }
  const marks = review.changes.flatMap((change) => [
    ...(change.from < change.to ? [Decoration.mark({ class: "vaultbridge-removed" }).range(change.from, change.to)] : []),
    Decoration.widget({ widget: new ProposalWidget(change, labels), side: 1 }).range(change.to),
  ]);
  return Decoration.set([...marks, below(new AllWidget(labels))], true);
}

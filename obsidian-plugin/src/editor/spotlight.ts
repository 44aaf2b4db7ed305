/** The lines that somebody was led to, lit until the next click or edit. */

import { type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView } from "@codemirror/view";

const light = StateEffect.define<{ from: number; to: number }>();
const line = Decoration.line({ class: "vaultbridge-spotlight" });

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(lines, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(light)) continue;
      const { doc } = transaction.state;
      const starts = [];
      for (let at = doc.lineAt(effect.value.from); ; at = doc.line(at.number + 1)) {
        starts.push(line.range(at.from));
        if (at.to >= effect.value.to || at.number === doc.lines) return Decoration.set(starts);
      }
    }
    return transaction.docChanged || transaction.selection !== undefined ? Decoration.none : lines;
  },
  provide: (self) => EditorView.decorations.from(self),
});

export const spotlight: Extension = field;

/** Light the lines `first` to `last`, counted from 1, and scroll to them. */
export function lightLines(view: EditorView, first: number, last: number): void {
  const { doc } = view.state;
  const at = (number: number): number => Math.min(Math.max(number, 1), doc.lines);
  const { from } = doc.line(at(first));
  view.dispatch({ selection: { anchor: from } });
  view.dispatch({
    effects: [light.of({ from, to: doc.line(at(last)).to }), EditorView.scrollIntoView(from, { y: "center" })],
  });
}

import type { EditorView } from "@codemirror/view";
import { type App, type Editor, MarkdownView } from "obsidian";

/** The CodeMirror behind an editor: Obsidian's types hide it, and its documentation tells plugins to take it. */
export function viewOf(editor: Editor): EditorView {
  return (editor as Editor & { cm: EditorView }).cm;
}

/** The CodeMirrors of all notes that are open. */
export function openViews(app: App): EditorView[] {
  return app.workspace
    .getLeavesOfType("markdown")
    .flatMap(({ view }) => (view instanceof MarkdownView ? [viewOf(view.editor)] : []));
}

import { type App, type HoverParent, Keymap, MarkdownView, type PaneType } from "obsidian";
import { targetOf } from "../chat/links";
import { lightLines } from "../editor/spotlight";
import { viewOf } from "./editors";

export const HOVER_SOURCE = "vaultbridge";

/** A place in a note: where it is, and the lines there, from 1; without lines the link says where. */
export interface Place {
  readonly path: string;
  readonly link: string;
  readonly lines: { readonly first: number; readonly last: number } | null;
}

interface Located {
  readonly link: string;
  readonly span: { readonly start_line: number; readonly end_line: number };
}

/** The place that the server names: of a hit or of a citation. What is not Markdown, or from a saved chat, has no lines. */
export function placeOf(path: string, { link, span }: Located): Place {
  const lines = path.endsWith(".md") && span.start_line > 0 ? { first: span.start_line, last: span.end_line } : null;
  return { path, link, lines };
}

/** A passage on one line, without the headings that its link names already. */
export function passageText(text: string): string {
  return text.replace(/^#{1,6}\s.*$/gm, "").replace(/\s+/g, " ").trim();
}

/** Where a hit or a citation is, in words. */
export function placeText(path: string, heading: string): string {
  const note = path.replace(/^.*\//, "").replace(/\.md$/, "");
  return heading === "" || heading === note ? note : `${note} › ${heading}`;
}

/** Open a note at a place and light its lines. */
export async function openPlace(app: App, { path, link, lines }: Place, pane: PaneType | boolean): Promise<void> {
  const file = app.vault.getFileByPath(path);
  if (file === null || lines === null) {
    await app.workspace.openLinkText(targetOf(link), "", pane);
    return;
  }
  const leaf = app.workspace.getLeaf(pane);
  await leaf.openFile(file, { eState: { line: lines.first - 1 } });
  const { view } = leaf;
  if (view instanceof MarkdownView && view.getMode() === "source") lightLines(viewOf(view.editor), lines.first, lines.last);
}

/** The pane that a click asks for. */
export function paneOf(event: MouseEvent | KeyboardEvent): PaneType | boolean {
  return Keymap.isModEvent(event);
}

/** Have Obsidian preview what a link leads to. */
export function preview(app: App, hoverParent: HoverParent, event: MouseEvent, targetEl: HTMLElement, link: string): void {
  app.workspace.trigger("hover-link", { event, source: HOVER_SOURCE, hoverParent, targetEl, linktext: targetOf(link) });
}

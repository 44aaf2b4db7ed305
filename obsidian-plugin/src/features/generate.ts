import { Prec } from "@codemirror/state";
import { type EditorView, keymap } from "@codemirror/view";
import { Component, type Editor, type Hotkey, type MarkdownFileInfo, Notice, type Plugin } from "obsidian";
import type { ChatRequest } from "../bridge/client";
import { acceptDraft, discardDraft, draftOf, drafts } from "../editor/draft";
import type { Translate } from "../i18n";
import type { Settings } from "../settings";
import { above, draftMessage } from "../writing/material";
import { openViews, viewOf } from "./editors";
import { holderOf } from "./hotkeys";
import { troubleText } from "./trouble";
import type { Place, Writer } from "./writer";

const HOTKEY: Hotkey = { modifiers: ["Mod"], key: "J" };

/** *Generate here*: the note goes on at the cursor, or a selection is answered below, from what the vault knows. */
export class GenerateHere extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly writer: Writer,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { plugin, writer, t } = this;
    plugin.registerEditorExtension([
      drafts({ accept: t("draft.accept"), discard: t("draft.discard"), writing: t("draft.writing") }),
      Prec.highest(
        keymap.of([
          { key: "Escape", run: (view) => writer.stop(view) },
          { key: "Mod-Enter", run: (view) => !writer.isWriting(view) && acceptDraft(view) },
          // What is being written is one step as well: it is ended, and then undone by whoever undoes.
          { key: "Mod-z", run: (view) => writer.stop(view) && false },
        ]),
      ),
    ]);
    // Other plugins are there by then, and with them their hotkeys.
    plugin.app.workspace.onLayoutReady(() => {
      this.addCommands();
    });
  }

  override onunload(): void {
    this.writer.stopAll();
    for (const view of openViews(this.plugin.app)) acceptDraft(view);
  }

  private addCommands(): void {
    const { plugin, t } = this;
    const holder = holderOf(plugin.app, HOTKEY);
    if (holder !== null) new Notice(t("hotkey.taken", { hotkey: "Ctrl/Cmd+J", command: holder }), 0);
    plugin.addCommand({
      id: "generate",
      name: t("command.generate"),
      icon: "sparkles",
      hotkeys: holder === null ? [HOTKEY] : [],
      editorCallback: (editor, context) => void this.generate(editor, context),
    });
    this.addEditorCommand("stop", t("command.stop"), (view) => this.writer.isWriting(view), (view) => this.writer.stop(view));
    this.addEditorCommand("accept", t("command.accept"), hasDraft, acceptDraft);
    this.addEditorCommand("discard", t("command.discard"), hasDraft, (view) => {
      this.writer.stop(view);
      discardDraft(view);
    });
  }

  private addEditorCommand(id: string, name: string, can: (view: EditorView) => boolean, run: (view: EditorView) => void): void {
    this.plugin.addCommand({
      id,
      name,
      editorCheckCallback: (checking, editor) => {
        const view = viewOf(editor);
        if (!checking && can(view)) run(view);
        return can(view);
      },
    });
  }

  private async generate(editor: Editor, { file }: MarkdownFileInfo): Promise<void> {
    const view = viewOf(editor);
    if (this.writer.stop(view)) return;
    // Text that is still marked is built upon now.
    acceptDraft(view);
    const { state } = view;
    const { main } = state.selection;
    const text = main.empty ? above(state.sliceDoc(0, main.head)) : state.sliceDoc(main.from, main.to);
    const place: Place = main.empty ? { at: main.head, before: "" } : { at: state.doc.lineAt(main.to).to, before: "\n\n" };
    const { grounding, sources } = this.settings.values;
    const request: ChatRequest = {
      messages: [{ role: "user", content: draftMessage(file?.basename ?? "", text) }],
      vaultbridge: { grounding, sources: sources ? "markdown" : "none", ...(file && { note: file.path }) },
    };
    try {
      if ((await this.writer.write(view, request, place)) === "nothing") new Notice(this.t("draft.nothing"));
    } catch (error) {
      new Notice(troubleText(error, this.t));
    }
  }
}

function hasDraft(view: EditorView): boolean {
  return draftOf(view.state) !== null;
}

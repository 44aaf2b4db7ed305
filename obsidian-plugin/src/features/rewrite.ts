import { Prec } from "@codemirror/state";
import { type EditorView, keymap } from "@codemirror/view";
import { type App, Component, type Editor, type MarkdownFileInfo, Notice, type Plugin, SuggestModal } from "obsidian";
import type { Client } from "../bridge/client";
import { isStop } from "../bridge/errors";
import {
  type Change,
  acceptChanges,
  beginReview,
  changeAtCursor,
  previewReview,
  proposeReview,
  rejectChanges,
  reviewOf,
  reviews,
} from "../editor/review";
import type { TextKey, Translate } from "../i18n";
import { rewriteMessage } from "../writing/material";
import type { Dialogs } from "./dialogs";
import { openViews, viewOf } from "./editors";
import { troubleText } from "./trouble";

/** How to rewrite: in words for the user and in words for the model. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
  /** Whether the vault may have a say; a preset works on the text alone. */
  readonly grounding: "auto" | "off";
}

const PRESETS: readonly (readonly [TextKey, string])[] = [
  ["rewrite.improve", "Improve the writing of this text. Keep its meaning, language and Markdown."],
  ["rewrite.correct", "Correct spelling and grammar of this text. Change nothing else."],
  ["rewrite.shorten", "Shorten this text to about half. Keep its language and what matters."],
  ["rewrite.expand", "Expand this text with more detail. Keep its language."],
  ["rewrite.simplify", "Simplify this text: short sentences, plain words, the same language."],
  ["rewrite.formal", "Rewrite this text in a formal tone, in the same language."],
  ["rewrite.list", "Rewrite this text as a Markdown list, in the same language."],
  ["rewrite.english", "Translate this text into English. Keep its Markdown."],
  ["rewrite.chinese", "Translate this text into Simplified Chinese. Keep its Markdown."],
];

/** *Rewrite selection*: what would change is shown in the text, to be accepted or rejected change by change. */
export class Rewrite extends Component {
  private readonly running = new Map<EditorView, AbortController>();

  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly dialogs: Dialogs,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { plugin, t } = this;
    plugin.registerEditorExtension([
      reviews({
        accept: t("rewrite.accept"),
        reject: t("rewrite.reject"),
        acceptAll: t("rewrite.accept-all"),
        rejectAll: t("rewrite.reject-all"),
        rewriting: t("rewrite.rewriting"),
      }),
      Prec.high(
        keymap.of([
          { key: "Escape", run: (view) => this.stop(view) || rejectChanges(view) },
          { key: "Mod-Enter", run: (view) => acceptChanges(view) },
        ]),
      ),
    ]);
    plugin.addCommand({
      id: "rewrite",
      name: t("command.rewrite"),
      icon: "replace",
      editorCallback: (editor, context) => {
        this.choose(editor, context);
      },
    });
    this.addReviewCommand("accept-change", (view) => acceptChanges(view, atCursor(view)));
    this.addReviewCommand("reject-change", (view) => rejectChanges(view, atCursor(view)));
    this.addReviewCommand("accept-all", (view) => acceptChanges(view));
    this.addReviewCommand("reject-all", (view) => rejectChanges(view));
  }

  override onunload(): void {
    for (const view of this.running.keys()) this.stop(view);
    for (const view of openViews(this.plugin.app)) rejectChanges(view);
  }

  /** Have a part of a note written anew, and propose the changes. */
  async rewrite(view: EditorView, note: string, message: string, grounding: "auto" | "always" | "off"): Promise<void> {
    const { from, to } = view.state.selection.main;
    const before = view.state.sliceDoc(from, to);
    const running = new AbortController();
    this.stop(view);
    this.running.set(view, running);
    beginReview(view, from, to);
    const request = {
      messages: [{ role: "user" as const, content: message }],
      vaultbridge: { grounding, sources: "none" as const, note },
    };
    try {
      let text = "";
      for await (const chunk of this.client.chat(request, running.signal)) {
        text += chunk.choices[0]?.delta.content ?? "";
        previewReview(view, text);
      }
      if (!proposeReview(view, within(before, text))) new Notice(this.t("rewrite.same"));
    } catch (error) {
      rejectChanges(view);
      if (!isStop(error)) new Notice(troubleText(error, this.t));
    } finally {
      if (this.running.get(view) === running) this.running.delete(view);
    }
  }

  private choose(editor: Editor, { app, file }: MarkdownFileInfo): void {
    const selection = editor.getSelection();
    if (selection.trim() === "") {
      new Notice(this.t("rewrite.nothing-selected"));
      return;
    }
    const presets = PRESETS.map(([key, text]): Instruction => ({ name: this.t(key), text, grounding: "off" }));
    const choose = ({ text, grounding }: Instruction): void => {
      void this.rewrite(viewOf(editor), file?.path ?? "", rewriteMessage(text, selection), grounding);
    };
    this.dialogs.open(new InstructionModal(app, presets, this.t, choose));
  }

  private stop(view: EditorView): boolean {
    const running = this.running.get(view);
    running?.abort();
    this.running.delete(view);
    return running !== undefined && rejectChanges(view);
  }

  private addReviewCommand(id: "accept-change" | "reject-change" | "accept-all" | "reject-all", run: (view: EditorView) => void): void {
    this.plugin.addCommand({
      id,
      name: this.t(`command.${id}`),
      editorCheckCallback: (checking, editor) => {
        const view = viewOf(editor);
        const can = (reviewOf(view.state)?.changes.length ?? 0) > 0;
        if (can && !checking) run(view);
        return can;
      },
    });
  }
}

function atCursor(view: EditorView): Change[] {
  const change = changeAtCursor(view.state);
  return change === null ? [] : [change];
}

/** A text with the blanks around it that the old one had. */
function within(before: string, text: string): string {
  const [lead = ""] = /^\s*/.exec(before) ?? [];
  const [trail = ""] = /\s*$/.exec(before) ?? [];
  return lead + text.trim() + trail;
}

/** The presets, and whatever the user types as an instruction of their own. */
class InstructionModal extends SuggestModal<Instruction> {
  constructor(
    app: App,
    private readonly presets: readonly Instruction[],
    private readonly t: Translate,
    private readonly choose: (instruction: Instruction) => void,
  ) {
    super(app);
    this.setPlaceholder(t("rewrite.placeholder"));
  }

  override getSuggestions(query: string): Instruction[] {
    const wanted = query.trim();
    const named = this.presets.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
    if (wanted === "") return named;
    return [...named, { name: this.t("rewrite.own", { instruction: wanted }), text: wanted, grounding: "auto" }];
  }

  override renderSuggestion({ name }: Instruction, element: HTMLElement): void {
    element.setText(name);
  }

  override onChooseSuggestion(instruction: Instruction): void {
    this.choose(instruction);
  }
}

import { type App, Component, type Editor, type MarkdownFileInfo, Notice, type TFile } from "obsidian";
import type { ChatRequest, Client } from "../../bridge/client";
import { isStop } from "../../bridge/errors";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import { above, beginning } from "../../writing/material";
import { type Material, type Prompt, filled } from "../../writing/prompts";
import type { Dialogs } from "../dialogs";
import { viewOf } from "../editors";
import type { Rewrite } from "../rewrite";
import { troubleText } from "../trouble";
import type { Writer } from "../writer";
import type { PromptFolder } from "./folder";
import { MOST_LINKS, SuggestionsModal, suggestionsFor } from "./suggestions";
import { TitleModal } from "./title_modal";

const TITLE_TOKENS = 40;
const LINKS_TOKENS = 300;
/** Notes that are looked at for links and tags: some of them are linked already. */
const RELATED_NOTES = 2 * MOST_LINKS;

/** Runs prompts on the note that is being edited. */
export class PromptRunner extends Component {
  private readonly ending = new AbortController();

  constructor(
    private readonly app: App,
    private readonly client: Client,
    private readonly writer: Writer,
    private readonly rewrite: Rewrite,
    private readonly folder: PromptFolder,
    private readonly dialogs: Dialogs,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onunload(): void {
    this.ending.abort();
  }

  /** Fill a prompt with what the note holds, and do with the answer what it is for. */
  async run(prompt: Prompt, editor: Editor, { file }: MarkdownFileInfo): Promise<void> {
    const { t } = this;
    const selection = editor.getSelection();
    if (prompt.output === "replace" && selection === "") {
      new Notice(t("prompt.no-selection"));
      return;
    }
    const view = viewOf(editor);
    const { main } = view.state.selection;
    const text = view.state.doc.toString();
    const template = await this.folder.template(prompt);
    const material: Material = {
      title: file?.basename ?? "",
      note: beginning(text),
      above: above(text.slice(0, main.head)),
      selection,
      links: "",
      tags: "",
    };
    const request = (more: Partial<Material> = {}): ChatRequest => ({
      messages: [{ role: "user", content: filled(template, { ...material, ...more }) }],
      ...(prompt.temperature !== null && { temperature: prompt.temperature }),
      vaultbridge: {
        grounding: prompt.grounding,
        sources: prompt.output === "insert" && this.settings.values.sources ? "markdown" : "none",
        ...(file && { note: file.path }),
      },
    });
    try {
      if (prompt.output === "insert") {
        await this.writer.write(view, request(), { at: main.to, before: main.empty ? "" : "\n\n" });
      } else if (prompt.output === "replace") {
        await this.rewrite.rewrite(view, file?.path ?? "", filled(template, material), prompt.grounding);
      } else if (file !== null) {
        if (prompt.output === "title") this.makeTitle(file, request());
        else await this.suggest(editor, file, material.note, request);
      }
    } catch (error) {
      if (!isStop(error)) new Notice(troubleText(error, t));
    }
  }

  private makeTitle(file: TFile, request: ChatRequest): void {
    const answer = (signal: AbortSignal): AsyncIterable<string> => this.growing({ ...request, max_tokens: TITLE_TOKENS }, signal);
    this.dialogs.open(new TitleModal(this.app, file, answer, this.t));
  }

  /** Offer links and tags that are there; the model only says which of them fit. */
  private async suggest(
    editor: Editor,
    file: TFile,
    text: string,
    request: (more: Partial<Material>) => ChatRequest,
  ): Promise<void> {
    const { app } = this;
    const { hits } = await this.client.relatedToText(text, file.path, RELATED_NOTES, this.ending.signal);
    const suggestions = suggestionsFor(app, file, hits);
    const links = suggestions.links.map(({ value }) => value).join("\n");
    const tags = suggestions.tags.map(({ value }) => value).join("\n");
    if (links === "" && tags === "") {
      new Notice(this.t("suggest.none"));
      return;
    }
    const asked = { ...request({ links, tags }), max_tokens: LINKS_TOKENS };
    const answer = (signal: AbortSignal): AsyncIterable<string> => this.growing(asked, signal);
    this.dialogs.open(new SuggestionsModal(app, editor, file, suggestions, answer, this.t));
  }

  /** What the model says, longer each time. */
  private async *growing(request: ChatRequest, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    let text = "";
    for await (const chunk of this.client.chat(request, signal)) {
      text += chunk.choices[0]?.delta.content ?? "";
      yield text;
    }
  }
}

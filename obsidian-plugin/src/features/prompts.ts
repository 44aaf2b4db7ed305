import {
  type App,
  Component,
  type Editor,
  FuzzySuggestModal,
  type MarkdownFileInfo,
  Notice,
  type Plugin,
  type TFile,
  getFrontMatterInfo,
  normalizePath,
} from "obsidian";
import type { ChatRequest, Client } from "../bridge/client";
import type { TextKey, Translate } from "../i18n";
import type { Settings } from "../settings";
import { above, beginning } from "../writing/material";
import { type Prompt, filled, promptNote, promptOf, titleOf } from "../writing/prompts";
import { viewOf } from "./editors";
import type { Rewrite } from "./rewrite";
import { TitleModal } from "./title_modal";
import { troubleText } from "./trouble";
import type { Writer } from "./writer";

const TITLE_TOKENS = 40;
/** The field of a note that takes the place of a built-in prompt; its value is the prompt's id. */
const REPLACES = "vaultbridge";

interface BuiltIn extends Omit<Prompt, "name"> {
  readonly name: TextKey;
}

const BUILT_IN: readonly BuiltIn[] = [
  {
    id: "summarize",
    name: "prompt.summarize",
    template: "Summarize the following text in three to five sentences, in its own language.\n\n{{note}}",
    output: "insert",
    grounding: "off",
    temperature: 0.3,
  },
  {
    id: "continue",
    name: "prompt.continue",
    template: "{{above}}",
    output: "insert",
    grounding: "auto",
    temperature: null,
  },
  {
    id: "title",
    name: "prompt.title",
    template: "Write a title for the following text, in its own language. Answer with the title only.\n\n{{note}}",
    output: "title",
    grounding: "off",
    temperature: 0.3,
  },
];

/** Prompts as commands: the built-in ones, and each note in the folder of prompts. */
export class Prompts extends Component {
  private readonly commands = new Set<string>();

  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly writer: Writer,
    private readonly rewrite: Rewrite,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { plugin, t } = this;
    for (const { id, name } of BUILT_IN) {
      this.addCommand(id, t(name), () => this.all().find((prompt) => prompt.id === id));
    }
    plugin.addCommand({
      id: "prompt",
      name: t("command.prompt"),
      icon: "wand-sparkles",
      editorCallback: (editor, context) => {
        new PromptModal(plugin.app, this.all(), t, (prompt) => void this.run(prompt, editor, context)).open();
      },
    });
    plugin.addCommand({ id: "copy-prompts", name: t("command.copy-prompts"), callback: () => void this.copyBuiltIn() });
    const { metadataCache, vault, workspace } = plugin.app;
    const refresh = (file: { path: string }, was?: unknown): void => {
      if (this.isPrompt(file.path) || (typeof was === "string" && this.isPrompt(was))) this.addNoteCommands();
    };
    workspace.onLayoutReady(() => {
      this.addNoteCommands();
      this.registerEvent(metadataCache.on("changed", refresh));
      this.registerEvent(vault.on("delete", refresh));
      this.registerEvent(vault.on("rename", refresh));
    });
    this.register(
      this.settings.onChange(() => {
        this.addNoteCommands();
      }),
    );
  }

  /** All prompts: a note that names a built-in one takes its place. */
  private all(): Prompt[] {
    const notes = this.notes();
    const builtIn = BUILT_IN.filter(({ id }) => notes.every((note) => note.id !== id));
    return [...builtIn.map((prompt) => ({ ...prompt, name: this.t(prompt.name) })), ...notes];
  }

  /** The prompts in the folder, without their text: that is read when it is used. */
  private notes(): Prompt[] {
    const { metadataCache, vault } = this.plugin.app;
    return vault
      .getMarkdownFiles()
      .filter(({ path }) => this.isPrompt(path))
      .map((file) => {
        const fields: Record<string, unknown> = metadataCache.getFileCache(file)?.frontmatter ?? {};
        const replaced = BUILT_IN.find(({ id }) => id === fields[REPLACES]);
        return promptOf(replaced?.id ?? file.path, file.basename, fields, "");
      });
  }

  private isPrompt(path: string): boolean {
    const folder = normalizePath(this.settings.values.promptFolder);
    return folder !== "/" && path.startsWith(`${folder}/`) && path.endsWith(".md");
  }

  private addNoteCommands(): void {
    const notes = this.notes().filter(({ id }) => BUILT_IN.every((prompt) => prompt.id !== id));
    for (const id of this.commands) {
      if (notes.some((note) => note.id === id)) continue;
      this.plugin.removeCommand(commandId(id));
      this.commands.delete(id);
    }
    for (const { id, name } of notes) {
      if (this.commands.has(id)) continue;
      this.commands.add(id);
      this.addCommand(id, this.t("prompt.named", { name }), () => this.notes().find((prompt) => prompt.id === id));
    }
  }

  private addCommand(id: string, name: string, prompt: () => Prompt | undefined): void {
    this.plugin.addCommand({
      id: commandId(id),
      name,
      editorCallback: (editor, context) => {
        const found = prompt();
        if (found !== undefined) void this.run(found, editor, context);
      },
    });
  }

  private async run(prompt: Prompt, editor: Editor, context: MarkdownFileInfo): Promise<void> {
    const { t } = this;
    const { file } = context;
    const selection = editor.getSelection();
    if (prompt.output === "replace" && selection === "") {
      new Notice(t("prompt.no-selection"));
      return;
    }
    const view = viewOf(editor);
    const { main } = view.state.selection;
    const text = view.state.doc.toString();
    const template = await this.template(prompt);
    const content = filled(template, {
      title: file?.basename ?? "",
      note: beginning(text),
      above: above(text.slice(0, main.head)),
      selection,
    });
    const request: ChatRequest = {
      model: this.settings.values.model,
      messages: [{ role: "user", content }],
      ...(prompt.temperature !== null && { temperature: prompt.temperature }),
      vaultbridge: {
        grounding: prompt.grounding,
        sources: prompt.output === "insert" && this.settings.values.sources ? "markdown" : "none",
        ...(file && { note: file.path }),
      },
    };
    try {
      if (prompt.output === "replace") await this.rewrite.rewrite(view, file?.path ?? "", content, prompt.grounding);
      else if (prompt.output === "title") await this.makeTitle(request, file);
      else await this.writer.write(view, request, { at: main.to, before: main.empty ? "" : "\n\n" });
    } catch (error) {
      new Notice(troubleText(error, t));
    }
  }

  private async template({ id, template }: Prompt): Promise<string> {
    const { metadataCache, vault } = this.plugin.app;
    const file = vault
      .getMarkdownFiles()
      .find((one) => this.isPrompt(one.path) && (one.path === id || metadataCache.getFileCache(one)?.frontmatter?.[REPLACES] === id));
    if (file === undefined) return template;
    const text = await vault.cachedRead(file);
    return text.slice(getFrontMatterInfo(text).contentStart).trim();
  }

  private async makeTitle(request: ChatRequest, file: TFile | null): Promise<void> {
    let text = "";
    const asked = { ...request, max_tokens: TITLE_TOKENS };
    for await (const chunk of this.client.chat(asked, new AbortController().signal)) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    if (file !== null) new TitleModal(this.plugin.app, titleOf(text), file, this.t).open();
  }

  private async copyBuiltIn(): Promise<void> {
    const { vault } = this.plugin.app;
    const folder = normalizePath(this.settings.values.promptFolder);
    if (vault.getFolderByPath(folder) === null) await vault.createFolder(folder);
    for (const prompt of BUILT_IN) {
      const name = this.t(prompt.name);
      const path = normalizePath(`${folder}/${name}.md`);
      if (vault.getFileByPath(path) === null) await vault.create(path, promptNote({ ...prompt, name }));
    }
    new Notice(this.t("prompt.copied", { folder }));
  }
}

function commandId(id: string): string {
  return `prompt-${id}`;
}

class PromptModal extends FuzzySuggestModal<Prompt> {
  constructor(
    app: App,
    private readonly prompts: Prompt[],
    t: Translate,
    private readonly choose: (prompt: Prompt) => void,
  ) {
    super(app);
    this.setPlaceholder(t("prompt.placeholder"));
  }

  override getItems(): Prompt[] {
    return this.prompts;
  }

  override getItemText({ name }: Prompt): string {
    return name;
  }

  override onChooseItem(prompt: Prompt): void {
    this.choose(prompt);
  }
}

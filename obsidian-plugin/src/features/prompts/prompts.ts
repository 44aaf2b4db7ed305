import { type App, Component, FuzzySuggestModal, Notice, type Plugin } from "obsidian";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import type { Prompt } from "../../writing/prompts";
import type { Dialogs } from "../dialogs";
import { BUILT_IN } from "./built_in";
import type { PromptFolder } from "./folder";
import type { PromptRunner } from "./runner";

/** Prompts as commands. */
export class Prompts extends Component {
  private readonly commands = new Set<string>();

  constructor(
    private readonly plugin: Plugin,
    private readonly folder: PromptFolder,
    private readonly runner: PromptRunner,
    private readonly dialogs: Dialogs,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { dialogs, folder, plugin, runner, settings, t } = this;
    for (const { id, name } of BUILT_IN) this.addCommand(id, t(name));
    plugin.addCommand({
      id: "prompt",
      name: t("command.prompt"),
      icon: "wand-sparkles",
      editorCallback: (editor, context) => {
        dialogs.open(new PromptModal(plugin.app, folder.all(), t, (prompt) => void runner.run(prompt, editor, context)));
      },
    });
    plugin.addCommand({ id: "copy-prompts", name: t("command.copy-prompts"), callback: () => void this.copyBuiltIn() });
    const { metadataCache, vault, workspace } = plugin.app;
    const refresh = (file: { path: string }, was?: unknown): void => {
      if (folder.isPrompt(file.path) || (typeof was === "string" && folder.isPrompt(was))) this.addNoteCommands();
    };
    workspace.onLayoutReady(() => {
      this.addNoteCommands();
      this.registerEvent(metadataCache.on("changed", refresh));
      this.registerEvent(vault.on("delete", refresh));
      this.registerEvent(vault.on("rename", refresh));
    });
    this.register(
      settings.onChange(() => {
        this.addNoteCommands();
      }),
    );
  }

  private addNoteCommands(): void {
    const notes = this.folder.own();
    for (const id of this.commands) {
      if (notes.some((note) => note.id === id)) continue;
      this.plugin.removeCommand(commandId(id));
      this.commands.delete(id);
    }
    for (const { id, name } of notes) {
      if (this.commands.has(id)) continue;
      this.commands.add(id);
      this.addCommand(id, this.t("prompt.named", { name }));
    }
  }

  private addCommand(id: string, name: string): void {
    this.plugin.addCommand({
      id: commandId(id),
      name,
      editorCallback: (editor, context) => {
        const prompt = this.folder.find(id);
        if (prompt !== undefined) void this.runner.run(prompt, editor, context);
      },
    });
  }

  private async copyBuiltIn(): Promise<void> {
    const folder = await this.folder.copyBuiltIn();
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

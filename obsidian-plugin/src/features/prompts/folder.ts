import { type App, type TFile, getFrontMatterInfo, normalizePath } from "obsidian";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import { type Prompt, promptNote, promptOf } from "../../writing/prompts";
import { BUILT_IN } from "./built_in";

/** The field of a note that takes the place of a built-in prompt; its value is the prompt's id. */
const REPLACES = "vaultbridge";

/** The prompts that there are: the built-in ones, and each note in the folder of prompts. */
export class PromptFolder {
  constructor(
    private readonly app: App,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {}

  /** All prompts: a note that names a built-in one takes its place. */
  all(): Prompt[] {
    const notes = this.files().map((file) => this.promptOf(file));
    const builtIn = BUILT_IN.filter(({ id }) => notes.every((note) => note.id !== id));
    return [...builtIn.map((prompt) => ({ ...prompt, name: this.t(prompt.name) })), ...notes];
  }

  /** Those that are in no way built in. */
  own(): Prompt[] {
    return this.all().filter(({ id }) => BUILT_IN.every((prompt) => prompt.id !== id));
  }

  find(id: string): Prompt | undefined {
    return this.all().find((prompt) => prompt.id === id);
  }

  isPrompt(path: string): boolean {
    const { folder } = this;
    return folder !== "/" && path.startsWith(`${folder}/`) && path.endsWith(".md");
  }

  /** A prompt's text, which is read when it is used. */
  async template({ id, template }: Prompt): Promise<string> {
    const file = this.files().find((one) => this.promptOf(one).id === id);
    if (file === undefined) return template;
    const text = await this.app.vault.cachedRead(file);
    return text.slice(getFrontMatterInfo(text).contentStart).trim();
  }

  /** Put the built-in prompts into the folder, to be edited; its name. */
  async copyBuiltIn(): Promise<string> {
    const { app, folder, t } = this;
    if (app.vault.getFolderByPath(folder) === null) await app.vault.createFolder(folder);
    for (const prompt of BUILT_IN) {
      const name = t(prompt.name);
      const path = normalizePath(`${folder}/${name}.md`);
      if (app.vault.getFileByPath(path) === null) await app.vault.create(path, promptNote({ ...prompt, name }));
    }
    return folder;
  }

  private get folder(): string {
    return normalizePath(this.settings.values.promptFolder);
  }

  private files(): TFile[] {
    return this.app.vault.getMarkdownFiles().filter(({ path }) => this.isPrompt(path));
  }

  private promptOf(file: TFile): Prompt {
    const fields: Record<string, unknown> = this.app.metadataCache.getFileCache(file)?.frontmatter ?? {};
    const replaced = BUILT_IN.find(({ id }) => id === fields[REPLACES]);
    return promptOf(replaced?.id ?? file.path, file.basename, fields, "");
  }
}

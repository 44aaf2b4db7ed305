import { type App, type TFile, normalizePath } from "obsidian";
import type { Conversation } from "../../chat/conversation";
import { NOTE_KIND, read, written } from "../../chat/history";
import type { Settings } from "../../settings";
import { titleOf } from "../../writing/prompts";

const LONGEST_NAME = 60;

/** Conversations as notes in a folder of the user's choice. */
export class Archive {
  constructor(
    private readonly app: App,
    private readonly settings: Settings,
  ) {}

  /** The conversations that were saved, newest first. */
  notes(): TFile[] {
    const { folder } = this;
    if (folder === null) return [];
    return this.app.vault
      .getMarkdownFiles()
      .filter((file) => file.path.startsWith(`${folder}/`) && this.isChat(file))
      .sort((one, other) => other.stat.mtime - one.stat.mtime);
  }

  isChat(file: TFile): boolean {
    return this.app.metadataCache.getFileCache(file)?.frontmatter?.["type"] === NOTE_KIND;
  }

  async open(file: TFile): Promise<Conversation> {
    return read(await this.app.vault.cachedRead(file));
  }

  /** Save a conversation, in its note if it has one; the note that it is in, or null if none is wanted. */
  async save(conversation: Conversation, created: Date, file: TFile | null): Promise<TFile | null> {
    const { folder } = this;
    const { vault } = this.app;
    if (folder === null) return null;
    const text = written(conversation, created);
    // The note may have been deleted meanwhile.
    const kept = file === null ? null : vault.getFileByPath(file.path);
    if (kept !== null) {
      await vault.process(kept, () => text);
      return kept;
    }
    if (vault.getFolderByPath(folder) === null) await vault.createFolder(folder);
    return vault.create(this.freePath(folder, conversation, created), text);
  }

  /** The folder; null if nothing is to be saved. */
  private get folder(): string | null {
    const { chatFolder } = this.settings.values;
    return chatFolder.trim() === "" ? null : normalizePath(chatFolder);
  }

  private freePath(folder: string, conversation: Conversation, created: Date): string {
    const day = `${String(created.getFullYear())}-${two(created.getMonth() + 1)}-${two(created.getDate())}`;
    const name = `${day} ${titleOf(conversation.all[0]?.question ?? "").slice(0, LONGEST_NAME)}`.trim();
    let path = normalizePath(`${folder}/${name}.md`);
    for (let number = 2; this.app.vault.getAbstractFileByPath(path) !== null; number += 1) {
      path = normalizePath(`${folder}/${name} ${String(number)}.md`);
    }
    return path;
  }
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

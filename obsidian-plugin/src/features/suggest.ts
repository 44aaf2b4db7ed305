import { type App, Component, type Editor, type MarkdownFileInfo, Modal, Notice, type Plugin, Setting, type TFile } from "obsidian";
import type { Client } from "../bridge/client";
import type { Hit } from "../bridge/wire";
import type { Translate } from "../i18n";
import { beginning } from "../writing/material";
import { tagsOf } from "./tags";
import { troubleText } from "./trouble";

const MOST_LINKS = 8;
const MOST_TAGS = 8;

/** A link or a tag, and why it is suggested. */
interface Suggestion {
  readonly value: string;
  readonly why: string;
}

/**
 * *Suggest links and tags*: notes that relate, and the tags that they share. No model makes them up, so each of them
 * is there.
 */
export class SuggestLinks extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    this.plugin.addCommand({
      id: "suggest",
      name: this.t("command.suggest"),
      icon: "links-coming-in",
      editorCallback: (editor, context) => void this.suggest(editor, context),
    });
  }

  private async suggest(editor: Editor, { app, file }: MarkdownFileInfo): Promise<void> {
    if (file === null) return;
    try {
      const { hits } = await this.client.relatedToText(beginning(editor.getValue()), file.path, 2 * MOST_LINKS);
      const links = newLinks(app, file, hits);
      const tags = sharedTags(app, file, hits);
      if (links.length + tags.length === 0) new Notice(this.t("suggest.none"));
      else new SuggestionsModal(app, editor, file, links, tags, this.t).open();
    } catch (error) {
      new Notice(troubleText(error, this.t));
    }
  }
}

/** Links to the notes that were found and are not linked yet. */
function newLinks(app: App, file: TFile, hits: readonly Hit[]): Suggestion[] {
  const linked = app.metadataCache.resolvedLinks[file.path] ?? {};
  return hits
    .filter(({ note }) => note !== file.path && !(note in linked))
    .slice(0, MOST_LINKS)
    .map(({ link, text }) => ({ value: link, why: text.replace(/\s+/g, " ").slice(0, 160) }));
}

/** The tags of the notes that were found, most shared first, without those that the note has. */
function sharedTags(app: App, file: TFile, hits: readonly Hit[]): Suggestion[] {
  const own = new Set(tagsOf(app, file));
  const notes = new Map<string, string[]>();
  for (const path of new Set(hits.map(({ note }) => note))) {
    const other = app.vault.getFileByPath(path);
    for (const tag of other === null ? [] : tagsOf(app, other)) {
      if (!own.has(tag)) notes.set(tag, [...(notes.get(tag) ?? []), other?.basename ?? path]);
    }
  }
  return [...notes]
    .sort(([, one], [, other]) => other.length - one.length)
    .slice(0, MOST_TAGS)
    .map(([value, names]) => ({ value, why: names.join(", ") }));
}

class SuggestionsModal extends Modal {
  private readonly chosenLinks = new Set<string>();
  private readonly chosenTags = new Set<string>();

  constructor(
    app: App,
    private readonly editor: Editor,
    private readonly file: TFile,
    private readonly links: readonly Suggestion[],
    private readonly tags: readonly Suggestion[],
    private readonly t: Translate,
  ) {
    super(app);
  }

  override onOpen(): void {
    this.setTitle(this.t("suggest.title"));
    this.addGroup(this.t("suggest.links"), this.links, this.chosenLinks);
    this.addGroup(this.t("suggest.tags"), this.tags, this.chosenTags);
    new Setting(this.contentEl).addButton((button) =>
      button.setButtonText(this.t("suggest.add")).setCta().onClick(() => void this.add()),
    );
  }

  override onClose(): void {
    this.contentEl.empty();
  }

  private addGroup(name: string, suggestions: readonly Suggestion[], chosen: Set<string>): void {
    if (suggestions.length === 0) return;
    new Setting(this.contentEl).setName(name).setHeading();
    for (const { value, why } of suggestions) {
      new Setting(this.contentEl)
        .setName(value)
        .setDesc(why)
        .addToggle((toggle) => toggle.onChange((on) => void (on ? chosen.add(value) : chosen.delete(value))));
    }
  }

  private async add(): Promise<void> {
    this.close();
    if (this.chosenLinks.size > 0) this.editor.replaceSelection(`${this.editor.getSelection()}${[...this.chosenLinks].join(" ")}`);
    if (this.chosenTags.size === 0) return;
    await this.app.fileManager.processFrontMatter(this.file, (fields: Record<string, unknown>) => {
      const had = [fields["tags"] ?? []].flat().map(String);
      fields["tags"] = [...new Set([...had, ...[...this.chosenTags].map((tag) => tag.replace(/^#/, ""))])];
    });
  }
}

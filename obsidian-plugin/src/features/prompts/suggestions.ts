import { type App, type Editor, Modal, Setting, type TFile, type ToggleComponent } from "obsidian";
import { isStop } from "../../bridge/errors";
import type { Hit } from "../../bridge/wire";
import type { Translate } from "../../i18n";
import { named } from "../../writing/prompts";
import { passageText } from "../places";
import { tagsOf } from "../tags";
import { troubleText } from "../trouble";

export const MOST_LINKS = 8;
const MOST_TAGS = 8;
const LONGEST_PASSAGE = 160;

/** A link or a tag, and why it is suggested. */
interface Suggestion {
  readonly value: string;
  readonly why: string;
}

/** What may be suggested for a note: it is all there, whatever a model says of it. */
export interface Suggestions {
  readonly links: readonly Suggestion[];
  readonly tags: readonly Suggestion[];
}

/** Links to notes that relate and are not linked yet, and the tags of those notes, most shared first. */
export function suggestionsFor(app: App, file: TFile, hits: readonly Hit[]): Suggestions {
  return { links: newLinks(app, file, hits).slice(0, MOST_LINKS), tags: sharedTags(app, file, hits).slice(0, MOST_TAGS) };
}

function newLinks(app: App, file: TFile, hits: readonly Hit[]): Suggestion[] {
  const linked = app.metadataCache.resolvedLinks[file.path] ?? {};
  return hits
    .filter(({ note }) => note !== file.path && !(note in linked))
    .map(({ link, text }) => ({ value: link, why: passageText(text).slice(0, LONGEST_PASSAGE) }));
}

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
    .map(([value, names]) => ({ value, why: names.join(", ") }));
}

/** Suggestions to choose from; those that the model names are chosen while it speaks. */
export class SuggestionsModal extends Modal {
  private readonly asking = new AbortController();
  private readonly toggles = new Map<string, ToggleComponent>();
  private readonly touched = new Set<string>();

  /** `answer` is what the model says, longer each time. */
  constructor(
    app: App,
    private readonly editor: Editor,
    private readonly file: TFile,
    private readonly suggestions: Suggestions,
    private readonly answer: (signal: AbortSignal) => AsyncIterable<string>,
    private readonly t: Translate,
  ) {
    super(app);
  }

  override onOpen(): void {
    const { links, tags } = this.suggestions;
    this.setTitle(this.t("suggest.title"));
    this.addGroup(this.t("suggest.links"), links);
    this.addGroup(this.t("suggest.tags"), tags);
    const end = new Setting(this.contentEl);
    end.descEl.setAttr("role", "status");
    end.addButton((button) => button.setButtonText(this.t("suggest.add")).setCta().onClick(() => void this.add()));
    void this.choose(end);
  }

  override onClose(): void {
    this.asking.abort();
    this.contentEl.empty();
  }

  private addGroup(name: string, suggestions: readonly Suggestion[]): void {
    if (suggestions.length === 0) return;
    new Setting(this.contentEl).setName(name).setHeading();
    for (const { value, why } of suggestions) {
      const line = new Setting(this.contentEl).setName(value).setDesc(why);
      line.addToggle((toggle) => {
        this.toggles.set(value, toggle);
        toggle.toggleEl.addEventListener("click", () => this.touched.add(value));
      });
    }
  }

  /** Choose what the model names. Without a model there is as much to choose from. */
  private async choose(line: Setting): Promise<void> {
    line.setDesc(this.t("suggest.reading"));
    let end = "";
    try {
      let said = "";
      for await (const answer of this.answer(this.asking.signal)) {
        said = answer;
        // What stands on a line that is not whole yet may become another tag.
        this.chooseNamed(answer.slice(0, answer.lastIndexOf("\n") + 1));
      }
      this.chooseNamed(said);
    } catch (error) {
      if (isStop(error)) return;
      end = troubleText(error, this.t);
    }
    line.setDesc(end);
  }

  private chooseNamed(answer: string): void {
    for (const value of named(answer, [...this.toggles.keys()])) {
      if (!this.touched.has(value)) this.toggles.get(value)?.setValue(true);
    }
  }

  private async add(): Promise<void> {
    const chosen = ({ value }: Suggestion): boolean => this.toggles.get(value)?.getValue() === true;
    const links = this.suggestions.links.filter(chosen).map(({ value }) => value);
    const tags = this.suggestions.tags.filter(chosen).map(({ value }) => value.replace(/^#/, ""));
    this.close();
    if (links.length > 0) this.editor.replaceSelection(`${this.editor.getSelection()}${links.join(" ")}`);
    if (tags.length === 0) return;
    await this.app.fileManager.processFrontMatter(this.file, (fields: Record<string, unknown>) => {
      const had = [fields["tags"] ?? []].flat().map(String);
      fields["tags"] = [...new Set([...had, ...tags])];
    });
  }
}

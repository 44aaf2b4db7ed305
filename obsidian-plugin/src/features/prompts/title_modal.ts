import { type App, Modal, Notice, Setting, type TFile, type TextComponent, normalizePath } from "obsidian";
import { isStop } from "../../bridge/errors";
import type { Translate } from "../../i18n";
import { titleOf } from "../../writing/prompts";
import { troubleText } from "../trouble";

/** A title as it is made, to be edited before the note is renamed. */
export class TitleModal extends Modal {
  private readonly making = new AbortController();
  private title = "";
  private edited = false;

  /** `answer` is what the model says, longer each time. */
  constructor(
    app: App,
    private readonly file: TFile,
    private readonly answer: (signal: AbortSignal) => AsyncIterable<string>,
    private readonly t: Translate,
  ) {
    super(app);
  }

  override onOpen(): void {
    const { t } = this;
    this.setTitle(t("prompt.title"));
    new Setting(this.contentEl).setName(t("prompt.title-label")).addText((text) => {
      text.setPlaceholder(t("draft.writing")).onChange((title) => {
        this.title = title;
        this.edited = true;
      });
      text.inputEl.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) void this.rename();
      });
      void this.make(text);
    });
    new Setting(this.contentEl)
      .addButton((button) => button.setButtonText(t("prompt.rename")).setCta().onClick(() => void this.rename()))
      .addButton((button) => button.setButtonText(t("prompt.cancel")).onClick(() => {
        this.close();
      }));
  }

  override onClose(): void {
    this.making.abort();
    this.contentEl.empty();
  }

  private async make(text: TextComponent): Promise<void> {
    try {
      for await (const answer of this.answer(this.making.signal)) {
        // What the user types is the title.
        if (this.edited) return;
        this.title = titleOf(answer);
        text.setValue(this.title);
      }
    } catch (error) {
      if (isStop(error)) return;
      this.close();
      new Notice(troubleText(error, this.t));
    }
  }

  private async rename(): Promise<void> {
    const title = titleOf(this.title);
    if (title === "") return;
    const folder = this.file.parent?.path ?? "";
    const path = normalizePath(`${folder}/${title}.${this.file.extension}`);
    if (path !== this.file.path && this.app.vault.getAbstractFileByPath(path) !== null) {
      new Notice(this.t("prompt.title-taken", { title }));
      return;
    }
    this.close();
    await this.app.fileManager.renameFile(this.file, path);
  }
}

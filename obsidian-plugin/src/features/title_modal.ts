import { type App, Modal, Notice, Setting, type TFile, normalizePath } from "obsidian";
import type { Translate } from "../i18n";
import { titleOf } from "../writing/prompts";

/** The title that was made, to be edited before the note is renamed. */
export class TitleModal extends Modal {
  constructor(
    app: App,
    private title: string,
    private readonly file: TFile,
    private readonly t: Translate,
  ) {
    super(app);
  }

  override onOpen(): void {
    const { t } = this;
    this.setTitle(t("prompt.title"));
    new Setting(this.contentEl).setName(t("prompt.title-label")).addText((text) => {
      text.setValue(this.title).onChange((title) => (this.title = title));
      text.inputEl.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) void this.rename();
      });
    });
    new Setting(this.contentEl)
      .addButton((button) => button.setButtonText(t("prompt.rename")).setCta().onClick(() => void this.rename()))
      .addButton((button) => button.setButtonText(t("prompt.cancel")).onClick(() => {
        this.close();
      }));
  }

  override onClose(): void {
    this.contentEl.empty();
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

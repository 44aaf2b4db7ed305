import { type App, FuzzySuggestModal, type TFile } from "obsidian";
import type { Translate } from "../../i18n";

/** The conversations that were saved. */
export class ChatNotesModal extends FuzzySuggestModal<TFile> {
  constructor(
    app: App,
    private readonly notes: TFile[],
    t: Translate,
    private readonly choose: (note: TFile) => void,
  ) {
    super(app);
    this.setPlaceholder(t("chat.history-placeholder"));
    this.emptyStateText = t("chat.history-empty");
  }

  override getItems(): TFile[] {
    return this.notes;
  }

  override getItemText({ basename }: TFile): string {
    return basename;
  }

  override onChooseItem(note: TFile): void {
    this.choose(note);
  }
}

import { type App, Modal, Setting } from "obsidian";
import type { Client } from "../../bridge/client";
import type { Connection } from "../../bridge/connection";
import type { Status } from "../../bridge/wire";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import type { Dialogs } from "../dialogs";
import { troubleText } from "../trouble";
import { exclusionText, noteText } from "./exclusion_text";
import type { Server } from "./server";
import { stateHelp, stateText } from "./state_text";

export interface PanelParts {
  readonly client: Client;
  readonly connection: Connection;
  readonly dialogs: Dialogs;
  readonly server: Server;
  readonly settings: Settings;
  readonly t: Translate;
}

/** What there is to know of the server: how fresh it is, what is wrong, and why a note is not there. */
export class Panel extends Modal {
  private readonly ends: (() => void)[] = [];
  private looking = new AbortController();

  constructor(
    app: App,
    private readonly parts: PanelParts,
  ) {
    super(app);
  }

  override onOpen(): void {
    const { connection, server, settings, t } = this.parts;
    this.setTitle(t("panel.title"));
    this.modalEl.addClass("vaultbridge-panel");
    const state = this.contentEl.createDiv({ attr: { role: "status" } });
    const note = this.contentEl.createDiv();
    const log = this.contentEl.createDiv();
    const show = (): void => {
      this.showState(state);
      this.showLog(log);
    };
    show();
    this.looking = new AbortController();
    void this.showNote(note);
    this.ends.push(connection.subscribe(show), server.subscribe(show), settings.onChange(show));
  }

  override onClose(): void {
    this.looking.abort();
    for (const end of this.ends.splice(0)) end();
    this.contentEl.empty();
  }

  private showState(element: HTMLElement): void {
    const { connection, server, settings, t } = this.parts;
    const { state } = connection;
    element.empty();
    const line = new Setting(element).setName(stateText(state, t)).setDesc(stateHelp(state, t));
    if (state.kind === "stranger") {
      const { id } = state.status.vault;
      line.addButton((button) => button.setButtonText(t("panel.accept")).setCta().onClick(() => settings.set("vault", id)));
    }
    if (server.isStartable && state.kind === "away") {
      line.addButton((button) => button.setButtonText(t("panel.start")).setCta().onClick(() => server.start()));
    }
    if (server.isOurs) {
      line.addButton((button) => button.setButtonText(t("panel.stop")).onClick(() => {
        server.stop();
      }));
    }
    line.addButton((button) => button.setButtonText(t("panel.check")).onClick(() => connection.check()));
    if ("status" in state) this.showStatus(element, state.status);
  }

  private showStatus(element: HTMLElement, status: Status): void {
    const { counts, freshness, models, problems, vault } = status;
    const { t } = this.parts;
    const behind = freshness.wanted - freshness.visible;
    const lines: [string, string][] = [
      [t("panel.vault"), vault.name],
      [t("panel.notes"), t("panel.counts", { notes: counts.notes, passages: counts.chunks })],
      [t("panel.freshness"), behind + freshness.pending === 0 ? t("panel.fresh") : t("panel.pending", { pending: freshness.pending })],
      [t("panel.models"), [models.generator, models.embedder, models.reranker].filter(Boolean).join(", ")],
    ];
    if (counts.unreadable > 0) lines.push([t("panel.unreadable"), String(counts.unreadable)]);
    for (const [part, problem] of Object.entries(problems)) lines.push([t("panel.problem", { part }), problem]);
    for (const [name, text] of lines) new Setting(element).setName(name).setDesc(text);
    this.showExclusions(element, status);
  }

  /** Which rules leave notes out, and how many. */
  private showExclusions(element: HTMLElement, { exclusions }: Status): void {
    const { t } = this.parts;
    const line = new Setting(element).setName(t("panel.left-out"));
    if (exclusions.length === 0) {
      line.setDesc(t("panel.nothing-left-out"));
      return;
    }
    const list = line.descEl.createEl("ul", { cls: "vaultbridge-exclusions" });
    for (const { notes, reason } of exclusions) {
      list.createEl("li", { text: t("panel.exclusion", { notes, rule: exclusionText(reason, t) }) });
    }
  }

  /** Whether the note that is open can be found, and if not, why. */
  private async showNote(element: HTMLElement): Promise<void> {
    const { client, t } = this.parts;
    const file = this.app.workspace.getActiveFile();
    if (file === null) return;
    const line = new Setting(element).setName(t("panel.this-note", { note: file.basename }));
    try {
      line.setDesc(noteText(await client.note(file.path, this.looking.signal), t));
    } catch (error) {
      line.setDesc(troubleText(error, t));
    }
  }

  private showLog(element: HTMLElement): void {
    const { server, t } = this.parts;
    element.empty();
    if (server.log === "") return;
    const details = element.createEl("details");
    details.createEl("summary", { text: t("panel.log") });
    details.createEl("pre", { text: server.log, cls: "vaultbridge-log" });
  }
}

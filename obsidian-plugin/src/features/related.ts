import { Component, type HoverParent, type HoverPopover, ItemView, type Plugin, type TFile, type WorkspaceLeaf } from "obsidian";
import type { Client } from "../bridge/client";
import { BridgeError, isStop } from "../bridge/errors";
import type { Found, Hit } from "../bridge/wire";
import { targetOf } from "../chat/links";
import type { Translate } from "../i18n";
import { beginning } from "../writing/material";
import { reveal } from "./panes";
import { openPlace, paneOf, passageText, placeOf, placeText, preview } from "./places";
import { reasonText } from "./reasons";
import { troubleText } from "./trouble";

const RELATED_VIEW = "vaultbridge-related";
const MOST = 12;
/** After this many milliseconds without an edit the pane looks again. */
const QUIET = 2000;

/** *Related notes*: a pane that follows the note that is open. */
export class Related extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { client, plugin, t } = this;
    plugin.registerView(RELATED_VIEW, (leaf) => new RelatedView(leaf, client, t));
    plugin.addCommand({ id: "related", name: t("command.related"), callback: () => void reveal(plugin.app, RELATED_VIEW) });
  }
}

class RelatedView extends ItemView implements HoverParent {
  hoverPopover: HoverPopover | null = null;
  override readonly navigation = false;
  private looking = new AbortController();
  private timer: number | null = null;

  constructor(
    leaf: WorkspaceLeaf,
    private readonly client: Client,
    private readonly t: Translate,
  ) {
    super(leaf);
    this.contentEl.addClass("vaultbridge-related");
  }

  override getViewType(): string {
    return RELATED_VIEW;
  }

  override getDisplayText(): string {
    return this.t("related.title");
  }

  override getIcon(): string {
    return "links-coming-in";
  }

  override async onOpen(): Promise<void> {
    const { metadataCache, workspace } = this.app;
    this.registerEvent(workspace.on("file-open", () => void this.look()));
    this.registerEvent(
      metadataCache.on("changed", (file) => {
        if (file !== workspace.getActiveFile()) return;
        this.cancel();
        this.timer = window.setTimeout(() => void this.look(), QUIET);
      }),
    );
    await this.look();
  }

  override async onClose(): Promise<void> {
    this.cancel();
    this.looking.abort();
    this.contentEl.empty();
    await Promise.resolve();
  }

  private async look(): Promise<void> {
    this.cancel();
    this.looking.abort();
    const looking = (this.looking = new AbortController());
    const file = this.app.workspace.getActiveFile();
    if (file === null) {
      this.say(this.t("related.no-note"));
      return;
    }
    try {
      const { hits } = await this.related(file, looking.signal);
      if (looking.signal.aborted) return;
      if (hits.length === 0) this.say(this.t("related.none"));
      else this.show(hits);
    } catch (error) {
      if (!isStop(error)) this.say(troubleText(error, this.t));
    }
  }

  /** By the note's own vectors; a note that is not indexed by its text. */
  private async related(file: TFile, signal: AbortSignal): Promise<Found> {
    try {
      return await this.client.related(file.path, MOST, signal);
    } catch (error) {
      if (!(error instanceof BridgeError) || error.trouble !== "refused") throw error;
      const text = beginning(await this.app.vault.cachedRead(file));
      if (text.trim() === "") return { hits: [], freshness: { wanted: 0, visible: 0, pending: 0 } };
      return this.client.relatedToText(text, file.path, MOST, signal);
    }
  }

  private say(text: string): void {
    this.contentEl.empty();
    this.contentEl.createEl("p", { text, cls: "vaultbridge-empty", attr: { role: "status" } });
  }

  private show(hits: readonly Hit[]): void {
    this.contentEl.empty();
    const list = this.contentEl.createEl("ul", { cls: "vaultbridge-hits", attr: { "aria-label": this.t("related.title") } });
    for (const hit of hits) this.add(list, hit);
  }

  private add(list: HTMLElement, hit: Hit): void {
    const target = targetOf(hit.link);
    const item = list.createEl("li", { cls: "vaultbridge-hit", attr: { draggable: "true" } });
    const link = item.createEl("a", { text: placeText(hit.note, hit.heading.at(-1) ?? ""), href: target, cls: "internal-link", attr: { "data-href": target } });
    item.createDiv({ text: passageText(hit.text), cls: "vaultbridge-quote" });
    const why = reasonText(hit, this.t);
    if (why !== "") item.createDiv({ text: why, cls: "vaultbridge-reason" });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      void openPlace(this.app, placeOf(hit.note, hit), paneOf(event));
    });
    link.addEventListener("mouseover", (event) => {
      preview(this.app, this, event, link, hit.link);
    });
    item.addEventListener("dragstart", (event) => {
      event.dataTransfer?.setData("text/plain", hit.link);
    });
  }

  private cancel(): void {
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.timer = null;
  }
}

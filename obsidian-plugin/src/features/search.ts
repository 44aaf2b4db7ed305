import { type App, Component, Notice, type Plugin, SuggestModal } from "obsidian";
import type { Client } from "../bridge/client";
import { isStop } from "../bridge/errors";
import type { Hit } from "../bridge/wire";
import type { Translate } from "../i18n";
import type { Dialogs } from "./dialogs";
import { openPlace, paneOf, passageText, placeOf, placeText } from "./places";
import { reasonText } from "./reasons";
import { troubleText } from "./trouble";

const MOST = 20;
const FEWEST_CHARACTERS = 2;
const QUIET = 150;

/** *Search*: passages by words and by meaning, and why each was found. */
export class Search extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly dialogs: Dialogs,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { client, dialogs, plugin, t } = this;
    plugin.addCommand({
      id: "search",
      name: t("command.search"),
      icon: "search",
      callback: () => {
        dialogs.open(new SearchModal(plugin.app, client, t));
      },
    });
  }
}

class SearchModal extends SuggestModal<Hit> {
  private searching = new AbortController();

  constructor(
    app: App,
    private readonly client: Client,
    private readonly t: Translate,
  ) {
    super(app);
    this.modalEl.addClass("vaultbridge-search");
    this.setPlaceholder(t("search.placeholder"));
    this.emptyStateText = t("search.none");
  }

  override onClose(): void {
    this.searching.abort();
  }

  override async getSuggestions(query: string): Promise<Hit[]> {
    this.searching.abort();
    const searching = (this.searching = new AbortController());
    const wanted = query.trim();
    if (wanted.length < FEWEST_CHARACTERS) return [];
    await new Promise((resolve) => window.setTimeout(resolve, QUIET));
    if (searching.signal.aborted) return [];
    try {
      return (await this.client.search(wanted, MOST, searching.signal)).hits;
    } catch (error) {
      if (!isStop(error)) new Notice(troubleText(error, this.t));
      return [];
    }
  }

  override renderSuggestion(hit: Hit, element: HTMLElement): void {
    element.addClass("vaultbridge-hit");
    const head = element.createDiv({ cls: "vaultbridge-hit-head" });
    head.createSpan({ text: placeText(hit.note, hit.heading.at(-1) ?? "") });
    const lanes = head.createSpan({ cls: "vaultbridge-lanes" });
    for (const lane of Object.keys(hit.lanes)) lanes.createSpan({ text: laneText(lane, this.t), cls: "vaultbridge-lane" });
    element.createDiv({ text: passageText(hit.text), cls: "vaultbridge-quote" });
    const why = reasonText(hit, this.t);
    if (why !== "") element.createDiv({ text: why, cls: "vaultbridge-reason" });
  }

  override onChooseSuggestion(hit: Hit, event: MouseEvent | KeyboardEvent): void {
    void openPlace(this.app, placeOf(hit.note, hit), paneOf(event));
  }
}

function laneText(lane: string, t: Translate): string {
  switch (lane) {
    case "keyword":
    case "dense":
    case "sparse":
    case "linked":
      return t(`lane.${lane}`);
    default:
      return lane;
  }
}

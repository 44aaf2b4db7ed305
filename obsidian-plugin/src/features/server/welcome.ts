import { type App, Component, Modal, type Plugin, Setting } from "obsidian";
import type { Trouble } from "../../bridge/errors";
import type { ServerState } from "../../bridge/connection";
import type { Translate } from "../../i18n";
import type { PanelParts } from "./panel";

/** *Set up*: each step from nothing to an answer, whether it is done, and what to do. */
export class Welcome extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly parts: PanelParts,
  ) {
    super();
  }

  override onload(): void {
    const { plugin, parts } = this;
    const { connection, dialogs, settings, t } = parts;
    const modal = new WelcomeModal(plugin.app, parts);
    plugin.addCommand({
      id: "set-up",
      name: t("command.set-up"),
      callback: () => {
        dialogs.open(modal);
      },
    });
    if (settings.values.welcomed) return;
    const stop = connection.subscribe((state) => {
      // The vault may just be about to be accepted by itself.
      if (state.kind === "unknown" || state.kind === "starting") return;
      stop();
      void settings.set("welcomed", true);
      if (state.kind !== "ready") dialogs.open(modal);
    });
    this.register(stop);
  }
}

interface Step {
  readonly name: string;
  readonly done: boolean;
  readonly help: string;
  readonly action?: { readonly text: string; run(): unknown };
}

const REACHED: readonly ServerState["kind"][] = ["stranger", "starting", "indexing", "loading", "ready"];
const ANSWERING: readonly Trouble[] = ["token", "forbidden", "loading", "busy"];

class WelcomeModal extends Modal {
  private ends: (() => void)[] = [];

  constructor(
    app: App,
    private readonly parts: PanelParts,
  ) {
    super(app);
  }

  override onOpen(): void {
    const { connection, server, settings, t } = this.parts;
    this.setTitle(t("welcome.title"));
    this.modalEl.addClass("vaultbridge-panel");
    const show = (): void => {
      this.show();
    };
    show();
    this.ends = [connection.subscribe(show), server.subscribe(show), settings.onChange(show)];
    void connection.check();
  }

  override onClose(): void {
    for (const end of this.ends.splice(0)) end();
    this.contentEl.empty();
  }

  private show(): void {
    this.contentEl.empty();
    this.contentEl.createEl("p", { text: this.parts.t("welcome.intro") });
    const list = this.contentEl.createDiv({ attr: { role: "list" } });
    for (const { action, done, help, name } of this.steps()) {
      const line = new Setting(list).setName(`${done ? "✓" : "○"} ${name}`).setDesc(done ? "" : help);
      line.settingEl.setAttr("role", "listitem");
      line.settingEl.toggleClass("vaultbridge-done", done);
      if (!done && action !== undefined) {
        line.addButton((button) => button.setButtonText(action.text).setCta().onClick(() => action.run()));
      }
    }
  }

  private steps(): Step[] {
    const { connection, server, settings, t } = this.parts;
    const { state } = connection;
    const answers = REACHED.includes(state.kind) || (state.kind === "away" && ANSWERING.includes(state.trouble));
    const reached = REACHED.includes(state.kind);
    const status = "status" in state ? state.status : null;
    const accepted = status !== null && state.kind !== "stranger";
    const start = { text: t("panel.start"), run: () => server.start() };
    const accept = { text: t("panel.accept"), run: () => settings.set("vault", status?.vault.id ?? "") };
    return [
      {
        name: t("welcome.server"),
        done: answers,
        help: server.state === "missing" ? t("welcome.server-missing") : t("welcome.server-help"),
        ...(server.isStartable && { action: start }),
      },
      { name: t("welcome.access"), done: reached, help: helpOf(state, t) },
      {
        name: t("welcome.vault"),
        done: accepted,
        help: status === null ? "" : t("help.stranger", { vault: status.vault.name }),
        ...(state.kind === "stranger" && { action: accept }),
      },
      { name: t("welcome.model"), done: accepted && status.models.generator !== "", help: t("welcome.model-help") },
      { name: t("welcome.meaning"), done: accepted && status.models.embedder !== "", help: t("welcome.meaning-help") },
      { name: t("welcome.index"), done: state.kind === "ready" || state.kind === "loading", help: t("help.indexing") },
    ];
  }
}

function helpOf(state: ServerState, t: Translate): string {
  return state.kind === "away" && state.trouble !== "offline" ? `${t(`trouble.${state.trouble}`)} ${state.detail}`.trim() : "";
}

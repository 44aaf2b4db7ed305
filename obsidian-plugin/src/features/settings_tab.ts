import { type App, Platform, type Plugin, PluginSettingTab, Setting } from "obsidian";
import { isStop } from "../bridge/errors";
import type { TextKey } from "../i18n";
import type { Values } from "../settings";
import type { PanelParts } from "./server/panel";
import { stateHelp, stateText } from "./server/state_text";

type TextValue = { [K in keyof Values]: Values[K] extends string ? K : never }[keyof Values];
type SwitchValue = { [K in keyof Values]: Values[K] extends boolean ? K : never }[keyof Values];

export class SettingsTab extends PluginSettingTab {
  private end: () => void = () => undefined;
  private looking = new AbortController();

  constructor(
    app: App,
    plugin: Plugin,
    private readonly parts: PanelParts,
  ) {
    super(app, plugin);
  }

  override display(): void {
    const { connection, settings, t } = this.parts;
    this.hide();
    this.addState();
    this.addText("address", "set.address", "http://127.0.0.1:1234");
    this.heading("set.token").addText((text) => {
      text.inputEl.type = "password";
      text.setValue(settings.token).onChange((token) => (settings.token = token.trim()));
    });
    if (Platform.isDesktop) {
      this.addText("program", "set.program", "vaultbridge");
      this.addSwitch("autostart", "set.autostart");
    }
    this.group("set.answers");
    void this.addModel();
    this.heading("set.grounding").addDropdown((dropdown) =>
      dropdown
        .addOptions({ auto: t("set.grounding-auto"), always: t("set.grounding-always"), off: t("set.grounding-off") })
        .setValue(settings.values.grounding)
        .onChange((value) => settings.set("grounding", value === "always" || value === "off" ? value : "auto")),
    );
    this.addSwitch("sources", "set.sources");
    this.addSwitch("mark", "set.mark");
    this.group("set.folders");
    this.addText("promptFolder", "set.prompt-folder", "");
    this.addText("chatFolder", "set.chat-folder", "");
    void connection.check();
  }

  override hide(): void {
    this.end();
    this.looking.abort();
    this.containerEl.empty();
  }

  /** The server's state, kept true while the tab is open. */
  private addState(): void {
    const { connection, t } = this.parts;
    const line = new Setting(this.containerEl);
    const show = (): void => {
      line.setName(stateText(connection.state, t)).setDesc(stateHelp(connection.state, t));
    };
    show();
    line.addButton((button) => button.setButtonText(t("panel.check")).onClick(() => connection.check()));
    this.end = connection.subscribe(show);
  }

  /** The chat model, of those that the server lists, and the models that it reads the vault with. */
  private async addModel(): Promise<void> {
    const { client, connection, settings, t } = this.parts;
    const line = this.heading("set.model");
    const { signal } = (this.looking = new AbortController());
    const { model } = settings.values;
    const listed = await client.models(signal).catch((error: unknown) => (isStop(error) ? null : []));
    if (listed === null) return;
    const { state } = connection;
    const served = "status" in state ? state.status.models : null;
    const readers = [served?.embedder, served?.reranker].filter((name) => name !== undefined && name !== "");
    const chosen = listed.filter((name) => !readers.includes(name) && !name.includes("@"));
    line.addDropdown((dropdown) =>
      dropdown
        .addOption("", t("set.model-usual"))
        .addOptions(Object.fromEntries([...new Set([...chosen, ...(model === "" ? [] : [model])])].map((name) => [name, name])))
        .setValue(model)
        .onChange((value) => settings.set("model", value)),
    );
    if (readers.length > 0) line.setDesc(`${t("set.model-help")} ${t("set.readers", { models: readers.join(", ") })}`);
  }

  private addText(key: TextValue, text: Heading, placeholder: string): void {
    const { settings } = this.parts;
    this.heading(text).addText((input) =>
      input
        .setPlaceholder(placeholder)
        .setValue(settings.values[key])
        .onChange((value) => settings.set(key, value.trim())),
    );
  }

  private addSwitch(key: SwitchValue, text: Heading): void {
    const { settings } = this.parts;
    this.heading(text).addToggle((toggle) => toggle.setValue(settings.values[key]).onChange((on) => settings.set(key, on)));
  }

  private group(text: TextKey): void {
    new Setting(this.containerEl).setName(this.parts.t(text)).setHeading();
  }

  private heading(text: Heading): Setting {
    const { t } = this.parts;
    return new Setting(this.containerEl).setName(t(text)).setDesc(t(`${text}-help`));
  }
}

type Heading =
  | "set.address"
  | "set.token"
  | "set.program"
  | "set.autostart"
  | "set.model"
  | "set.grounding"
  | "set.sources"
  | "set.mark"
  | "set.prompt-folder"
  | "set.chat-folder";

import { type App, Platform, type Plugin, PluginSettingTab, Setting } from "obsidian";
import type { ServerState } from "../bridge/connection";
import type { TextKey } from "../i18n";
import type { Values } from "../settings";
import { RoleSettings } from "./role_settings";
import type { PanelParts } from "./server/panel";
import { stateHelp, stateText } from "./server/state_text";

type TextValue = { [K in keyof Values]: Values[K] extends string ? K : never }[keyof Values];
type SwitchValue = { [K in keyof Values]: Values[K] extends boolean ? K : never }[keyof Values];

export class SettingsTab extends PluginSettingTab {
  private end: () => void = () => undefined;

  constructor(
    app: App,
    plugin: Plugin,
    private readonly parts: PanelParts,
  ) {
    super(app, plugin);
  }

  override display(): void {
    const { client, connection, settings, t } = this.parts;
    this.hide();
    const state = new Setting(this.containerEl);
    this.addText("address", "set.address", "http://127.0.0.1:1234");
    this.heading("set.token").addText((text) => {
      text.inputEl.type = "password";
      text.setValue(settings.token).onChange((token) => (settings.token = token.trim()));
    });
    if (Platform.isDesktop) {
      this.addText("program", "set.program", "vaultbridge");
      this.addSwitch("autostart", "set.autostart");
    }
    this.group("set.models");
    const models = this.containerEl.createDiv();
    this.group("set.answers");
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
    this.follow(state, new RoleSettings(models, client, t));
    void connection.check();
  }

  override hide(): void {
    this.end();
    this.containerEl.empty();
  }

  /** Show the server's state and its models, kept true while the tab is open. */
  private follow(line: Setting, roles: RoleSettings): void {
    const { connection, t } = this.parts;
    let shown: boolean | null = null;
    const show = (state: ServerState): void => {
      line.setName(stateText(state, t)).setDesc(stateHelp(state, t));
      const there = "status" in state && state.kind !== "stranger";
      if (there === shown) return;
      shown = there;
      if (there) void roles.load();
      else roles.away();
    };
    show(connection.state);
    line.addButton((button) => button.setButtonText(t("panel.check")).onClick(() => connection.check()));
    const unsubscribe = connection.subscribe(show);
    this.end = () => {
      unsubscribe();
      roles.end();
    };
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
  | "set.grounding"
  | "set.sources"
  | "set.mark"
  | "set.prompt-folder"
  | "set.chat-folder";

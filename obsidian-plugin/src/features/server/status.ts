import { Component, type Plugin, setTooltip } from "obsidian";
import type { Connection } from "../../bridge/connection";
import type { Translate } from "../../i18n";
import { stateHelp, stateText } from "./state_text";

/** The server's state in the status bar; a click opens the panel. */
export class Status extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly connection: Connection,
    private readonly openPanel: () => void,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { connection, openPanel, plugin, t } = this;
    const item = plugin.addStatusBarItem();
    item.addClass("mod-clickable", "vaultbridge-status");
    item.setAttr("role", "button");
    item.setAttr("tabindex", "0");
    const text = item.createSpan();
    const show = (): void => {
      item.setAttr("data-state", connection.state.kind);
      text.setText(stateText(connection.state, t));
      setTooltip(item, stateHelp(connection.state, t), { placement: "top" });
    };
    show();
    this.register(connection.subscribe(show));
    this.registerDomEvent(item, "click", openPanel);
    this.registerDomEvent(item, "keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") openPanel();
    });
    plugin.addCommand({ id: "status", name: t("command.status"), callback: openPanel });
  }
}

import { Component, type Plugin } from "obsidian";
import type { Client } from "../../bridge/client";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import type { Dialogs } from "../dialogs";
import { reveal } from "../panes";
import { HOVER_SOURCE } from "../places";
import { Archive } from "./archive";
import { CHAT_VIEW, ChatView } from "./chat_view";

/** *Chat*: questions to the vault in a pane of their own. */
export class Chat extends Component {
  constructor(
    private readonly plugin: Plugin,
    private readonly client: Client,
    private readonly dialogs: Dialogs,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { client, dialogs, plugin, settings, t } = this;
    const archive = new Archive(plugin.app, settings);
    plugin.registerView(CHAT_VIEW, (leaf) => new ChatView(leaf, client, dialogs, settings, archive, t));
    plugin.registerHoverLinkSource(HOVER_SOURCE, { display: plugin.manifest.name, defaultMod: true });
    plugin.addRibbonIcon("message-circle-question", t("command.chat"), () => void this.open());
    plugin.addCommand({ id: "chat", name: t("command.chat"), callback: () => void this.open() });
    plugin.addCommand({
      id: "open-chat",
      name: t("command.open-chat"),
      checkCallback: (checking) => {
        const file = plugin.app.workspace.getActiveFile();
        if (file === null || !archive.isChat(file)) return false;
        if (!checking) void this.open().then((view) => view?.openNote(file));
        return true;
      },
    });
  }

  private async open(): Promise<ChatView | null> {
    const { view } = await reveal(this.plugin.app, CHAT_VIEW);
    if (!(view instanceof ChatView)) return null;
    view.focusComposer();
    return view;
  }
}

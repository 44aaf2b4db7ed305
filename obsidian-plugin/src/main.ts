import { Plugin, getLanguage } from "obsidian";
import { Client, type Target } from "./bridge/client";
import { Connection } from "./bridge/connection";
import { spotlight } from "./editor/spotlight";
import { Chat } from "./features/chat/chat";
import { GenerateHere } from "./features/generate";
import { Prompts } from "./features/prompts";
import { Related } from "./features/related";
import { Rewrite } from "./features/rewrite";
import { Search } from "./features/search";
import { Panel, type PanelParts } from "./features/server/panel";
import { Server } from "./features/server/server";
import { Status } from "./features/server/status";
import { VaultIdentity } from "./features/server/vault_identity";
import { Welcome } from "./features/server/welcome";
import { SettingsTab } from "./features/settings_tab";
import { SuggestLinks } from "./features/suggest";
import { Writer } from "./features/writer";
import { translator } from "./i18n";
import { Settings } from "./settings";
import { PluginStorage } from "./storage";

/** The only place where real objects are built. */
export default class VaultbridgePlugin extends Plugin {
  override async onload(): Promise<void> {
    const t = translator(getLanguage());
    const settings = await Settings.load(new PluginStorage(this));
    const target = (): Target => {
      const { address, vault } = settings.values;
      return { address: address.replace(/\/+$/, ""), token: settings.token, vault };
    };
    // Answers stream, and Obsidian's own requests do not.
    const client = new Client(target, (input, init) => window.fetch(input, init));
    const connection = new Connection(client, (id) => id === settings.values.vault, later);
    const server = new Server(this, connection, settings, t);
    const parts: PanelParts = { client, connection, server, settings, t };
    const panel = new Panel(this.app, parts);
    this.register(() => {
      panel.close();
    });
    const writer = new Writer(client, () => settings.values.mark);
    const rewrite = new Rewrite(this, client, settings, t);
    this.registerEditorExtension(spotlight);
    this.addSettingTab(new SettingsTab(this.app, this, parts));
    // Children end before anything else of the plugin does: editors still know of drafts then.
    for (const feature of [
      new GenerateHere(this, writer, settings, t),
      rewrite,
      new Prompts(this, client, writer, rewrite, settings, t),
      new SuggestLinks(this, client, t),
      new Chat(this, client, settings, t),
      new Related(this, client, t),
      new Search(this, client, t),
      new VaultIdentity(this.app, connection, settings),
      new Status(this, connection, () => { panel.open(); }, t),
      new Welcome(this, parts),
      server,
    ])
      this.addChild(feature);
  }
}

function later(milliseconds: number, then: () => void): () => void {
  const timer = window.setTimeout(then, milliseconds);
  return () => {
    window.clearTimeout(timer);
  };
}

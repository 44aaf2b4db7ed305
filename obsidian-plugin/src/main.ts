import { Plugin, getLanguage } from "obsidian";
import { Client, type Target } from "./bridge/client";
import { Connection } from "./bridge/connection";
import { spotlight } from "./editor/spotlight";
import { Chat } from "./features/chat/chat";
import { Dialogs } from "./features/dialogs";
import { GenerateHere } from "./features/generate";
import { PromptFolder } from "./features/prompts/folder";
import { Prompts } from "./features/prompts/prompts";
import { PromptRunner } from "./features/prompts/runner";
import { Related } from "./features/related";
import { Rewrite } from "./features/rewrite";
import { Search } from "./features/search";
import { Panel, type PanelParts } from "./features/server/panel";
import { Server } from "./features/server/server";
import { Status } from "./features/server/status";
import { VaultIdentity } from "./features/server/vault_identity";
import { Welcome } from "./features/server/welcome";
import { SettingsTab } from "./features/settings_tab";
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
    const dialogs = new Dialogs();
    const parts: PanelParts = { client, connection, dialogs, server, settings, t };
    const panel = new Panel(this.app, parts);
    const writer = new Writer(client, () => settings.values.mark);
    const rewrite = new Rewrite(this, client, dialogs, t);
    const prompts = new PromptFolder(this.app, settings, t);
    const runner = new PromptRunner(this.app, client, writer, rewrite, prompts, dialogs, settings, t);
    this.registerEditorExtension(spotlight);
    this.addSettingTab(new SettingsTab(this.app, this, parts));
    // Children end before anything else of the plugin does: editors still know of drafts then.
    for (const feature of [
      new GenerateHere(this, writer, settings, t),
      rewrite,
      runner,
      new Prompts(this, prompts, runner, dialogs, settings, t),
      new Chat(this, client, dialogs, settings, t),
      new Related(this, client, t),
      new Search(this, client, dialogs, t),
      new VaultIdentity(this.app, connection, settings),
      new Status(this, connection, () => { dialogs.open(panel); }, t),
      new Welcome(this, parts),
      server,
      dialogs,
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

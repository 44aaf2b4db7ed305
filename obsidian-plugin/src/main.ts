import { Plugin, getLanguage } from "obsidian";
import { Client } from "./bridge/client";
import { GenerateHere } from "./features/generate";
import { Prompts } from "./features/prompts";
import { Rewrite } from "./features/rewrite";
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
    const target = (): { address: string; token: string; vault: string } => {
      const { address, vault } = settings.values;
      return { address: address.replace(/\/+$/, ""), token: settings.token, vault };
    };
    // Answers stream, and Obsidian's own requests do not.
    const client = new Client(target, (input, init) => window.fetch(input, init));
    const writer = new Writer(client, () => settings.values.mark);
    const rewrite = new Rewrite(this, client, settings, t);
    // Children end before anything else of the plugin does: editors still know of drafts then.
    for (const feature of [
      new GenerateHere(this, writer, settings, t),
      rewrite,
      new Prompts(this, client, writer, rewrite, settings, t),
      new SuggestLinks(this, client, t),
    ])
      this.addChild(feature);
  }
}

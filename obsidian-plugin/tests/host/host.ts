/** The page of the end-to-end tests: an app with a real editor, and the plugin in front of a real server. */

import "../twin/dom";
import type { App as ObsidianApp, PluginManifest } from "obsidian";
import manifest from "../../manifest.json";
import VaultbridgePlugin from "../../src/main";
import { App, Modal, type Plugin, twin } from "../twin/obsidian";

interface Setup {
  readonly name: string;
  readonly notes: Readonly<Record<string, string>>;
  readonly device: unknown;
  readonly data?: unknown;
  readonly token?: string;
  readonly language?: string;
}

class Host {
  app = new App();
  plugin: Plugin | null = null;

  /** Begin anew: an app with these notes, and the plugin loaded. */
  async start({ name, notes, device, data, token, language }: Setup): Promise<void> {
    this.plugin?.unload();
    document.body.replaceChildren();
    document.body.className = "";
    twin.language = language ?? "en";
    this.app = new App(name);
    for (const [path, text] of Object.entries(notes)) await this.app.vault.create(path, text);
    this.app.saveLocalStorage("vaultbridge", device);
    if (data !== undefined) this.app.data.set(manifest.id, data);
    if (token !== undefined) this.app.secretStorage.setSecret("vaultbridge-token", token);
    await this.load();
  }

  async load(): Promise<void> {
    this.plugin = new VaultbridgePlugin(this.app as unknown as ObsidianApp, manifest as PluginManifest) as unknown as Plugin;
    await this.plugin.start();
  }

  unload(): void {
    this.plugin?.unload();
  }

  /** Open a note and put the cursor at its end, or select a part of it. */
  async open(path: string, selected?: string): Promise<void> {
    const { cm } = await this.app.open(path);
    const text = cm.state.doc.toString();
    const from = selected === undefined ? text.length : text.indexOf(selected);
    cm.dispatch({ selection: { anchor: from, head: from + (selected?.length ?? 0) } });
    cm.focus();
  }

  run(command: string): boolean {
    return this.app.run(`${manifest.id}:${command}`);
  }

  /** The text of the note that is open, with `|` for the cursor. */
  text(): string {
    const { state } = this.app.workspace.activeEditor?.cm ?? {};
    if (state === undefined) return "";
    const { head } = state.selection.main;
    return `${state.sliceDoc(0, head)}|${state.sliceDoc(head)}`;
  }

  /** Show the plugin's settings, as the settings dialog does. */
  settings(): void {
    const tab = this.app.settingTabs.get(manifest.id);
    if (tab === undefined) return;
    new Modal(this.app).open();
    document.querySelector(".modal-container:last-child .modal-content")?.append(tab.containerEl);
    tab.display();
  }

  /** What a plugin must not leave behind. */
  left(): unknown {
    const { commands, metadataCache, settingTabs, vault, workspace } = this.app;
    return {
      elements: document.querySelectorAll("[class*=vaultbridge]").length,
      extensions: workspace.editorExtensions.length,
      commands: Object.keys(commands.commands),
      tabs: settingTabs.size,
      views: workspace.creators.size,
      listeners: [workspace.listeners, metadataCache.listeners, vault.listeners],
    };
  }
}

Object.assign(window, { host: new Host() });

import { afterEach } from "vitest";
import type { App as ObsidianApp, PluginManifest } from "obsidian";
import VaultbridgePlugin from "../../src/main";
import { Serving, Speaking, json } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";
import { App, type Plugin, type MarkdownView, twin } from "../twin/obsidian";

const MANIFEST = { id: "vaultbridge", name: "Vaultbridge", version: "0.1.0" };
const HEALTH = { status: "ok", name: "vaultbridge", version: "0.1.0" };

const open: House[] = [];

/** An app with the plugin in it, in front of a server in memory. */
export class House {
  readonly speaking = new Speaking();
  readonly serving = new Serving({
    "/health": json(HEALTH),
    "/vault/status": json(snapshot("status.json")),
    "/v1/chat/completions": this.speaking.reply,
  });
  readonly app = new App("My Vault");
  readonly plugin: Plugin;

  private constructor() {
    // The twin has what the plugin calls, and the plugin is made for the whole app.
    this.plugin = new VaultbridgePlugin(this.app as unknown as ObsidianApp, MANIFEST as PluginManifest) as unknown as Plugin;
  }

  static async of(notes: Record<string, string>, prepare: (house: House) => void = () => undefined): Promise<House> {
    const house = new House();
    open.push(house);
    for (const [path, text] of Object.entries(notes)) await house.app.vault.create(path, text);
    house.app.saveLocalStorage("vaultbridge", { vault: "000000000000", welcomed: true });
    prepare(house);
    window.fetch = house.serving.fetch;
    await house.plugin.start();
    return house;
  }

  /** Open a note; `|` is where the cursor goes, two of them are a selection. */
  async note(path: string, text?: string): Promise<MarkdownView> {
    if (text !== undefined) await this.app.vault.create(path, text.replaceAll("|", ""));
    const view = await this.app.open(path);
    const anchor = text?.indexOf("|") ?? -1;
    const head = (text?.lastIndexOf("|") ?? -1) - 1;
    if (anchor >= 0) view.cm.dispatch({ selection: { anchor, head: Math.max(anchor, head) } });
    return view;
  }

  run(command: string): boolean {
    return this.app.run(`vaultbridge:${command}`);
  }

  /** How many answers were asked for. */
  get chats(): number {
    return this.serving.requests.filter(({ url }) => url.endsWith("/v1/chat/completions")).length;
  }

  /** What the last request to a path said. */
  asked(path: string): Record<string, unknown> {
    const request = this.serving.requests.findLast(({ url }) => new URL(url).pathname === path);
    return (request?.body ?? {}) as Record<string, unknown>;
  }

  get notices(): string[] {
    return [...document.querySelectorAll(".notice")].map(({ textContent }) => textContent);
  }

  get commands(): string[] {
    return Object.values(this.app.commands.commands).map(({ name }) => name);
  }

  unload(): void {
    this.plugin.unload();
  }
}

afterEach(() => {
  for (const house of open.splice(0)) house.unload();
  document.body.replaceChildren();
  twin.language = "en";
  twin.desktop = false;
});

export function press(label: string, within: ParentNode = document): void {
  const button = [...within.querySelectorAll<HTMLElement>("button, [role=option]")].find(
    (one) => one.textContent === label || one.getAttribute("aria-label") === label,
  );
  if (button === undefined) throw new Error(`no button ${label}`);
  button.click();
}

export function fill(input: HTMLInputElement | HTMLTextAreaElement | null, text: string): void {
  if (input === null) throw new Error("no input");
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

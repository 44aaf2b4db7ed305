/** The app, and plugins in it. */

import type { Extension } from "@codemirror/state";
import { Component, type EventRef, Events } from "./events";
import { FileManager, MetadataCache, Vault } from "./vault";
import { type Editor, MarkdownView, type View, Workspace, type WorkspaceLeaf } from "./workspace";

interface Hotkey {
  modifiers: string[];
  key: string;
}

interface Command {
  id: string;
  name: string;
  hotkeys?: Hotkey[];
  callback?: () => unknown;
  checkCallback?: (checking: boolean) => unknown;
  editorCallback?: (editor: Editor, context: MarkdownView) => unknown;
  editorCheckCallback?: (checking: boolean, editor: Editor, context: MarkdownView) => unknown;
}

class SecretStorage extends Events {
  private readonly secrets = new Map<string, string>();

  getSecret(id: string): string | null {
    return this.secrets.get(id) ?? null;
  }

  setSecret(id: string, secret: string): void {
    this.secrets.set(id, secret);
  }
}

export class App {
  readonly containerEl: HTMLElement;
  readonly vault: Vault;
  readonly metadataCache: MetadataCache;
  readonly fileManager: FileManager;
  readonly workspace: Workspace;
  readonly secretStorage = new SecretStorage();
  readonly commands = { commands: {} as Record<string, Command> };
  readonly statusBar: HTMLElement;
  readonly ribbon: HTMLElement;
  readonly settingTabs = new Map<string, { app: App; containerEl: HTMLElement; display(): void; hide(): void }>();
  readonly setting = {
    open: (): void => undefined,
    openTabById: (id: string): void => {
      this.settingTabs.get(id)?.display();
    },
  };
  private readonly local = new Map<string, unknown>();
  /** What plugins have saved, by their ids. */
  readonly data = new Map<string, unknown>();

  constructor(name = "Vault") {
    this.containerEl = document.body.createDiv({ cls: "app-container" });
    this.ribbon = this.containerEl.createDiv({ cls: "workspace-ribbon" });
    this.vault = new Vault(name);
    this.metadataCache = new MetadataCache(this.vault);
    this.fileManager = new FileManager(this.vault);
    this.workspace = new Workspace(this);
    this.statusBar = this.containerEl.createDiv({ cls: "status-bar" });
    this.containerEl.addEventListener("keydown", (event) => {
      this.press(event);
    });
  }

  loadLocalStorage(key: string): unknown {
    return this.local.get(key) ?? null;
  }

  saveLocalStorage(key: string, value: unknown): void {
    this.local.set(key, structuredClone(value));
  }

  isDarkMode(): boolean {
    return document.body.hasClass("theme-dark");
  }

  /** Open a note as a user does. */
  async open(path: string): Promise<MarkdownView> {
    const file = this.vault.getFileByPath(path);
    if (file === null) throw new Error(`no note ${path}`);
    const leaf = this.workspace.getLeaf(false);
    await leaf.openFile(file);
    if (!(leaf.view instanceof MarkdownView)) throw new Error("no note opened");
    return leaf.view;
  }

  /** Run a command as the palette does; whether it can be run now. */
  run(id: string): boolean {
    const command = this.commands.commands[id];
    if (command === undefined) return false;
    const context = this.workspace.activeEditor;
    if (command.checkCallback) return Boolean(command.checkCallback(true)) && (command.checkCallback(false), true);
    if (command.callback) command.callback();
    else if (context === null) return false;
    else if (command.editorCallback) command.editorCallback(context.editor, context);
    else if (!command.editorCheckCallback?.(true, context.editor, context)) return false;
    else command.editorCheckCallback(false, context.editor, context);
    return true;
  }

  private press(event: KeyboardEvent): void {
    const held = [event.ctrlKey || event.metaKey ? "Mod" : "", event.shiftKey ? "Shift" : "", event.altKey ? "Alt" : ""]
      .filter(Boolean)
      .join("+");
    for (const { id, hotkeys } of Object.values(this.commands.commands)) {
      const pressed = hotkeys?.some(({ modifiers, key }) => modifiers.join("+") === held && key.toLowerCase() === event.key.toLowerCase());
      if (pressed && this.run(id)) event.preventDefault();
    }
  }
}

export class Plugin extends Component {
  private readonly extensions: Extension[] = [];

  constructor(
    readonly app: App,
    readonly manifest: { id: string; name: string; version: string; dir?: string },
  ) {
    super();
  }

  /** As the app loads a plugin, which may take its time. */
  async start(): Promise<void> {
    this.loaded = true;
    await this.onload();
  }

  async loadData(): Promise<unknown> {
    return Promise.resolve(this.app.data.get(this.manifest.id) ?? null);
  }

  async saveData(data: unknown): Promise<void> {
    this.app.data.set(this.manifest.id, structuredClone(data));
    return Promise.resolve();
  }

  addCommand(command: Command): Command {
    const { commands } = this.app.commands;
    const id = `${this.manifest.id}:${command.id}`;
    commands[id] = { ...command, id };
    this.register(() => {
      Reflect.deleteProperty(commands, id);
    });
    return commands[id];
  }

  removeCommand(id: string): void {
    Reflect.deleteProperty(this.app.commands.commands, `${this.manifest.id}:${id}`);
  }

  registerEditorExtension(extension: Extension): void {
    const { workspace } = this.app;
    workspace.setExtensions([...workspace.editorExtensions, extension]);
    this.extensions.push(extension);
    this.register(() => {
      workspace.setExtensions(workspace.editorExtensions.filter((one) => one !== extension));
    });
  }

  registerView(type: string, create: (leaf: WorkspaceLeaf) => View): void {
    this.app.workspace.creators.set(type, create);
    this.register(() => {
      this.app.workspace.creators.delete(type);
      this.app.workspace.detachLeavesOfType(type);
    });
  }

  registerHoverLinkSource(_id: string, _info: unknown): void {
    // There is no page preview here.
  }

  addStatusBarItem(): HTMLElement {
    return this.shown(this.app.statusBar.createDiv({ cls: "status-bar-item" }));
  }

  addRibbonIcon(icon: string, title: string, then: (event: MouseEvent) => void): HTMLElement {
    const made = this.app.ribbon.createEl("button", { cls: "clickable-icon", attr: { "aria-label": title, "data-icon": icon } });
    made.addEventListener("click", then);
    return this.shown(made);
  }

  addSettingTab(tab: { app: App; containerEl: HTMLElement; display(): void; hide(): void }): void {
    this.app.settingTabs.set(this.manifest.id, tab);
    this.register(() => {
      this.app.settingTabs.delete(this.manifest.id);
      tab.containerEl.remove();
    });
  }

  private shown(element: HTMLElement): HTMLElement {
    this.register(() => {
      element.remove();
    });
    return element;
  }
}

export type { EventRef };

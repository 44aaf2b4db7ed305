/** Panes with views in them: notes in a real CodeMirror, and what plugins show. */

import { history, historyKeymap, standardKeymap } from "@codemirror/commands";
import { markdown } from "@codemirror/lang-markdown";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import type { App } from "./app";
import { Component, Events } from "./events";
import type { TFile } from "./vault";

export class View extends Component {
  readonly containerEl = createDiv({ cls: "workspace-leaf-content" });
  readonly app: App;

  constructor(readonly leaf: WorkspaceLeaf) {
    super();
    this.app = leaf.app;
  }

  getViewType(): string {
    return "empty";
  }

  getDisplayText(): string {
    return "";
  }

  async onOpen(): Promise<void> {
    // For subclasses.
  }

  async onClose(): Promise<void> {
    // For subclasses.
  }

  getState(): Record<string, unknown> {
    return {};
  }

  async setState(_state: unknown, _result: unknown): Promise<void> {
    // For subclasses.
  }

  setEphemeralState(_state: unknown): void {
    // For subclasses.
  }
}

export class ItemView extends View {
  readonly contentEl = this.containerEl.createDiv({ cls: "view-content" });

  addAction(icon: string, title: string, then: (event: MouseEvent) => void): HTMLElement {
    const made = this.containerEl.createEl("button", { cls: "clickable-icon view-action", attr: { "aria-label": title, "data-icon": icon } });
    made.addEventListener("click", then);
    return made;
  }
}

export class Editor {
  constructor(readonly cm: EditorView) {}

  getValue(): string {
    return this.cm.state.doc.toString();
  }

  getSelection(): string {
    const { from, to } = this.cm.state.selection.main;
    return this.cm.state.sliceDoc(from, to);
  }

  replaceSelection(text: string): void {
    this.cm.dispatch(this.cm.state.replaceSelection(text));
  }

  focus(): void {
    this.cm.focus();
  }
}

export class MarkdownView extends ItemView {
  readonly extensions = new Compartment();
  readonly cm: EditorView;
  readonly editor: Editor;
  file: TFile | null = null;

  constructor(leaf: WorkspaceLeaf) {
    super(leaf);
    this.cm = new EditorView({ parent: this.contentEl.createDiv({ cls: "markdown-source-view" }) });
    this.editor = new Editor(this.cm);
  }

  override getViewType(): string {
    return "markdown";
  }

  override getDisplayText(): string {
    return this.file?.basename ?? "";
  }

  getMode(): string {
    return "source";
  }

  open(file: TFile): void {
    this.file = file;
    this.cm.setState(
      EditorState.create({
        doc: file.text,
        extensions: [
          this.extensions.of(this.app.workspace.editorExtensions),
          history(),
          keymap.of([...standardKeymap, ...historyKeymap]),
          markdown(),
          EditorView.lineWrapping,
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (docChanged) file.text = state.doc.toString();
          }),
        ],
      }),
    );
  }

  override async onClose(): Promise<void> {
    this.cm.destroy();
    await Promise.resolve();
  }
}

export class WorkspaceLeaf {
  readonly app: App;
  readonly containerEl: HTMLElement;
  view: View;

  constructor(
    readonly workspace: Workspace,
    readonly side: "left" | "main" | "right",
  ) {
    this.app = workspace.app;
    this.containerEl = workspace.containers[side].createDiv({ cls: "workspace-leaf" });
    this.view = new View(this);
  }

  async setViewState({ type, state }: { type: string; state?: unknown; active?: boolean }): Promise<void> {
    await this.show(type === "markdown" ? new MarkdownView(this) : (this.workspace.creators.get(type)?.(this) ?? new View(this)));
    if (state !== undefined) await this.view.setState(state, {});
  }

  async openFile(file: TFile, { eState }: { eState?: unknown } = {}): Promise<void> {
    if (!(this.view instanceof MarkdownView)) await this.show(new MarkdownView(this));
    if (this.view instanceof MarkdownView && this.view.file !== file) this.view.open(file);
    if (eState !== undefined) this.view.setEphemeralState(eState);
    this.workspace.setActiveLeaf(this);
    this.workspace.trigger("file-open", file);
  }

  async loadIfDeferred(): Promise<void> {
    await Promise.resolve();
  }

  async detach(): Promise<void> {
    await this.show(null);
    this.containerEl.remove();
    this.workspace.leaves.delete(this);
  }

  private async show(view: View | null): Promise<void> {
    this.view.unload();
    await this.view.onClose();
    this.containerEl.empty();
    if (view === null) return;
    this.view = view;
    this.containerEl.append(view.containerEl);
    view.load();
    await view.onOpen();
  }
}

export class Workspace extends Events {
  readonly leaves = new Set<WorkspaceLeaf>();
  readonly creators = new Map<string, (leaf: WorkspaceLeaf) => View>();
  readonly containers: Readonly<Record<"left" | "main" | "right", HTMLElement>>;
  editorExtensions: Extension[] = [];
  layoutReady = true;
  activeLeaf: WorkspaceLeaf | null = null;
  private lastFile: MarkdownView | null = null;

  constructor(readonly app: App) {
    super();
    const make = (side: string): HTMLElement => app.containerEl.createDiv({ cls: `workspace-split mod-${side}-split` });
    this.containers = { left: make("left"), main: make("root"), right: make("right") };
  }

  onLayoutReady(then: () => void): void {
    then();
  }

  setExtensions(extensions: Extension[]): void {
    this.editorExtensions = extensions;
    for (const { view } of this.leaves) {
      if (view instanceof MarkdownView) view.cm.dispatch({ effects: view.extensions.reconfigure(extensions) });
    }
  }

  getLeaf(_new?: unknown): WorkspaceLeaf {
    const main = [...this.leaves].find(({ side }) => side === "main");
    return _new === undefined || _new === false ? (main ?? this.add("main")) : this.add("main");
  }

  getRightLeaf(_split: boolean): WorkspaceLeaf {
    return this.add("right");
  }

  getLeavesOfType(type: string): WorkspaceLeaf[] {
    return [...this.leaves].filter(({ view }) => view.getViewType() === type);
  }

  detachLeavesOfType(type: string): void {
    for (const leaf of this.getLeavesOfType(type)) void leaf.detach();
  }

  async revealLeaf(leaf: WorkspaceLeaf): Promise<void> {
    this.setActiveLeaf(leaf);
    await Promise.resolve();
  }

  setActiveLeaf(leaf: WorkspaceLeaf): void {
    this.activeLeaf = leaf;
    if (leaf.view instanceof MarkdownView) this.lastFile = leaf.view;
    this.trigger("active-leaf-change", leaf);
  }

  getActiveViewOfType<T extends View>(type: new (leaf: WorkspaceLeaf) => T): T | null {
    return this.activeLeaf?.view instanceof type ? this.activeLeaf.view : null;
  }

  getMostRecentLeaf(): WorkspaceLeaf | null {
    return this.lastFile?.leaf ?? null;
  }

  getActiveFile(): TFile | null {
    return this.lastFile?.file ?? null;
  }

  get activeEditor(): MarkdownView | null {
    return this.lastFile;
  }

  async openLinkText(link: string, from: string): Promise<void> {
    const file = this.app.metadataCache.getFirstLinkpathDest(link.split("#")[0] ?? "", from);
    if (file !== null) await this.getLeaf(false).openFile(file);
  }

  private add(side: "left" | "main" | "right"): WorkspaceLeaf {
    const leaf = new WorkspaceLeaf(this, side);
    this.leaves.add(leaf);
    return leaf;
  }
}

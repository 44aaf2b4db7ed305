/** Stands in for the `obsidian` module: the calls that the plugin makes, in memory, with a real CodeMirror. */

import { Component } from "./events";

export { App, Plugin } from "./app";
export { Component, Events } from "./events";
export { FuzzySuggestModal, Menu, Modal, Notice, PluginSettingTab, Setting, SuggestModal, setIcon, setTooltip } from "./ui";
export { TAbstractFile, TFile, TFolder, Vault, getAllTags, getFrontMatterInfo, normalizePath } from "./vault";
export { Editor, ItemView, MarkdownView, WorkspaceLeaf } from "./workspace";

/** The language and the kind of device; a test may set them. */
export const twin = { language: "en", desktop: false };

export function getLanguage(): string {
  return twin.language;
}

export const Platform = {
  get isDesktop(): boolean {
    return twin.desktop;
  },
  get isMacOS(): boolean {
    return false;
  },
};

export class FileSystemAdapter {
  constructor(private readonly path: string) {}

  getBasePath(): string {
    return this.path;
  }
}

export const Keymap = {
  isModEvent: (event: MouseEvent | KeyboardEvent): boolean => event.ctrlKey || event.metaKey,
};

export const MarkdownRenderer = {
  /** Paragraphs, headings, lists, code, strong text, links and spans: enough to see what is rendered and where. */
  async render(_app: unknown, text: string, element: HTMLElement, _path: string, component: Component): Promise<void> {
    if (!(component instanceof Component)) throw new Error("no component");
    for (const block of text.trim().split(/\n{2,}/)) element.append(rendered(block));
    return Promise.resolve();
  },
};

function rendered(block: string): HTMLElement {
  const code = /^```[^\n]*\n([^]*?)(?:```)?$/.exec(block);
  if (code) return createEl("pre").createEl("code", { text: code[1] ?? "" }).parentElement as HTMLElement;
  const heading = /^(#{1,6}) (.*)$/.exec(block);
  if (heading) return inline(createEl(`h${String(heading[1]?.length ?? 1)}` as "h1"), heading[2] ?? "");
  if (/^[-*] /.test(block)) {
    const list = createEl("ul");
    for (const item of block.split("\n")) inline(list.createEl("li"), item.replace(/^\s*[-*] /, ""));
    return list;
  }
  return inline(createEl("p"), block);
}

function inline(element: HTMLElement, text: string): HTMLElement {
  const parts = /\[\[([^\]|]+)(?:\|([^\]]+))?\]\]|\*\*(.+?)\*\*|<span class="([\w-]+)">([^]*?)<\/span>/g;
  let end = 0;
  for (const part of text.matchAll(parts)) {
    const [whole, link, alias, strong, cls, said] = part;
    element.appendText(text.slice(end, part.index));
    end = part.index + whole.length;
    if (link !== undefined) element.createEl("a", { text: alias ?? link, cls: "internal-link", attr: { "data-href": link, href: link } });
    else if (strong !== undefined) element.createEl("strong", { text: strong });
    else inline(element.createSpan({ cls: cls ?? "" }), said ?? "");
  }
  element.appendText(text.slice(end));
  return element;
}

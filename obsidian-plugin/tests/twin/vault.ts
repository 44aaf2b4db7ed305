/** A vault in memory, and what is known of its notes. */

import { Events } from "./events";

export class TAbstractFile {
  parent: TFolder | null = null;

  constructor(public path: string) {}

  get name(): string {
    return this.path.split("/").at(-1) ?? "";
  }
}

export class TFile extends TAbstractFile {
  text = "";
  stat = { ctime: 0, mtime: 0, size: 0 };

  get extension(): string {
    return this.name.includes(".") ? (this.name.split(".").at(-1) ?? "") : "";
  }

  get basename(): string {
    return this.name.replace(/\.[^.]+$/, "");
  }
}

export class TFolder extends TAbstractFile {
  children: TAbstractFile[] = [];

  isRoot(): boolean {
    return this.path === "/";
  }
}

export function normalizePath(path: string): string {
  const clean = path.replace(/[\\/]+/g, "/").replace(/^\/|\/$/g, "").replaceAll("\u00a0", " ").normalize("NFC");
  return clean === "" ? "/" : clean;
}

export class Vault extends Events {
  readonly configDir = "settings";
  adapter: unknown = {};
  private readonly root = new TFolder("/");
  private readonly all = new Map<string, TAbstractFile>([["/", this.root]]);

  constructor(private readonly name: string) {
    super();
  }

  getName(): string {
    return this.name;
  }

  getRoot(): TFolder {
    return this.root;
  }

  getAbstractFileByPath(path: string): TAbstractFile | null {
    return this.all.get(path) ?? null;
  }

  getFileByPath(path: string): TFile | null {
    const file = this.all.get(path);
    return file instanceof TFile ? file : null;
  }

  getFolderByPath(path: string): TFolder | null {
    const folder = this.all.get(path);
    return folder instanceof TFolder ? folder : null;
  }

  getMarkdownFiles(): TFile[] {
    return [...this.all.values()].filter((file): file is TFile => file instanceof TFile && file.extension === "md");
  }

  getAllFolders(withRoot = false): TFolder[] {
    return [...this.all.values()].filter((one): one is TFolder => one instanceof TFolder && (withRoot || !one.isRoot()));
  }

   
  async createFolder(path: string): Promise<TFolder> {
    return this.folder(normalizePath(path));
  }

   
  async create(path: string, text: string): Promise<TFile> {
    if (this.all.has(path)) throw new Error("File already exists.");
    const file = new TFile(path);
    file.text = text;
    this.put(file);
    this.trigger("create", file);
    this.trigger("changed", file);
    return file;
  }

   
  async cachedRead(file: TFile): Promise<string> {
    return file.text;
  }

  read(file: TFile): Promise<string> {
    return this.cachedRead(file);
  }

   
  async modify(file: TFile, text: string): Promise<void> {
    file.text = text;
    this.trigger("modify", file);
    this.trigger("changed", file);
  }

  async process(file: TFile, change: (text: string) => string): Promise<string> {
    await this.modify(file, change(file.text));
    return file.text;
  }

  rename(file: TFile, path: string): void {
    const was = file.path;
    this.all.delete(was);
    file.path = path;
    this.put(file);
    this.trigger("rename", file, was);
  }

  delete(file: TFile): void {
    this.all.delete(file.path);
    if (file.parent) file.parent.children = file.parent.children.filter((one) => one !== file);
    this.trigger("delete", file);
  }

  private folder(path: string): TFolder {
    const known = this.all.get(path);
    if (known instanceof TFolder) return known;
    const folder = new TFolder(path);
    this.put(folder);
    return folder;
  }

  private put(file: TAbstractFile): void {
    if (file.parent) file.parent.children = file.parent.children.filter((one) => one !== file);
    const parent = this.folder(file.path.includes("/") ? file.path.slice(0, file.path.lastIndexOf("/")) : "/");
    file.parent = parent;
    parent.children.push(file);
    this.all.set(file.path, file);
  }
}

const FRONT_MATTER = /^---\n([^]*?\n)?---(?:\n|$)/;

export function getFrontMatterInfo(text: string): { exists: boolean; frontmatter: string; contentStart: number } {
  const [whole = "", frontmatter = ""] = FRONT_MATTER.exec(text) ?? [];
  return { exists: whole !== "", frontmatter, contentStart: whole.length };
}

type Fields = Record<string, unknown>;

interface Cache {
  frontmatter?: Fields;
  tags: { tag: string }[];
  headings: { heading: string; level: number; position: { start: { line: number; offset: number } } }[];
}

/** `key: value` lines and `[lists]`: as much YAML as the tests write. */
function parseFields(text: string): Fields {
  const pairs = text.split("\n").flatMap((line): [string, unknown][] => {
    const [, key, value = ""] = /^([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (key === undefined) return [];
    const list = /^\[(.*)\]$/.exec(value)?.[1];
    if (list !== undefined) return [[key, list.split(",").map((one) => one.trim()).filter(Boolean)]];
    return [[key, value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value]];
  });
  return Object.fromEntries(pairs);
}

export function getAllTags({ frontmatter, tags }: Cache): string[] {
  const fields = [frontmatter?.["tags"] ?? []].flat().map((tag) => `#${String(tag).replace(/^#/, "")}`);
  return [...fields, ...tags.map(({ tag }) => tag)];
}

export class MetadataCache extends Events {
  constructor(private readonly vault: Vault) {
    super();
    vault.on("changed", (file: TFile) => {
      this.trigger("changed", file, file.text, this.getFileCache(file));
    });
  }

  getFileCache(file: TFile): Cache {
    const { frontmatter, contentStart } = getFrontMatterInfo(file.text);
    const body = file.text.slice(contentStart);
    let offset = 0;
    const headings = file.text.split("\n").flatMap((text, line) => {
      const start = { line, offset };
      offset += text.length + 1;
      const [, signs, heading] = /^(#{1,6})\s+(.*)$/.exec(text) ?? [];
      return heading === undefined ? [] : [{ heading, level: signs?.length ?? 1, position: { start } }];
    });
    const tags = [...body.matchAll(/(?:^|\s)(#[\p{L}/_-]+)/gu)].map(([, tag = ""]) => ({ tag }));
    return { ...(contentStart > 0 && { frontmatter: parseFields(frontmatter) }), tags, headings };
  }

  getTags(): Record<string, number> {
    const all = this.vault.getMarkdownFiles().flatMap((file) => getAllTags(this.getFileCache(file)));
    return Object.fromEntries(all.map((tag) => [tag, all.filter((other) => other === tag).length]));
  }

  getFirstLinkpathDest(link: string, _from: string): TFile | null {
    const path = link.endsWith(".md") ? link : `${link}.md`;
    return (
      this.vault.getFileByPath(path) ??
      this.vault.getMarkdownFiles().find((file) => file.path.endsWith(`/${path}`) || file.name === path) ??
      null
    );
  }

  get resolvedLinks(): Record<string, Record<string, number>> {
    const links = (file: TFile): [string, number][] =>
      [...file.text.matchAll(/\[\[([^\]|#]+)/g)].flatMap(([, link = ""]) => {
        const target = this.getFirstLinkpathDest(link, file.path);
        return target === null ? [] : [[target.path, 1]];
      });
    return Object.fromEntries(this.vault.getMarkdownFiles().map((file) => [file.path, Object.fromEntries(links(file))]));
  }
}

export class FileManager {
  constructor(private readonly vault: Vault) {}

   
  async renameFile(file: TFile, path: string): Promise<void> {
    this.vault.rename(file, normalizePath(path));
  }

  async processFrontMatter(file: TFile, change: (fields: Fields) => void): Promise<void> {
    const { frontmatter, contentStart } = getFrontMatterInfo(file.text);
    const fields = parseFields(frontmatter);
    change(fields);
    const lines = Object.entries(fields).map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(", ")}]` : String(value)}`);
    await this.vault.modify(file, `---\n${lines.join("\n")}\n---\n${file.text.slice(contentStart)}`);
  }

  generateMarkdownLink(file: TFile, _from: string, subpath = "", alias = ""): string {
    return `[[${file.basename}${subpath}${alias === "" ? "" : `|${alias}`}]]`;
  }
}

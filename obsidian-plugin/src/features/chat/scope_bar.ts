import { type App, Component, FuzzySuggestModal } from "obsidian";
import { type Scope, type ScopeKind, wholeVault } from "../../chat/scope";
import type { Translate } from "../../i18n";
import type { Dialogs } from "../dialogs";
import { tagsOf } from "../tags";

const STEPS = new Map([["ArrowRight", 1], ["ArrowDown", 1], ["ArrowLeft", -1], ["ArrowUp", -1]]);
const KINDS: readonly ScopeKind[] = ["vault", "note", "folder", "tag", "none"];

/** Chips for what an answer may rest on. Note and folder are those of the note that is open. */
export class ScopeBar extends Component {
  private kind: ScopeKind = "vault";
  private tag = "";
  private readonly element: HTMLElement;

  constructor(
    private readonly app: App,
    parent: HTMLElement,
    private readonly dialogs: Dialogs,
    private readonly t: Translate,
  ) {
    super();
    this.element = parent.createDiv({ cls: "vaultbridge-scopes", attr: { role: "radiogroup", "aria-label": t("scope.label") } });
  }

  override onload(): void {
    this.registerEvent(
      this.app.workspace.on("file-open", () => {
        this.show();
      }),
    );
    this.registerDomEvent(this.element, "keydown", (event) => {
      const step = STEPS.get(event.key);
      if (step !== undefined) this.focusNext(step);
    });
    this.show();
  }

  /** What is chosen. Without a note that is open it is the whole vault. */
  get scope(): Scope {
    const name = this.nameOf(this.kind);
    return this.kind === "vault" || (this.kind !== "none" && name === "") ? wholeVault : { kind: this.kind, name };
  }

  private nameOf(kind: ScopeKind): string {
    const file = this.app.workspace.getActiveFile();
    if (kind === "note") return file?.path ?? "";
    if (kind === "folder") return file?.parent === null || file?.parent?.isRoot() === true ? "" : (file?.parent?.path ?? "");
    return kind === "tag" ? this.tag : "";
  }

  private show(): void {
    const focused = this.element.contains(this.element.ownerDocument.activeElement);
    this.element.empty();
    for (const kind of KINDS) this.addChip(kind);
    if (focused) this.element.querySelector<HTMLElement>("[aria-checked=true]")?.focus();
  }

  private focusNext(step: number): void {
    const chips = Array.from(this.element.querySelectorAll<HTMLButtonElement>("button:enabled"));
    const at = chips.findIndex((chip) => chip === chip.ownerDocument.activeElement);
    chips.at((at + step) % chips.length)?.focus();
  }

  private addChip(kind: ScopeKind): void {
    const name = this.nameOf(kind);
    const isChosen = this.scope.kind === kind;
    const chip = this.element.createEl("button", {
      text: name === "" || kind === "note" ? this.t(`scope.${kind}`) : name,
      cls: "vaultbridge-chip",
      attr: { role: "radio", "aria-checked": String(isChosen), type: "button" },
    });
    if (name !== "") chip.title = name;
    chip.disabled = (kind === "note" || kind === "folder") && name === "";
    chip.addEventListener("click", () => {
      if (kind === "tag") this.chooseTag();
      else this.choose(kind);
    });
  }

  private choose(kind: ScopeKind): void {
    this.kind = kind;
    this.show();
  }

  private chooseTag(): void {
    const choose = (tag: string): void => {
      this.tag = tag;
      this.choose("tag");
    };
    this.dialogs.open(new TagModal(this.app, this.t, choose));
  }
}

/** The tags of the vault. */
class TagModal extends FuzzySuggestModal<string> {
  constructor(
    app: App,
    t: Translate,
    private readonly choose: (tag: string) => void,
  ) {
    super(app);
    this.setPlaceholder(t("scope.tag-placeholder"));
  }

  override getItems(): string[] {
    const tags = this.app.vault.getMarkdownFiles().flatMap((file) => tagsOf(this.app, file));
    return [...new Set(tags)].sort((one, other) => one.localeCompare(other));
  }

  override getItemText(tag: string): string {
    return tag;
  }

  override onChooseItem(tag: string): void {
    this.choose(tag);
  }
}

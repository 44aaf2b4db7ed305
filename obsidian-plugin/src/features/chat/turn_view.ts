import { type App, Component, type HoverParent, setIcon } from "obsidian";
import type { Citation } from "../../bridge/wire";
import { isRunning, sources } from "../../chat/answer";
import { linked } from "../../chat/citations";
import type { Turn } from "../../chat/conversation";
import { targetOf } from "../../chat/links";
import type { TextKey, Translate } from "../../i18n";
import { type Place, openPlace, paneOf, passageText, placeOf, placeText, preview } from "../places";
import { Rendering } from "./rendering";

/** What a user can do with a turn. */
export interface TurnActions {
  edit(turn: Turn, question: string): void;
  regenerate(turn: Turn): void;
  choose(turn: Turn): void;
  copy(turn: Turn): void;
  insert(turn: Turn): void;
}

/** A question and its answer. */
export class TurnView extends Component {
  readonly element = createEl("article", { cls: "vaultbridge-turn" });
  private readonly head = this.element.createDiv({ cls: "vaultbridge-question" });
  private readonly thoughts = this.element.createEl("details", { cls: "vaultbridge-thoughts" });
  private readonly thought: HTMLElement;
  private readonly answer = this.element.createDiv({ cls: "vaultbridge-answer markdown-rendered" });
  private readonly foot = this.element.createDiv({ cls: "vaultbridge-foot" });
  private readonly rendering: Rendering;
  private siblings: readonly Turn[] = [];
  private editing = false;

  constructor(
    private readonly app: App,
    private readonly parent: HoverParent,
    private turn: Turn,
    private readonly actions: TurnActions,
    private readonly t: Translate,
  ) {
    super();
    this.thoughts.createEl("summary", { text: t("chat.thoughts") });
    this.thought = this.thoughts.createDiv();
    this.rendering = this.addChild(
      new Rendering(app, this.answer, (element) => {
        this.markSources(element);
      }),
    );
  }

  override onload(): void {
    this.registerDomEvent(this.element, "click", (event) => {
      const link = this.linkAt(event.target);
      if (link === null) return;
      event.preventDefault();
      void openPlace(this.app, this.placeAt(link), paneOf(event));
    });
    this.registerDomEvent(this.element, "mouseover", (event) => {
      const link = this.linkAt(event.target);
      if (link !== null) preview(this.app, this.parent, event, link, this.placeAt(link).link);
    });
  }

  /** Show the turn as it is now; `siblings` are the branches here, this one included. */
  async show(turn: Turn, siblings: readonly Turn[]): Promise<void> {
    this.turn = turn;
    this.siblings = siblings;
    const { answer } = turn;
    this.showQuestion();
    this.element.setAttr("aria-busy", String(isRunning(answer)));
    this.thoughts.toggle(answer.thoughts !== "");
    this.thought.setText(answer.thoughts);
    this.answer.toggleClass("vaultbridge-waiting", answer.progress === "waiting");
    await this.rendering.show(linked(answer.text, answer.citations, answer.unsupported));
    if (isRunning(answer)) this.foot.empty();
    else this.showFoot();
  }

  private showQuestion(): void {
    const { head, siblings, t, turn } = this;
    if (this.editing) return;
    head.empty();
    head.createEl("h3", { text: turn.question });
    const bar = head.createSpan({ cls: "vaultbridge-actions" });
    const at = siblings.findIndex(({ id }) => id === turn.id);
    if (siblings.length > 1) {
      this.addBranchButton(bar, "chevron-left", "chat.previous-branch", siblings[at - 1]);
      bar.createSpan({ text: `${String(at + 1)}/${String(siblings.length)}`, cls: "vaultbridge-branch" });
      this.addBranchButton(bar, "chevron-right", "chat.next-branch", siblings[at + 1]);
    }
    addIconButton(bar, "pencil", t("chat.edit"), () => {
      this.editQuestion();
    });
  }

  private addBranchButton(bar: HTMLElement, icon: string, label: TextKey, sibling: Turn | undefined): void {
    const button = addIconButton(bar, icon, this.t(label), () => {
      if (sibling !== undefined) this.actions.choose(sibling);
    });
    button.disabled = sibling === undefined;
  }

  private editQuestion(): void {
    const { actions, head, t, turn } = this;
    const end = (): void => {
      this.editing = false;
      this.showQuestion();
      head.querySelector("button")?.focus();
    };
    this.editing = true;
    head.empty();
    const input = head.createEl("textarea", { cls: "vaultbridge-input", attr: { "aria-label": t("chat.edit") } });
    input.value = turn.question;
    input.focus();
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || event.shiftKey) return;
      if (event.key === "Escape") end();
      if (event.key !== "Enter") return;
      event.preventDefault();
      const question = input.value.trim();
      if (question === "") return;
      end();
      actions.edit(turn, question);
    });
  }

  private showFoot(): void {
    const { actions, foot, t, turn } = this;
    const { answer } = turn;
    foot.empty();
    if (answer.problem !== "") foot.createEl("p", { text: answer.problem, cls: "vaultbridge-problem", attr: { role: "alert" } });
    const cited = sources(answer);
    if (answer.text !== "") {
      const [kind, words] = cited.length > 0 ? (["notes", "chat.from-notes"] as const) : (["alone", "chat.alone"] as const);
      foot.createSpan({ text: t(words), cls: `vaultbridge-badge vaultbridge-badge-${kind}` });
    }
    const bar = foot.createSpan({ cls: "vaultbridge-actions" });
    if (answer.text !== "") {
      addIconButton(bar, "copy", t("chat.copy"), () => {
        actions.copy(turn);
      });
      addIconButton(bar, "text-cursor-input", t("chat.insert"), () => {
        actions.insert(turn);
      });
    }
    addIconButton(bar, "refresh-cw", t("chat.regenerate"), () => {
      actions.regenerate(turn);
    });
    if (cited.length > 0) this.showSources(cited);
  }

  private showSources(cited: readonly Citation[]): void {
    const list = this.foot.createEl("ol", { cls: "vaultbridge-sources", attr: { "aria-label": this.t("chat.sources") } });
    for (const { heading, link, number, path, quote } of cited) {
      const item = list.createEl("li", { attr: { value: String(number) } });
      const target = targetOf(link);
      const attr = { "data-href": target, "data-source": String(number) };
      item.createEl("a", { text: placeText(path, heading), href: target, cls: "internal-link", attr });
      const passage = passageText(quote);
      if (passage !== "") item.createDiv({ text: passage, cls: "vaultbridge-quote" });
    }
  }

  /** Tell the marks of sources from other links. */
  private markSources(element: HTMLElement): void {
    for (const link of Array.from(element.querySelectorAll<HTMLElement>("a.internal-link"))) {
      const number = Number(link.textContent);
      const cited = this.turn.answer.citations.find((one) => one.number === number);
      if (cited === undefined || targetOf(cited.link) !== link.getAttribute("data-href")) continue;
      link.addClass("vaultbridge-mark");
      link.setAttr("data-source", String(number));
      link.setAttr("aria-label", this.t("chat.source", { number, note: placeText(cited.path, cited.heading) }));
    }
  }

  private linkAt(target: EventTarget | null): HTMLElement | null {
    return target instanceof Element ? target.closest<HTMLElement>("a.internal-link") : null;
  }

  private placeAt(link: HTMLElement): Place {
    const number = Number(link.getAttribute("data-source") ?? Number.NaN);
    const cited = this.turn.answer.citations.find((one) => one.number === number);
    if (cited !== undefined) return placeOf(cited.path, cited);
    return { path: "", link: link.getAttribute("data-href") ?? "", lines: null };
  }
}

export function addIconButton(parent: HTMLElement, icon: string, label: string, press: (event: MouseEvent) => void): HTMLButtonElement {
  const button = parent.createEl("button", { cls: "clickable-icon", attr: { "aria-label": label, type: "button" } });
  setIcon(button, icon);
  button.addEventListener("click", press);
  return button;
}

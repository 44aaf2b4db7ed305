import { Component } from "obsidian";
import type { Translate } from "../../i18n";

/** After this many milliseconds without a key what is typed is read by the server. */
const QUIET = 400;

export interface ComposerActions {
  send(question: string): void;
  stop(): void;
  typed(draft: string): void;
}

/** Where a question is typed: Enter sends, Shift+Enter begins a line, Escape stops the answer. */
export class Composer extends Component {
  private readonly input: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private timer: number | null = null;
  private running = false;

  constructor(
    parent: HTMLElement,
    private readonly actions: ComposerActions,
    private readonly t: Translate,
  ) {
    super();
    const element = parent.createDiv({ cls: "vaultbridge-composer" });
    this.input = element.createEl("textarea", { cls: "vaultbridge-input", placeholder: t("chat.placeholder"), attr: { "aria-label": t("chat.placeholder"), rows: "2" } });
    this.button = element.createEl("button", { cls: "mod-cta", attr: { type: "button" } });
    this.show(false);
  }

  override onload(): void {
    this.registerDomEvent(this.input, "keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape" && this.running) this.actions.stop();
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      this.send();
    });
    this.registerDomEvent(this.input, "input", () => {
      this.wait();
    });
    this.registerDomEvent(this.button, "click", () => {
      if (this.running) this.actions.stop();
      else this.send();
    });
  }

  override onunload(): void {
    this.cancel();
  }

  focus(): void {
    this.input.focus();
  }

  /** Whether an answer is running: then the button stops it. */
  show(running: boolean): void {
    this.running = running;
    this.button.setText(this.t(running ? "chat.stop" : "chat.send"));
  }

  private send(): void {
    const question = this.input.value.trim();
    if (question === "") return;
    this.cancel();
    this.input.value = "";
    this.actions.send(question);
  }

  private wait(): void {
    this.cancel();
    this.timer = window.setTimeout(() => {
      this.actions.typed(this.input.value);
    }, QUIET);
  }

  private cancel(): void {
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.timer = null;
  }
}

/** Dialogs, notices, menus and settings. */

import type { App } from "./app";

export function setIcon(element: HTMLElement, icon: string): void {
  element.setAttribute("data-icon", icon);
}

export function setTooltip(element: HTMLElement, text: string): void {
  element.setAttribute("aria-label", text);
}

export class Notice {
  readonly messageEl: HTMLElement;
  readonly containerEl: HTMLElement;

  constructor(message: string | DocumentFragment, readonly duration?: number) {
    const box = document.querySelector<HTMLElement>(".notice-container") ?? document.body.createDiv({ cls: "notice-container" });
    this.containerEl = box.createDiv({ cls: "notice", attr: { role: "status" } });
    this.messageEl = this.containerEl.createDiv({ cls: "notice-message" });
    this.messageEl.append(message);
  }

  hide(): void {
    this.containerEl.remove();
  }
}

export class Modal {
  readonly containerEl = createDiv({ cls: "modal-container" });
  readonly modalEl = this.containerEl.createDiv({ cls: "modal", attr: { role: "dialog", "aria-modal": "true" } });
  readonly titleEl = this.modalEl.createDiv({ cls: "modal-title" });
  readonly contentEl = this.modalEl.createDiv({ cls: "modal-content" });
  readonly scope = { register: (): unknown => ({}) };
  private readonly escape: (event: KeyboardEvent) => void;
  private before: HTMLElement | null = null;

  constructor(readonly app: App) {
    // The one that is in front takes the key, wherever the focus is.
    this.escape = (event) => {
      if (event.key === "Escape" && !this.containerEl.nextElementSibling?.matches(".modal-container")) this.close();
    };
  }

  setTitle(title: string): this {
    this.titleEl.setText(title);
    return this;
  }

  open(): void {
    if (document.activeElement instanceof HTMLElement) this.before = document.activeElement;
    document.body.append(this.containerEl);
    document.addEventListener("keydown", this.escape);
    void this.onOpen();
  }

  close(): void {
    document.removeEventListener("keydown", this.escape);
    this.containerEl.remove();
    this.onClose();
    this.before?.focus();
  }

  onOpen(): Promise<void> | void {
    // For subclasses.
  }

  onClose(): void {
    // For subclasses.
  }
}

export abstract class SuggestModal<T> extends Modal {
  readonly inputEl = this.modalEl.createEl("input", { cls: "prompt-input", attr: { type: "text" } });
  readonly resultContainerEl = this.modalEl.createDiv({ cls: "prompt-results", attr: { role: "listbox" } });
  emptyStateText = "";
  private asked = 0;

  constructor(app: App) {
    super(app);
    this.modalEl.addClass("prompt");
    this.inputEl.addEventListener("input", () => void this.suggest());
    this.inputEl.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.resultContainerEl.querySelector<HTMLElement>(".suggestion-item")?.click();
    });
  }

  abstract getSuggestions(query: string): T[] | Promise<T[]>;
  abstract renderSuggestion(value: T, element: HTMLElement): void;
  abstract onChooseSuggestion(value: T, event: MouseEvent | KeyboardEvent): void;

  setPlaceholder(text: string): void {
    this.inputEl.placeholder = text;
  }

  setInstructions(_instructions: unknown): void {
    // They are shown below the results.
  }

  override onOpen(): void {
    this.inputEl.focus();
    void this.suggest();
  }

  selectSuggestion(value: T, event: MouseEvent | KeyboardEvent): void {
    this.close();
    this.onChooseSuggestion(value, event);
  }

  private async suggest(): Promise<void> {
    const asked = (this.asked += 1);
    const values = await this.getSuggestions(this.inputEl.value);
    if (asked !== this.asked) return;
    this.resultContainerEl.empty();
    if (values.length === 0 && this.emptyStateText) this.resultContainerEl.createDiv({ cls: "suggestion-empty", text: this.emptyStateText });
    for (const value of values) {
      const item = this.resultContainerEl.createDiv({ cls: "suggestion-item", attr: { role: "option" } });
      this.renderSuggestion(value, item);
      item.addEventListener("click", (event) => {
        this.selectSuggestion(value, event);
      });
    }
  }
}

export abstract class FuzzySuggestModal<T> extends SuggestModal<T> {
  abstract getItems(): T[];
  abstract getItemText(item: T): string;
  abstract onChooseItem(item: T): void;

  getSuggestions(query: string): T[] {
    return this.getItems().filter((item) => this.getItemText(item).toLowerCase().includes(query.toLowerCase()));
  }

  renderSuggestion(value: T, element: HTMLElement): void {
    element.setText(this.getItemText(value));
  }

  onChooseSuggestion(value: T): void {
    this.onChooseItem(value);
  }
}

interface MenuItem {
  setTitle(title: string): this;
  setIcon(icon: string): this;
  setChecked(on: boolean): this;
  setDisabled(on: boolean): this;
  setSection(name: string): this;
  onClick(then: (event: MouseEvent) => void): this;
}

export class Menu {
  private readonly element = createDiv({ cls: "menu", attr: { role: "menu" } });

  addItem(build: (item: MenuItem) => void): this {
    const button = this.element.createEl("button", { cls: "menu-item", attr: { role: "menuitem" } });
    const item: MenuItem = {
      setTitle: (title) => (button.setText(title), item),
      setIcon: () => item,
      setChecked: (on) => (button.setAttribute("aria-checked", String(on)), item),
      setDisabled: (on) => ((button.disabled = on), item),
      setSection: () => item,
      onClick: (then) => {
        button.addEventListener("click", (event) => {
          this.hide();
          then(event);
        });
        return item;
      },
    };
    build(item);
    return this;
  }

  addSeparator(): this {
    this.element.createEl("hr");
    return this;
  }

  showAtMouseEvent(_event: MouseEvent): this {
    document.body.append(this.element);
    return this;
  }

  showAtPosition(_place: unknown): this {
    document.body.append(this.element);
    return this;
  }

  hide(): this {
    this.element.remove();
    return this;
  }
}

class ValueComponent<E extends HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement> {
  constructor(
    readonly inputEl: E,
    private readonly when: "input" | "change" = "input",
  ) {}

  getValue(): string {
    return this.inputEl.value;
  }

  setValue(value: string): this {
    this.inputEl.value = value;
    return this;
  }

  setPlaceholder(text: string): this {
    this.inputEl.setAttribute("placeholder", text);
    return this;
  }

  setDisabled(on: boolean): this {
    this.inputEl.disabled = on;
    return this;
  }

  onChange(then: (value: string) => unknown): this {
    this.inputEl.addEventListener(this.when, () => void then(this.inputEl.value));
    return this;
  }
}

class DropdownComponent extends ValueComponent<HTMLSelectElement> {
  get selectEl(): HTMLSelectElement {
    return this.inputEl;
  }

  addOption(value: string, text: string): this {
    this.inputEl.createEl("option", { text, attr: { value } });
    return this;
  }

  addOptions(options: Record<string, string>): this {
    for (const [value, text] of Object.entries(options)) this.addOption(value, text);
    return this;
  }
}

class ToggleComponent {
  readonly toggleEl: HTMLInputElement;

  constructor(parent: HTMLElement, label: string) {
    this.toggleEl = parent.createEl("input", { attr: { type: "checkbox", "aria-label": label } });
  }

  getValue(): boolean {
    return this.toggleEl.checked;
  }

  setValue(on: boolean): this {
    this.toggleEl.checked = on;
    return this;
  }

  setDisabled(on: boolean): this {
    this.toggleEl.disabled = on;
    return this;
  }

  onChange(then: (on: boolean) => unknown): this {
    this.toggleEl.addEventListener("change", () => void then(this.toggleEl.checked));
    return this;
  }
}

class ButtonComponent {
  readonly buttonEl: HTMLButtonElement;

  constructor(parent: HTMLElement) {
    this.buttonEl = parent.createEl("button");
  }

  setButtonText(text: string): this {
    this.buttonEl.setText(text);
    return this;
  }

  setIcon(icon: string): this {
    setIcon(this.buttonEl, icon);
    return this;
  }

  setTooltip(text: string): this {
    setTooltip(this.buttonEl, text);
    return this;
  }

  setCta(): this {
    this.buttonEl.addClass("mod-cta");
    return this;
  }

  setWarning(): this {
    return this;
  }

  setDisabled(on: boolean): this {
    this.buttonEl.disabled = on;
    return this;
  }

  onClick(then: (event: MouseEvent) => unknown): this {
    this.buttonEl.addEventListener("click", (event) => void then(event));
    return this;
  }
}

export class Setting {
  readonly settingEl: HTMLElement;
  readonly infoEl: HTMLElement;
  readonly nameEl: HTMLElement;
  readonly descEl: HTMLElement;
  readonly controlEl: HTMLElement;

  constructor(parent: HTMLElement) {
    this.settingEl = parent.createDiv({ cls: "setting-item" });
    this.infoEl = this.settingEl.createDiv({ cls: "setting-item-info" });
    this.nameEl = this.infoEl.createDiv({ cls: "setting-item-name" });
    this.descEl = this.infoEl.createDiv({ cls: "setting-item-description" });
    this.controlEl = this.settingEl.createDiv({ cls: "setting-item-control" });
  }

  setName(name: string): this {
    this.nameEl.setText(name);
    return this;
  }

  setDesc(text: string | DocumentFragment): this {
    this.descEl.replaceChildren(text);
    return this;
  }

  setHeading(): this {
    this.settingEl.addClass("setting-item-heading");
    return this;
  }

  setClass(name: string): this {
    this.settingEl.addClass(name);
    return this;
  }

  addText(build: (text: ValueComponent<HTMLInputElement>) => unknown): this {
    const input = this.controlEl.createEl("input", { attr: { type: "text", "aria-label": this.label } });
    build(new ValueComponent(input));
    return this;
  }

  addTextArea(build: (text: ValueComponent<HTMLTextAreaElement>) => unknown): this {
    build(new ValueComponent(this.controlEl.createEl("textarea", { attr: { "aria-label": this.label } })));
    return this;
  }

  addDropdown(build: (dropdown: DropdownComponent) => unknown): this {
    build(new DropdownComponent(this.controlEl.createEl("select", { attr: { "aria-label": this.label } }), "change"));
    return this;
  }

  addToggle(build: (toggle: ToggleComponent) => unknown): this {
    build(new ToggleComponent(this.controlEl, this.label));
    return this;
  }

  addButton(build: (button: ButtonComponent) => unknown): this {
    build(new ButtonComponent(this.controlEl));
    return this;
  }

  addExtraButton(build: (button: ButtonComponent) => unknown): this {
    return this.addButton(build);
  }

  private get label(): string {
    return this.nameEl.textContent;
  }
}

export class PluginSettingTab {
  readonly containerEl = createDiv({ cls: "vertical-tab-content" });

  constructor(
    readonly app: App,
    readonly plugin: unknown,
  ) {}

  display(): void {
    // For subclasses.
  }

  hide(): void {
    this.containerEl.empty();
  }
}

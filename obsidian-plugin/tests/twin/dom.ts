/** What Obsidian adds to the DOM, as far as the plugin uses it. Imported for its effect. */

type Options = DomElementInfo | string | undefined;

function filled<E extends HTMLElement>(element: E, options: Options): E {
  const info: DomElementInfo = typeof options === "string" ? { cls: options } : (options ?? {});
  if (info.cls) element.className = [info.cls].flat().join(" ");
  if (info.text !== undefined) element.replaceChildren(info.text);
  for (const [key, value] of Object.entries(info.attr ?? {})) {
    if (value !== null && value !== false) element.setAttribute(key, String(value));
  }
  if (info.title) element.title = info.title;
  for (const key of ["value", "type", "placeholder", "href"] as const) {
    const value = info[key];
    if (value !== undefined) element.setAttribute(key, value);
  }
  if (info.parent) info.prepend ? info.parent.insertBefore(element, info.parent.firstChild) : info.parent.appendChild(element);
  return element;
}

function make(tag: string, options: Options, then?: (element: HTMLElement) => void): HTMLElement {
  const element = filled(document.createElement(tag), options);
  then?.(element);
  return element;
}

const globals = {
  activeDocument: document,
  activeWindow: window,
  createEl: make,
  createDiv: (options?: Options, then?: (element: HTMLElement) => void) => make("div", options, then),
  createSpan: (options?: Options, then?: (element: HTMLElement) => void) => make("span", options, then),
  createFragment: (then?: (fragment: DocumentFragment) => void) => {
    const fragment = document.createDocumentFragment();
    then?.(fragment);
    return fragment;
  },
};
for (const [name, value] of Object.entries(globals)) Object.defineProperty(window, name, { value, configurable: true });

const onNodes: Record<string, (this: Node, ...args: never[]) => unknown> = {
  empty() {
    while (this.firstChild) this.removeChild(this.firstChild);
  },
  detach() {
    this.parentNode?.removeChild(this);
  },
  createEl(tag: string, options?: Options, then?: (element: HTMLElement) => void) {
    const element = make(tag, options);
    this.appendChild(element);
    then?.(element);
    return element;
  },
  createDiv(options?: Options, then?: (element: HTMLElement) => void) {
    return this.createEl("div", options, then);
  },
  createSpan(options?: Options, then?: (element: HTMLElement) => void) {
    return this.createEl("span", options, then);
  },
  appendText(text: string) {
    this.appendChild(document.createTextNode(text));
  },
  instanceOf(type: new () => unknown) {
    return this instanceof type;
  },
};
const onElements: Record<string, (this: HTMLElement, ...args: never[]) => unknown> = {
  setText(text: string) {
    this.replaceChildren(text);
  },
  addClass(...names: string[]) {
    this.classList.add(...names);
  },
  removeClass(...names: string[]) {
    this.classList.remove(...names);
  },
  toggleClass(name: string, on: boolean) {
    this.classList.toggle(name, on);
  },
  hasClass(name: string) {
    return this.classList.contains(name);
  },
  setAttr(name: string, value: string | boolean | null) {
    if (value === null || value === false) this.removeAttribute(name);
    else this.setAttribute(name, String(value));
  },
  show() {
    this.classList.remove("twin-hidden");
  },
  hide() {
    this.classList.add("twin-hidden");
  },
  toggle(on: boolean) {
    this.classList.toggle("twin-hidden", !on);
  },
};
function extend(prototype: object, methods: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  }
}
extend(Node.prototype, onNodes);
extend(Element.prototype, onElements);
extend(Event.prototype, {
  instanceOf(this: Event, type: new () => unknown) {
    return this instanceof type;
  },
});

// jsdom lays nothing out; CodeMirror asks where lines are all the same.
Range.prototype.getClientRects ??= () => document.createElement("div").getClientRects();

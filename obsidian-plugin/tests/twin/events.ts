/** Events and components, as Obsidian has them. */

export interface EventRef {
  readonly name: string;
  readonly callback: (...data: never[]) => unknown;
  readonly events: Events;
}

export class Events {
  private readonly refs = new Set<EventRef>();

  on(name: string, callback: (...data: never[]) => unknown): EventRef {
    const ref = { name, callback, events: this };
    this.refs.add(ref);
    return ref;
  }

  offref(ref: EventRef): void {
    this.refs.delete(ref);
  }

  trigger(name: string, ...data: unknown[]): void {
    for (const ref of [...this.refs]) if (ref.name === name) (ref.callback as (...data: unknown[]) => unknown)(...data);
  }

  /** How many listeners there are: what a plugin must not leave behind. */
  get listeners(): number {
    return this.refs.size;
  }
}

export class Component {
  private readonly cleanups: (() => void)[] = [];
  private readonly children = new Set<Component>();
  loaded = false;

  load(): void {
    if (this.loaded) return;
    this.loaded = true;
    void this.onload();
    for (const child of this.children) child.load();
  }

  onload(): void | Promise<void> {
    // For subclasses.
  }

  unload(): void {
    if (!this.loaded) return;
    this.loaded = false;
    // As Obsidian does it: children first, then what was registered, then the component itself.
    for (const child of [...this.children].reverse()) child.unload();
    this.children.clear();
    for (const cleanup of this.cleanups.splice(0).reverse()) cleanup();
    this.onunload();
  }

  onunload(): void {
    // For subclasses.
  }

  addChild<T extends Component>(child: T): T {
    this.children.add(child);
    if (this.loaded) child.load();
    return child;
  }

  removeChild<T extends Component>(child: T): T {
    this.children.delete(child);
    child.unload();
    return child;
  }

  register(cleanup: () => void): void {
    this.cleanups.push(cleanup);
  }

  registerEvent(ref: EventRef): void {
    this.register(() => {
      ref.events.offref(ref);
    });
  }

  registerDomEvent(target: EventTarget, type: string, listener: EventListener, options?: AddEventListenerOptions): void {
    target.addEventListener(type, listener, options);
    this.register(() => {
      target.removeEventListener(type, listener, options);
    });
  }

  registerInterval(id: number): number {
    this.register(() => {
      window.clearInterval(id);
    });
    return id;
  }
}

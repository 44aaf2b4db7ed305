import { type App, Component, MarkdownRenderer } from "obsidian";
import { blocks } from "../../chat/blocks";

interface Block {
  text: string;
  readonly element: HTMLElement;
  component: Component | null;
}

/** Markdown that grows, rendered by Obsidian block by block: what stays the same is not touched. */
export class Rendering extends Component {
  private shown: Block[] = [];

  /** `rendered` is told of each element that was filled. */
  constructor(
    private readonly app: App,
    private readonly element: HTMLElement,
    private readonly rendered: (element: HTMLElement) => void,
  ) {
    super();
  }

  async show(markdown: string): Promise<void> {
    const wanted = blocks(markdown);
    for (const block of this.shown.splice(wanted.length)) this.remove(block);
    await Promise.all(wanted.map((text, index) => this.showBlock(text, index)));
  }

  private async showBlock(text: string, index: number): Promise<void> {
    const block = (this.shown[index] ??= { text: "", element: this.element.createDiv(), component: null });
    if (block.text === text) return;
    block.text = text;
    const component = this.addChild(new Component());
    const fresh = createDiv();
    await MarkdownRenderer.render(this.app, text, fresh, "", component);
    // Newer text was rendered meanwhile.
    if (block.text !== text) {
      this.removeChild(component);
      return;
    }
    if (block.component !== null) this.removeChild(block.component);
    block.component = component;
    block.element.replaceChildren(...Array.from(fresh.childNodes));
    this.rendered(block.element);
  }

  private remove({ element, component }: Block): void {
    if (component !== null) this.removeChild(component);
    element.remove();
  }
}

import type { EditorView } from "@codemirror/view";
import type { ChatRequest, Client } from "../bridge/client";
import { isStop } from "../bridge/errors";
import { acceptDraft, beginDraft, draftOf, settleDraft, writeDraft } from "../editor/draft";
import { jointed } from "../writing/joint";
import { ListWriter } from "../writing/lists";

/** Where an answer is written: at a position, after some text of ours that comes only if an answer does. */
export interface Place {
  readonly at: number;
  readonly before: string;
}

export type Outcome = "written" | "nothing" | "stopped";

/** Pieces that come within this many milliseconds get into the editor together: it has to lay out the text each time. */
const TOGETHER = 40;

/** Writes answers into editors as they come, one at a time in each. */
export class Writer {
  private readonly running = new Map<EditorView, { abort: AbortController; pieces: Pieces }>();

  /** `marks` says whether text is marked until it is accepted. */
  constructor(
    private readonly client: Client,
    private readonly marks: () => boolean,
  ) {}

  isWriting(view: EditorView): boolean {
    return this.running.has(view);
  }

  /** Write the answer to a request. Throws what the client throws; what was written until then stays. */
  async write(view: EditorView, request: ChatRequest, { at, before }: Place): Promise<Outcome> {
    this.stop(view);
    const running = new AbortController();
    const line = before === "" ? view.state.doc.lineAt(at) : null;
    const lead = line?.text.slice(0, at - line.from) ?? "";
    const list = new ListWriter(lead);
    const pieces = new Pieces((text) => {
      writeDraft(view, text);
    });
    let first = true;
    this.running.set(view, { abort: running, pieces });
    beginDraft(view, at);
    try {
      for await (const chunk of this.client.chat(request, running.signal)) {
        const text = (chunk.choices[0]?.delta.content ?? "").replaceAll("\r", "");
        // Another draft may have begun, or the editor may have another note by now.
        if (draftOf(view.state)?.writing !== true) this.stop(view);
        if (running.signal.aborted) return "stopped";
        if (first && text.trim() === "") continue;
        pieces.add(list.write(first ? before + jointed(lead, text) : text));
        first = false;
      }
      pieces.add(list.end());
      return first ? "nothing" : "written";
    } catch (error) {
      if (isStop(error)) return "stopped";
      throw error;
    } finally {
      if (this.running.get(view)?.abort === running) this.end(view);
    }
  }

  /** End what is being written; whether anything was. What is there stays. */
  stop(view: EditorView): boolean {
    const running = this.running.get(view);
    if (running === undefined) return false;
    running.abort.abort();
    this.end(view);
    return true;
  }

  stopAll(): void {
    for (const view of [...this.running.keys()]) this.stop(view);
  }

  private end(view: EditorView): void {
    this.running.get(view)?.pieces.flush();
    this.running.delete(view);
    if (this.marks()) settleDraft(view);
    else acceptDraft(view);
  }
}

/** Pieces of text, handed on together. */
class Pieces {
  private text = "";
  private timer: number | null = null;

  constructor(private readonly take: (text: string) => void) {}

  add(text: string): void {
    this.text += text;
    this.timer ??= window.setTimeout(() => {
      this.flush();
    }, TOGETHER);
  }

  flush(): void {
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.timer = null;
    const { text } = this;
    this.text = "";
    this.take(text);
  }
}

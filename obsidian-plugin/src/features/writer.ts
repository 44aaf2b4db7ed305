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

/** Writes answers into editors as they come, one at a time in each. */
export class Writer {
  private readonly running = new Map<EditorView, AbortController>();

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
    this.running.set(view, running);
    const line = before === "" ? view.state.doc.lineAt(at) : null;
    const lead = line?.text.slice(0, at - line.from) ?? "";
    const list = new ListWriter(lead);
    let first = true;
    beginDraft(view, at);
    try {
      for await (const chunk of this.client.chat(request, running.signal)) {
        const text = (chunk.choices[0]?.delta.content ?? "").replaceAll("\r", "");
        // The user, or an undo, may have taken all of it away.
        if (draftOf(view.state)?.writing !== true) this.stop(view);
        if (running.signal.aborted) return "stopped";
        if (first && text.trim() === "") continue;
        writeDraft(view, list.write(first ? before + jointed(lead, text) : text));
        first = false;
      }
      writeDraft(view, list.end());
      return first ? "nothing" : "written";
    } catch (error) {
      if (isStop(error)) return "stopped";
      throw error;
    } finally {
      this.end(view, running);
    }
  }

  /** End what is being written; whether anything was. What is there stays. */
  stop(view: EditorView): boolean {
    const running = this.running.get(view);
    if (running === undefined) return false;
    running.abort();
    this.end(view, running);
    return true;
  }

  stopAll(): void {
    for (const view of [...this.running.keys()]) this.stop(view);
  }

  private end(view: EditorView, running: AbortController): void {
    if (this.running.get(view) !== running) return;
    this.running.delete(view);
    if (this.marks()) settleDraft(view);
    else acceptDraft(view);
  }
}

/** A conversation with the server: asks, takes in the answers, and tells who listens. */

import type { ChatRequest, Client } from "../bridge/client";
import { isStop } from "../bridge/errors";
import { type Answer, ended, failed, grown } from "./answer";
import { Conversation } from "./conversation";

/** What changed: the text of one turn's answer, or which turns there are. */
export type Change = { readonly kind: "answer"; readonly id: string } | { readonly kind: "turns" };

export interface SessionOptions {
  /** What is asked with each question beside the messages. */
  readonly asking: () => Omit<ChatRequest, "messages">;
  /** An error in words for the user. */
  readonly words: (error: unknown) => string;
  readonly newId: () => string;
}

export class Session {
  private current = Conversation.empty;
  private running: { readonly id: string; readonly stop: AbortController } | null = null;
  private warming: AbortController | null = null;
  private readonly listeners = new Set<(change: Change) => void>();

  constructor(
    private readonly client: Client,
    private readonly options: SessionOptions,
  ) {}

  get conversation(): Conversation {
    return this.current;
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  /** `listener` is told of each change until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Go on with another conversation. */
  open(conversation: Conversation): void {
    this.stop();
    this.current = conversation;
    this.tell({ kind: "turns" });
  }

  ask(question: string): Promise<void> {
    return this.answer((id) => this.current.ask(id, question));
  }

  /** The same question again, on a branch of its own. */
  regenerate(id: string): Promise<void> {
    return this.answer((made) => this.current.branch(made, id));
  }

  /** A question in other words, on a branch of its own. */
  edit(id: string, question: string): Promise<void> {
    return this.answer((made) => this.current.branch(made, id, question));
  }

  choose(id: string): void {
    this.stop();
    this.current = this.current.choose(id);
    this.tell({ kind: "turns" });
  }

  /** End the answer that is running; what it said so far stays. */
  stop(): void {
    this.warming?.abort();
    this.running?.stop.abort();
    if (this.running !== null) this.finish(this.running.id, (answer) => ended(answer, "stopped"));
  }

  /** Have the server read what will be asked, as far as it is typed. Whether it does is its own affair. */
  async warm(draft: string): Promise<void> {
    this.warming?.abort();
    if (this.isRunning || draft.trim() === "") return;
    const warming = (this.warming = new AbortController());
    const asked = this.current.ask("draft", draft).messagesFor("draft");
    await this.client.warm({ ...this.options.asking(), messages: asked }, warming.signal).catch(() => undefined);
  }

  private async answer(add: (id: string) => Conversation): Promise<void> {
    this.stop();
    const id = this.options.newId();
    const stop = new AbortController();
    this.running = { id, stop };
    this.current = add(id);
    this.tell({ kind: "turns" });
    try {
      const request = { ...this.options.asking(), messages: this.current.messagesFor(id) };
      for await (const chunk of this.client.chat(request, stop.signal)) {
        if (stop.signal.aborted) return;
        this.current = this.current.answered(id, (answer) => grown(answer, chunk));
        this.tell({ kind: "answer", id });
      }
      this.finish(id, (answer) => ended(answer, "done"));
    } catch (error) {
      if (!isStop(error)) this.finish(id, (answer) => failed(answer, this.options.words(error)));
    }
  }

  private finish(id: string, change: (answer: Answer) => Answer): void {
    if (this.running?.id !== id) return;
    this.running = null;
    this.current = this.current.answered(id, change);
    this.tell({ kind: "answer", id });
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change);
  }
}

/** A conversation as a tree: a question that is edited, or an answer that is made again, is a branch beside the old one. */

import type { Message } from "../bridge/client";
import { type Answer, waiting } from "./answer";

export interface Turn {
  readonly id: string;
  /** The turn before; null for a first one. */
  readonly parent: string | null;
  readonly question: string;
  readonly answer: Answer;
}

export class Conversation {
  private constructor(
    private readonly turns: ReadonlyMap<string, Turn>,
    private readonly leaf: string | null,
  ) {}

  static readonly empty = new Conversation(new Map(), null);

  /** All turns, each behind its parent, and the one that is read last. */
  static of(turns: readonly Turn[], leaf: string | null): Conversation {
    return new Conversation(new Map(turns.map((turn) => [turn.id, turn])), leaf);
  }

  get all(): Turn[] {
    return [...this.turns.values()];
  }

  get last(): Turn | null {
    return this.leaf === null ? null : (this.turns.get(this.leaf) ?? null);
  }

  /** The turns of the chosen branch, first to last. */
  get path(): Turn[] {
    const path: Turn[] = [];
    for (let turn = this.last; turn !== null; turn = this.parentOf(turn)) path.unshift(turn);
    return path;
  }

  /** What the model is sent to answer a turn: all that was said before it, and its question. */
  messagesFor(id: string): Message[] {
    const path: Turn[] = [];
    for (let turn = this.turns.get(id) ?? null; turn !== null; turn = this.parentOf(turn)) path.unshift(turn);
    const said = path.slice(0, -1).flatMap(({ question, answer }): Message[] => [
      { role: "user", content: question },
      ...(answer.text ? [{ role: "assistant" as const, content: answer.text }] : []),
    ]);
    return [...said, { role: "user", content: path.at(-1)?.question ?? "" }];
  }

  /** The same conversation with a question behind its last turn. */
  ask(id: string, question: string): Conversation {
    return this.with({ id, parent: this.leaf, question, answer: waiting }, id);
  }

  /** A branch beside a turn: its question in other words, or the same to be answered again. */
  branch(id: string, beside: string, question?: string): Conversation {
    const turn = this.turns.get(beside);
    if (turn === undefined) return this;
    return this.with({ id, parent: turn.parent, question: question ?? turn.question, answer: waiting }, id);
  }

  answered(id: string, change: (answer: Answer) => Answer): Conversation {
    const turn = this.turns.get(id);
    return turn === undefined ? this : this.with({ ...turn, answer: change(turn.answer) }, this.leaf);
  }

  /** The turns that stand in the same place, this one included. */
  siblings({ parent }: Turn): Turn[] {
    return this.all.filter((turn) => turn.parent === parent);
  }

  /** The branch that goes through a turn, down to its newest end. */
  choose(id: string): Conversation {
    let leaf = id;
    for (let next: Turn | undefined; (next = this.all.findLast(({ parent }) => parent === leaf)); ) leaf = next.id;
    return new Conversation(this.turns, leaf);
  }

  private parentOf({ parent }: Turn): Turn | null {
    return parent === null ? null : (this.turns.get(parent) ?? null);
  }

  private with(turn: Turn, leaf: string | null): Conversation {
    return new Conversation(new Map([...this.turns, [turn.id, turn]]), leaf);
  }
}

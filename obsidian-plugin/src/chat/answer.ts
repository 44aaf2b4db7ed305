/** An answer as it grows, chunk by chunk. Values, never changed in place. */

import type { Chunk, Citation, Unsupported } from "../bridge/wire";

export type Progress = "waiting" | "streaming" | "done" | "stopped" | "failed";

export interface Answer {
  readonly progress: Progress;
  readonly text: string;
  /** What the model thought before it spoke; it never gets into a note. */
  readonly thoughts: string;
  /** Null until the server says so: whether notes were given to the model. */
  readonly grounded: boolean | null;
  readonly citations: readonly Citation[];
  /** The numbers of the citations that it rests on. */
  readonly used: readonly number[];
  readonly unsupported: readonly Unsupported[];
  /** What kept it from being finished, in words for the user. */
  readonly problem: string;
}

export const waiting: Answer = {
  progress: "waiting",
  text: "",
  thoughts: "",
  grounded: null,
  citations: [],
  used: [],
  unsupported: [],
  problem: "",
};

/** The answer with one more chunk. */
export function grown(answer: Answer, chunk: Chunk): Answer {
  const delta = chunk.choices[0]?.delta;
  const grounds = chunk.vaultbridge;
  return {
    ...answer,
    progress: "streaming",
    text: answer.text + (delta?.content ?? ""),
    thoughts: answer.thoughts + (delta?.reasoning_content ?? ""),
    grounded: grounds?.grounded ?? answer.grounded,
    citations: grounds?.citations ?? answer.citations,
    used: grounds?.used ?? answer.used,
    unsupported: grounds?.unsupported ?? answer.unsupported,
  };
}

export function ended(answer: Answer, progress: "done" | "stopped"): Answer {
  return { ...answer, progress };
}

export function failed(answer: Answer, problem: string): Answer {
  return { ...answer, progress: "failed", problem };
}

export function isRunning({ progress }: Answer): boolean {
  return progress === "waiting" || progress === "streaming";
}

/** The citations that the answer rests on: what the server names at the end, until then what is marked. */
export function sources({ text, citations, used }: Answer): Citation[] {
  return citations.filter(({ number }) => (used.length > 0 ? used.includes(number) : text.includes(`[${String(number)}]`)));
}

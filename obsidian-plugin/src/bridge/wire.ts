/** What the server says, as far as the plugin reads it. The server's own snapshots keep these checks true. */

import { boolean, list, number, object, optional, record, string, word, type Checked } from "./checks";

const span = object({ start: number, end: number, start_line: number, end_line: number });
const freshness = object({ wanted: number, visible: number, pending: number });

const exclusion = object({ reason: string, notes: number });
/** How many notes one rule leaves out. */
export type Exclusion = Checked<typeof exclusion>;

export const citation = object({ number, path: string, heading: string, span, quote: string, link: string });
export type Citation = Checked<typeof citation>;

const unsupported = object({ choice: number, start: number, end: number, support: number });
/** Code points `start` to `end` of the answer are a sentence that no note holds. */
export type Unsupported = Checked<typeof unsupported>;

/** What an answer rests on: in a stream the first chunk and the last have a part of it each. */
const grounds = object({
  grounded: optional(boolean, null),
  citations: optional(list(citation), null),
  omitted: optional(list(string), null),
  used: optional(list(number), null),
  unsupported: optional(list(unsupported), null),
});

const problem = object({ message: string, code: optional(string, "") });
export const problemBody = object({ error: problem });

export const chunk = object({
  model: string,
  choices: list(
    object({
      delta: object({ content: optional(string, ""), reasoning_content: optional(string, "") }),
      finish_reason: optional(string, null),
    }),
  ),
  vaultbridge: optional(grounds, null),
  error: optional(problem, null),
});
export type Chunk = Checked<typeof chunk>;

const hit = object({
  note: string,
  heading: list(string),
  link: string,
  span,
  text: string,
  score: number,
  lanes: record(number),
  reasons: list(object({ kind: string, detail: string })),
});
export type Hit = Checked<typeof hit>;

export const found = object({ hits: list(hit), freshness });
export type Found = Checked<typeof found>;

export const status = object({
  vault: object({ id: string, name: string }),
  counts: object({ notes: number, unreadable: number, chunks: number, vectors: number }),
  freshness,
  progress: object({
    notes_done: number,
    notes_total: number,
    seconds_left: optional(number, null),
    paused: optional(string, ""),
  }),
  exclusions: optional(list(exclusion), []),
  problems: record(string),
  models: object({ generator: string, embedder: string, reranker: string }),
  /** How each model's process does, by its role. */
  states: optional(record(string), {}),
});
export type Status = Checked<typeof status>;

export const statusEvent = object({ status });

export const noteStatus = object({
  note: string,
  indexed: boolean,
  state: optional(string, ""),
  reason: string,
  chunks: number,
  indexed_at: optional(number, null),
});
export type NoteStatus = Checked<typeof noteStatus>;

export const health = object({ status: word("ok", "starting"), name: string, version: string });
export type Health = Checked<typeof health>;

const served = object({ model: string, chosen: string, choices: list(string) });
export const roles = object({ chat: served, completion: served, embed: served, rerank: served });
/** For each purpose the model that serves it, the one that was chosen for it, and those that could be. */
export type Roles = Checked<typeof roles>;
export type Role = keyof Roles;

export const warmed = object({ warmed: boolean });

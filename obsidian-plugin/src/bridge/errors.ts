/** What can go wrong between the plugin and the server, by what the user can do about it. */

export type Trouble =
  /** Nothing answers at the address. */
  | "offline"
  /** The token is missing or wrong. */
  | "token"
  /** The server answers, but not to us: its settings do not allow Obsidian's origin or the host's name. */
  | "forbidden"
  /** The server has another vault. */
  | "other-vault"
  /** The queue is full; it is worth a try in a moment. */
  | "busy"
  /** A model or the index is still loading. */
  | "loading"
  /** No model is installed for this. */
  | "no-model"
  /** The text is longer than the model reads. */
  | "too-long"
  /** The request is not right, or the server is older than the plugin. */
  | "refused"
  /** The server failed. */
  | "failed"
  /** What answers is no vaultbridge, or one of another version. */
  | "strange";

export class BridgeError extends Error {
  /** `detail` is the server's own sentence, if it said one. */
  constructor(readonly trouble: Trouble, readonly detail = "") {
    super(detail || trouble);
    this.name = "BridgeError";
  }
}

const BY_CODE: Readonly<Record<string, Trouble>> = {
  invalid_api_key: "token",
  forbidden: "forbidden",
  wrong_vault: "other-vault",
  overloaded: "busy",
  not_ready: "loading",
  deadline_exceeded: "busy",
  model_missing: "no-model",
  context_length_exceeded: "too-long",
};

/** The trouble behind a status and the server's stable code. */
export function troubleOf(status: number, code: string): Trouble {
  return BY_CODE[code] ?? (status === 429 ? "busy" : status >= 500 ? "failed" : "refused");
}

/** Whether an error only says that the reader stopped it. */
export function isStop(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

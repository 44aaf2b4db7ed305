/** How the server does, watched as long as somebody wants to know. */

import type { Client } from "./client";
import { BridgeError, type Trouble } from "./errors";
import type { Health, Status } from "./wire";

export type ServerState =
  | { readonly kind: "unknown" }
  /** `trouble` says what stands between us and the server. */
  | { readonly kind: "away"; readonly trouble: Trouble; readonly detail: string }
  /** A server with a vault that is not known to be ours. */
  | { readonly kind: "stranger"; readonly status: Status }
  /** Its index is being opened. */
  | { readonly kind: "starting" }
  | { readonly kind: "indexing"; readonly percent: number; readonly status: Status; readonly health: Health }
  | { readonly kind: "loading"; readonly status: Status; readonly health: Health }
  | { readonly kind: "ready"; readonly status: Status; readonly health: Health };

/** Calls `then` after some milliseconds, unless the returned function is called before. */
export type Later = (milliseconds: number, then: () => void) => () => void;

const READY_EVERY = 15_000;
const BUSY_EVERY = 1_500;
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 15_000;
const LONGEST_CHECK = 10_000;

export class Connection {
  private current: ServerState = { kind: "unknown" };
  private readonly listeners = new Set<(state: ServerState) => void>();
  private cancelNext: () => void = () => undefined;
  private failures = 0;
  private running: AbortController | null = null;

  /** `isOurs` says whether a vault's id is that of this vault. */
  constructor(
    private readonly client: Client,
    private readonly isOurs: (vaultId: string) => boolean,
    private readonly later: Later,
  ) {}

  get state(): ServerState {
    return this.current;
  }

  /** `listener` is told of each new state until the returned function is called. */
  subscribe(listener: (state: ServerState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Look now, and again and again: soon while something is going on, seldom while all is well. */
  async check(): Promise<void> {
    this.stop();
    const running = (this.running = new AbortController());
    const cancelTimeout = this.later(LONGEST_CHECK, () => {
      running.abort(new BridgeError("offline"));
    });
    const state = await this.look(running.signal);
    cancelTimeout();
    // A newer check, or the end, has taken over.
    if (this.running !== running) return;
    this.running = null;
    this.failures = state.kind === "away" ? this.failures + 1 : 0;
    this.current = state;
    this.cancelNext = this.later(this.delay(), () => void this.check());
    for (const listener of this.listeners) listener(state);
  }

  /** Look no more. */
  stop(): void {
    this.cancelNext();
    this.running?.abort();
    this.running = null;
  }

  private async look(signal: AbortSignal): Promise<ServerState> {
    try {
      const health = await this.client.health(signal);
      if (health.status === "starting") return { kind: "starting" };
      return stateOf(health, await this.client.status(signal), this.isOurs);
    } catch (error) {
      if (error instanceof BridgeError) return { kind: "away", trouble: error.trouble, detail: error.detail };
      return { kind: "away", trouble: "offline", detail: "" };
    }
  }

  private delay(): number {
    if (this.current.kind === "ready" || this.current.kind === "stranger") return READY_EVERY;
    if (this.current.kind !== "away") return BUSY_EVERY;
    return Math.min(FIRST_RETRY * 2 ** (this.failures - 1), LONGEST_RETRY);
  }
}

function stateOf(health: Health, status: Status, isOurs: (vaultId: string) => boolean): ServerState {
  if (!isOurs(status.vault.id)) return { kind: "stranger", status };
  const percent = indexed(status);
  if (percent < 100) return { kind: "indexing", percent, status, health };
  const loading = Object.values(health.models).some(({ state }) => state === "loading" || state === "restarting");
  return { kind: loading ? "loading" : "ready", status, health };
}

/** How much of the vault can be searched by words and by meaning, in percent. */
function indexed({ progress, counts, freshness }: Status): number {
  const read = progress.notes_total > 0 ? progress.notes_done / progress.notes_total : 1;
  const embedded = freshness.pending > 0 ? counts.vectors / Math.max(counts.chunks, 1) : 1;
  const settled = freshness.visible >= freshness.wanted && freshness.pending === 0;
  return settled && read === 1 ? 100 : Math.min(Math.floor(50 * read + 50 * embedded), 99);
}

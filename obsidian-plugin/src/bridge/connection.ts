/** How the server does, watched as long as somebody wants to know. */

import type { Client } from "./client";
import { BridgeError, type Trouble } from "./errors";
import type { Status } from "./wire";

export type ServerState =
  | { readonly kind: "unknown" }
  /** `trouble` says what stands between us and the server. */
  | { readonly kind: "away"; readonly trouble: Trouble; readonly detail: string }
  /** A server with a vault that is not known to be ours. */
  | { readonly kind: "stranger"; readonly status: Status }
  /** Its index is being opened. */
  | { readonly kind: "starting" }
  | { readonly kind: "indexing"; readonly percent: number; readonly status: Status }
  | { readonly kind: "loading"; readonly status: Status }
  | { readonly kind: "ready"; readonly status: Status };

/** Calls `then` after some milliseconds, unless the returned function is called before. */
export type Later = (milliseconds: number, then: () => void) => () => void;

const READY_EVERY = 15_000;
const BUSY_EVERY = 1_500;
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 15_000;
const LONGEST_CHECK = 10_000;
/** The server repeats itself more often than this: a line that is quiet for longer is dead. */
const LONGEST_SILENCE = 30_000;

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

  /** Look now. From then on the server tells what changes; where it is away, look again and again. */
  async check(): Promise<void> {
    this.stop();
    const running = (this.running = new AbortController());
    const cancel = this.abortLater(running, LONGEST_CHECK);
    const state = await this.look(running.signal);
    cancel();
    // A newer check, or the end, has taken over.
    if (this.running !== running) return;
    this.failures = state.kind === "away" ? this.failures + 1 : 0;
    if ("status" in state) void this.follow(running);
    else this.checkAgain(this.delay(state));
    this.become(state);
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
      return stateOf(await this.client.status(signal), this.isOurs);
    } catch (error) {
      if (error instanceof BridgeError) return { kind: "away", trouble: error.trouble, detail: error.detail };
      return { kind: "away", trouble: "offline", detail: "" };
    }
  }

  /** Listen to what the server tells until it falls silent. One that tells nothing is asked again and again. */
  private async follow(running: AbortController): Promise<void> {
    let cancel = this.abortLater(running, LONGEST_SILENCE);
    let heard = false;
    try {
      for await (const status of this.client.statuses(running.signal)) {
        cancel();
        if (this.running !== running) return;
        cancel = this.abortLater(running, LONGEST_SILENCE);
        heard = true;
        this.become(stateOf(status, this.isOurs));
      }
    } catch {
      // Why it ended is seen by the next check.
    }
    cancel();
    if (this.running === running) this.checkAgain(heard ? FIRST_RETRY : this.delay(this.current));
  }

  private become(state: ServerState): void {
    this.current = state;
    for (const listener of this.listeners) listener(state);
  }

  private checkAgain(delay: number): void {
    this.running = null;
    this.cancelNext = this.later(delay, () => void this.check());
  }

  private abortLater(running: AbortController, milliseconds: number): () => void {
    return this.later(milliseconds, () => {
      running.abort(new BridgeError("offline"));
    });
  }

  /** Soon while something is going on, seldom while all is well. */
  private delay({ kind }: ServerState): number {
    if (kind === "ready" || kind === "stranger") return READY_EVERY;
    if (kind !== "away") return BUSY_EVERY;
    return Math.min(FIRST_RETRY * 2 ** (this.failures - 1), LONGEST_RETRY);
  }
}

function stateOf(status: Status, isOurs: (vaultId: string) => boolean): ServerState {
  if (!isOurs(status.vault.id)) return { kind: "stranger", status };
  const percent = indexed(status);
  if (percent < 100) return { kind: "indexing", percent, status };
  const loading = Object.values(status.states).some((state) => state === "loading" || state === "restarting");
  return { kind: loading ? "loading" : "ready", status };
}

/** How much of the vault can be searched by words and by meaning, in percent. */
function indexed({ progress, counts, freshness }: Status): number {
  const read = progress.notes_total > 0 ? progress.notes_done / progress.notes_total : 1;
  const embedded = freshness.pending > 0 ? counts.vectors / Math.max(counts.chunks, 1) : 1;
  const settled = freshness.visible >= freshness.wanted && freshness.pending === 0;
  return settled && read === 1 ? 100 : Math.min(Math.floor(50 * read + 50 * embedded), 99);
}

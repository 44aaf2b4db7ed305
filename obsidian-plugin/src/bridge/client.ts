/** Requests to the server: what was asked, in its own words, or a `BridgeError`. */

import { Mismatch, type Check } from "./checks";
import { BridgeError, isStop, troubleOf } from "./errors";
import { events } from "./sse";
import * as wire from "./wire";

/** Where the server is and which vault it must have; no server has an empty `vault`. */
export interface Target {
  readonly address: string;
  readonly token: string;
  readonly vault: string;
}

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface Scope {
  readonly folders?: readonly string[];
  readonly tags?: readonly string[];
  readonly notes?: readonly string[];
  readonly exclude?: readonly string[];
}

export interface ChatRequest {
  readonly messages: readonly Message[];
  readonly temperature?: number;
  readonly max_tokens?: number;
  readonly vaultbridge: {
    readonly grounding?: "auto" | "always" | "off";
    readonly sources?: "field" | "markdown" | "none";
    readonly scope?: Scope;
    /** The note that is being written, which is no source for itself. */
    readonly note?: string;
  };
}

interface Asked {
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Ask whichever vault it is: only for what tells nothing of its notes. */
  readonly anyVault?: boolean;
}

/** No vault's id. */
const NO_VAULT = "none";
/** An error in the middle of a stream has no status of its own. */
const STREAM_STATUS = 500;

export class Client {
  /** `target` is read for each request, so that new settings hold at once. */
  constructor(
    private readonly target: () => Target,
    private readonly fetch: typeof window.fetch,
  ) {}

  health(signal?: AbortSignal): Promise<wire.Health> {
    return this.json("/health", wire.health, { signal, anyVault: true });
  }

  /** The status of whatever vault the server has. */
  status(signal?: AbortSignal): Promise<wire.Status> {
    return this.json("/vault/status", wire.status, { signal, anyVault: true });
  }

  /** The same as events: at once, whenever it changes, and now and then while it does not. */
  async *statuses(signal: AbortSignal): AsyncGenerator<wire.Status, void, undefined> {
    for await (const data of this.stream("/vault/events", { signal, anyVault: true })) {
      yield checked(parse(data), wire.statusEvent).status;
    }
  }

  search(text: string, count: number, signal?: AbortSignal): Promise<wire.Found> {
    return this.json(`/vault/search?${query({ q: text, k: count })}`, wire.found, { signal });
  }

  related(note: string, count: number, signal?: AbortSignal): Promise<wire.Found> {
    return this.json(`/vault/related?${query({ note, k: count })}`, wire.found, { signal });
  }

  relatedToText(text: string, note: string, count: number, signal?: AbortSignal): Promise<wire.Found> {
    return this.json("/vault/related", wire.found, { body: { text, k: count, exclude: [note] }, signal });
  }

  /** Whether a note is indexed, and if not, why. */
  note(path: string, signal?: AbortSignal): Promise<wire.NoteStatus> {
    return this.json(`/vault/notes/${path.split("/").map(encodeURIComponent).join("/")}`, wire.noteStatus, { signal });
  }

  roles(signal?: AbortSignal): Promise<wire.Roles> {
    return this.json("/vault/roles", wire.roles, { signal });
  }

  /** Choose a model for a purpose; an empty one leaves it to the server. */
  chooseModel(role: wire.Role, model: string, signal?: AbortSignal): Promise<wire.Roles> {
    return this.json("/vault/roles", wire.roles, { body: { role, model }, signal });
  }

  /** Have the prompt of a question read that is still being typed. */
  async warm(request: ChatRequest, signal?: AbortSignal): Promise<void> {
    await this.json("/vault/warm", wire.warmed, { body: request, signal });
  }

  /** The chunks of an answer; leaving the loop ends the generation. */
  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<wire.Chunk, void, undefined> {
    for await (const data of this.stream("/v1/chat/completions", { body: { ...request, stream: true }, signal })) {
      const chunk = checked(parse(data), wire.chunk);
      if (chunk.error !== null) throw new BridgeError(troubleOf(STREAM_STATUS, chunk.error.code), chunk.error.message);
      yield chunk;
    }
  }

  /** The data of each event up to the last one; a stream that breaks off says that the server is offline. */
  private async *stream(path: string, asked: Asked): AsyncGenerator<string, void, undefined> {
    const response = await this.send(path, asked);
    if (response.body === null) throw new BridgeError("strange");
    try {
      for await (const data of events(response.body)) {
        if (data === "[DONE]") return;
        yield data;
      }
    } catch (error) {
      throw isStop(error) ? error : new BridgeError("offline");
    }
    throw new BridgeError("offline");
  }

  private async json<T>(path: string, check: Check<T>, asked: Asked): Promise<T> {
    const response = await this.send(path, asked);
    return checked(await response.json().catch(unlessStopped), check);
  }

  private async send(path: string, { body, signal, anyVault = false }: Asked): Promise<Response> {
    const { address, token, vault } = this.target();
    const response = await this.fetch(address + path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...(token !== "" && { Authorization: `Bearer ${token}` }),
        ...(!anyVault && { "X-Vaultbridge-Vault": vault || NO_VAULT }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }).catch((error: unknown) => {
      throw isStop(error) ? error : new BridgeError("offline");
    });
    if (response.ok) return response;
    throw await refusal(response);
  }
}

async function refusal(response: Response): Promise<BridgeError> {
  try {
    const { error } = wire.problemBody(await response.json(), "");
    return new BridgeError(troubleOf(response.status, error.code), error.message);
  } catch {
    return new BridgeError("strange");
  }
}

function checked<T>(value: unknown, check: Check<T>): T {
  try {
    return check(value, "");
  } catch (error) {
    throw error instanceof Mismatch ? new BridgeError("strange", error.message) : error;
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new BridgeError("strange");
  }
}

function unlessStopped(error: unknown): never {
  throw isStop(error) ? error : new BridgeError("strange");
}

function query(values: Record<string, string | number>): string {
  return new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)])).toString();
}

import { Client, type Target } from "../../src/bridge/client";

export interface Request {
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

export type Reply = Error | ((request: Request) => Response | Promise<Response>);

/** A server in memory: replies by path, and what it was asked. */
export class Serving {
  readonly requests: Request[] = [];
  target: Target = { address: "http://127.0.0.1:1234", token: "", vault: "" };
  readonly client = new Client(() => this.target, this.fetch.bind(this));

  constructor(readonly replies: Record<string, Reply>) {}

  private async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const url = String(input);
    const request = {
      url,
      headers: new Headers(init?.headers),
      body: typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : undefined,
      signal: init?.signal ?? undefined,
    };
    this.requests.push(request);
    const reply = this.replies[new URL(url).pathname];
    if (reply === undefined) return json({ error: { message: "Not Found.", code: "not_found" } }, 404)();
    if (reply instanceof Error) throw reply;
    return await reply(request);
  }
}

export function json(body: unknown, status = 200): () => Response {
  return () => new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
}

export function sse(text: string): () => Response {
  return () => new Response(text, { headers: { "Content-Type": "text/event-stream" } });
}

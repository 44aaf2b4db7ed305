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
  readonly fetch: typeof window.fetch = (input, init) => this.serve(String(input as string), init);
  readonly client = new Client(() => this.target, this.fetch);

  constructor(readonly replies: Record<string, Reply>) {}

  private async serve(url: string, init?: RequestInit): Promise<Response> {
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

/** Events that come as a test tells them; it knows when their reader has gone. */
export class Telling {
  private controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  gone = false;

  readonly reply = ({ signal }: Request): Response => {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.controller = controller;
      },
      cancel: () => {
        this.gone = true;
      },
    });
    signal?.addEventListener("abort", () => {
      this.gone = true;
      this.controller?.error(signal.reason);
    });
    return new Response(stream);
  };

  tell(event: unknown): void {
    this.send(JSON.stringify(event));
  }

  end(): void {
    this.send("[DONE]");
    this.controller?.close();
  }

  private send(data: string): void {
    if (this.controller === null) throw new Error("nobody has asked");
    this.controller.enqueue(new TextEncoder().encode(`data: ${data}\n\n`));
  }
}

/** An answer that comes as a test says it. */
export class Speaking extends Telling {
  say(content: string, vaultbridge?: unknown): void {
    this.tell({ model: "m", choices: [{ delta: { content } }], ...(vaultbridge !== undefined && { vaultbridge }) });
  }
}

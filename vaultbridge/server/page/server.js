// The server as the page speaks to it: JSON, an answer as it streams, and the token where one is asked for.

const KEPT = "vaultbridge.token";

export class ServerError extends Error {}

export class Server {
  /** `askToken` returns a promise of the token that somebody types. */
  constructor(askToken) {
    this.askToken = askToken;
    this.asking = null;
  }

  /** A JSON document. */
  async get(path, signal) {
    return (await this.request(path, { signal })).json();
  }

  /** The chunks of an answer to `messages`, one object after the other. */
  async *answer(messages, signal) {
    const body = {
      messages,
      stream: true,
      stream_options: { include_usage: true },
      vaultbridge: { sources: "field" },
    };
    const response = await this.request("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    for await (const line of lines(response.body)) {
      if (!line.startsWith("data: {")) continue;
      const chunk = JSON.parse(line.slice(6));
      yield chunk;
      if (chunk.error) throw new ServerError(chunk.error.message);
    }
  }

  async request(path, options) {
    for (;;) {
      const token = sessionStorage.getItem(KEPT);
      const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
      let response;
      try {
        response = await fetch(path, { ...options, headers, cache: "no-store" });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ServerError("The server does not answer. Is it still running?");
      }
      if (response.ok) return response;
      if (response.status !== 401) throw new ServerError(await reason(response));
      await this.unlock(token);
    }
  }

  /** Several requests may be refused at once; the token is asked for once. */
  async unlock(refused) {
    if (sessionStorage.getItem(KEPT) !== refused) return;
    this.asking ??= this.askToken(refused !== null).finally(() => (this.asking = null));
    sessionStorage.setItem(KEPT, await this.asking);
  }
}

async function reason(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

import { describe, expect, it } from "vitest";
import { Connection, type ServerState } from "../../src/bridge/connection";
import type { Status } from "../../src/bridge/wire";
import { Serving, Telling, json } from "./serving";
import { snapshot } from "./snapshots";

const STATUS = JSON.parse(snapshot("status.json")) as Status;
const HEALTH = { status: "ok", name: "vaultbridge", version: "0.1.0" };

/** Time that passes when a test says so. */
class Clock {
  private waiting: { at: number; then: () => void }[] = [];
  now = 0;
  readonly later = (milliseconds: number, then: () => void): (() => void) => {
    const one = { at: this.now + milliseconds, then };
    this.waiting.push(one);
    return () => (this.waiting = this.waiting.filter((other) => other !== one));
  };
  get next(): number | undefined {
    return this.waiting.map(({ at }) => at - this.now).sort((one, other) => one - other)[0];
  }
  pass(): void {
    const first = this.waiting.sort((one, other) => one.at - other.at).shift();
    this.now = first?.at ?? this.now;
    first?.then();
  }
  get idle(): boolean {
    return this.waiting.length === 0;
  }
}

function watching(replies: Serving["replies"], ours = "000000000000") {
  const serving = new Serving(replies);
  const clock = new Clock();
  const connection = new Connection(serving.client, (id) => id === ours, clock.later);
  const seen: ServerState[] = [];
  connection.subscribe((state) => seen.push(state));
  return { serving, clock, connection, seen };
}

const well = () => ({ "/health": json(HEALTH), "/vault/status": json(STATUS) });

describe("the connection", () => {
  it("is ready, and looks again seldom where nobody tells it what changes", async () => {
    const { connection, clock } = watching(well());
    await connection.check();
    expect(connection.state).toMatchObject({ kind: "ready", status: { vault: { name: "My Vault" } } });
    await expect.poll(() => clock.next).toBe(15_000);
  });

  it("says how much is indexed", async () => {
    const status = { ...STATUS, progress: { notes_done: 4, notes_total: 4 }, counts: { ...STATUS.counts, chunks: 100, vectors: 24 }, freshness: { wanted: 1, visible: 1, pending: 76 } };
    const { connection } = watching({ ...well(), "/vault/status": json(status) });
    await connection.check();
    expect(connection.state).toMatchObject({ kind: "indexing", percent: 62 });
  });

  it("says that a model is loading", async () => {
    const { connection } = watching({ ...well(), "/vault/status": json({ ...STATUS, states: { generator: "loading" } }) });
    await connection.check();
    expect(connection.state.kind).toBe("loading");
  });

  it("is starting until the index is open", async () => {
    const { connection, serving } = watching({ "/health": json({ ...HEALTH, status: "starting" }) });
    await connection.check();
    expect(connection.state.kind).toBe("starting");
    expect(serving.requests).toHaveLength(1);
  });

  it("knows another vault", async () => {
    const { connection } = watching(well(), "ours");
    await connection.check();
    expect(connection.state).toMatchObject({ kind: "stranger", status: { vault: { id: "000000000000" } } });
  });

  it("tries again ever more seldom, and comes back by itself", async () => {
    const { connection, clock, serving, seen } = watching({ "/health": new TypeError("Failed to fetch") });
    await connection.check();
    const waits = [clock.next];
    for (let n = 0; n < 5; n += 1) {
      const before = seen.length;
      clock.pass();
      await expect.poll(() => seen.length).toBe(before + 1);
      waits.push(clock.next);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
    Object.assign(serving.replies, well());
    clock.pass();
    await expect.poll(() => connection.state.kind).toBe("ready");
  });

  it("gives up on a server that does not answer", async () => {
    const { connection, clock } = watching({
      "/health": ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => { reject(signal.reason as Error); })),
    });
    const checking = connection.check();
    clock.pass();
    await checking;
    expect(connection.state).toEqual({ kind: "away", trouble: "offline", detail: "" });
  });

  it("leaves nothing behind", async () => {
    const { connection, clock, seen } = watching(well());
    const checking = connection.check();
    connection.stop();
    await checking;
    expect(seen).toEqual([]);
    expect(clock.idle).toBe(true);
  });
});

describe("a server that tells what changes", () => {
  const telling = async () => {
    const told = new Telling();
    const watched = watching({ ...well(), "/vault/events": told.reply });
    await watched.connection.check();
    return { told, ...watched };
  };

  it("is asked once, and heard from then on", async () => {
    const { connection, serving, told } = await telling();
    const asked = serving.requests.length;
    told.tell({ type: "status", status: { ...STATUS, states: { generator: "loading" } } });
    await expect.poll(() => connection.state.kind).toBe("loading");
    told.tell({ type: "status", status: STATUS });
    await expect.poll(() => connection.state.kind).toBe("ready");
    expect(serving.requests).toHaveLength(asked);
  });

  it("is looked for as soon as it has said goodbye", async () => {
    const { connection, clock, serving, told } = await telling();
    told.tell({ type: "status", status: STATUS });
    told.end();
    await expect.poll(() => clock.next).toBe(1000);
    serving.replies["/health"] = new TypeError("Failed to fetch");
    clock.pass();
    await expect.poll(() => connection.state.kind).toBe("away");
  });

  it("is looked for when it has been silent for too long, as after sleep", async () => {
    const { clock, told } = await telling();
    told.tell({ type: "status", status: STATUS });
    await expect.poll(() => clock.next).toBe(30_000);
    clock.pass();
    expect(told.gone).toBe(true);
    await expect.poll(() => clock.next).toBe(1000);
  });

  it("may have another vault by then", async () => {
    const { connection, told } = await telling();
    told.tell({ type: "status", status: { ...STATUS, vault: { id: "1", name: "Other" } } });
    await expect.poll(() => connection.state).toMatchObject({ kind: "stranger", status: { vault: { name: "Other" } } });
  });

  it("is heard no more in the end", async () => {
    const { connection, clock, told } = await telling();
    told.tell({ type: "status", status: STATUS });
    connection.stop();
    expect(told.gone).toBe(true);
    await expect.poll(() => clock.idle).toBe(true);
  });
});

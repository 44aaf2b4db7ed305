import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { json } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";
import { FileSystemAdapter, twin } from "../twin/obsidian";
import { House, fill, press } from "./house";

const STATUS = JSON.parse(snapshot("status.json")) as { vault: { id: string } };
const OFFLINE = new TypeError("Failed to fetch");

const bar = (): string => document.querySelector(".status-bar-item")?.textContent ?? "";
const dialog = (): string => document.querySelector(".modal")?.textContent ?? "";
const steps = (): string[] => [...document.querySelectorAll("[role=listitem] .setting-item-name")].map(({ textContent }) => textContent);

describe("the status bar", () => {
  it("says how the server does, and opens the panel", async () => {
    const note = { note: "Private/Diary.md", indexed: false, reason: "excluded by .vaultbridgeignore", chunks: 0, indexed_at: null };
    const house = await House.of({ "Private/Diary.md": "" }, ({ serving }) => (serving.replies["/vault/notes/Private/Diary.md"] = json(note)));
    await house.app.open("Private/Diary.md");
    await expect.poll(bar).toBe("Vaultbridge: ready");
    document.querySelector<HTMLElement>(".status-bar-item")?.click();
    expect(dialog()).toContain("5 notes, 5 passages");
    await expect.poll(dialog).toContain("It is not indexed: excluded by .vaultbridgeignore.");
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    expect(dialog()).toBe("");
    house.run("status");
    await expect.poll(dialog).toContain("It is not indexed: excluded by .vaultbridgeignore.");
  });

  it("says that the server is offline, and sees it come back", async () => {
    const house = await House.of({}, ({ serving }) => (serving.replies["/health"] = OFFLINE));
    await expect.poll(bar).toBe("Vaultbridge: offline");
    house.serving.replies["/health"] = json({ status: "ok", name: "vaultbridge", version: "1", models: {} });
    window.dispatchEvent(new Event("online"));
    await expect.poll(bar).toBe("Vaultbridge: ready");
  });
});

describe("the panel", () => {
  it("says which rules leave notes out", async () => {
    const exclusions = [
      { reason: ".vaultbridgeignore: Drafts/", notes: 12 },
      { reason: "private: its front matter says so", notes: 3 },
      { reason: "a rule of tomorrow", notes: 1 },
    ];
    const house = await House.of({}, ({ serving }) => (serving.replies["/vault/status"] = json({ ...STATUS, exclusions })));
    await expect.poll(bar).toBe("Vaultbridge: ready");
    house.run("status");
    expect([...document.querySelectorAll(".vaultbridge-exclusions li")].map(({ textContent }) => textContent)).toEqual([
      "“Drafts/” in .vaultbridgeignore (12)", "Marked private (3)", "a rule of tomorrow (1)",
    ]);
  });

  it("says how long indexing will take", async () => {
    const status = { ...STATUS, freshness: { wanted: 1, visible: 0, pending: 9 }, progress: { notes_done: 1, notes_total: 9, seconds_left: 280, paused: "" } };
    const house = await House.of({}, ({ serving }) => (serving.replies["/vault/status"] = json(status)));
    await expect.poll(bar).toContain("indexing");
    house.run("status");
    expect(dialog()).toContain("About 5 minutes left.");
  });
});

describe("another vault", () => {
  it("is not asked anything until the user accepts it", async () => {
    const house = await House.of({ "A.md": "Text" }, ({ app }) => {
      app.saveLocalStorage("vaultbridge", { vault: "", welcomed: true });
    });
    await expect.poll(bar).toBe("Vaultbridge: other vault");
    const telling = ["/health", "/vault/status", "/vault/events"];
    const others = house.serving.requests.filter(({ url }) => !telling.includes(new URL(url).pathname));
    expect(others.filter(({ headers }) => headers.get("X-Vaultbridge-Vault") !== "none")).toEqual([]);
    house.run("status");
    expect(dialog()).toContain("“My Vault”");
    press("This is my vault");
    await expect.poll(bar).toBe("Vaultbridge: ready");
    expect(house.app.loadLocalStorage("vaultbridge")).toMatchObject({ vault: STATUS.vault.id });
  });

  it("that is this one is known by its path on the desktop", async () => {
    const id = createHash("sha256").update("/notes/My Vault").digest("hex").slice(0, 12);
    await House.of({}, ({ app, serving }) => {
      app.vault.adapter = new FileSystemAdapter("/notes/My Vault");
      app.saveLocalStorage("vaultbridge", { vault: "", welcomed: true });
      serving.replies["/vault/status"] = json({ ...STATUS, vault: { id, name: "My Vault" } });
    });
    await expect.poll(bar).toBe("Vaultbridge: ready");
  });
});

describe("setting up", () => {
  it("is shown once, and ticks off each step", async () => {
    const house = await House.of({}, ({ app, serving }) => {
      app.saveLocalStorage("vaultbridge", { vault: "" });
      serving.replies["/health"] = OFFLINE;
    });
    await expect.poll(() => steps()[0]).toBe("○ The server runs");
    house.serving.replies["/health"] = json({ status: "ok", name: "vaultbridge", version: "1", models: {} });
    window.dispatchEvent(new Event("online"));
    await expect.poll(() => steps().slice(0, 3)).toEqual(["✓ The server runs", "✓ It lets Obsidian in", "○ It serves this vault"]);
    press("This is my vault");
    await expect.poll(() => steps().every((step) => step.startsWith("✓"))).toBe(true);
    expect(house.app.loadLocalStorage("vaultbridge")).toMatchObject({ welcomed: true });
  });
});

describe("settings", () => {
  const open = (house: House): void => {
    const tab = house.app.settingTabs.get("vaultbridge");
    document.body.append(tab?.containerEl ?? "");
    tab?.display();
  };
  const control = (label: string): HTMLInputElement | null => document.querySelector(`[aria-label="${label}"]`);

  it("are kept: for the vault, for this device, and the token among the secrets", async () => {
    const house = await House.of({});
    await expect.poll(bar).toBe("Vaultbridge: ready");
    open(house);
    fill(control("Folder for chats"), "Talks");
    fill(control("Server address"), "http://192.168.1.2:1234/");
    fill(control("Token"), "sesame");
    expect(house.app.data.get("vaultbridge")).toMatchObject({ chatFolder: "Talks" });
    expect(JSON.stringify(house.app.data.get("vaultbridge"))).not.toMatch(/sesame|192/);
    expect(house.app.loadLocalStorage("vaultbridge")).toMatchObject({ address: "http://192.168.1.2:1234/" });
    await expect.poll(() => house.serving.requests.at(-1)?.url).toContain("http://192.168.1.2:1234/");
    expect(house.serving.requests.at(-1)?.headers.get("Authorization")).toBe("Bearer sesame");
  });

  it("choose the models of those that the server has", async () => {
    const choices = ["gemma", "smol"];
    const roles = (chosen: string) => ({
      chat: { model: chosen || "smol", chosen, choices },
      completion: { model: "smol", chosen: "", choices },
      embed: { model: "e5", chosen: "bge-m3", choices: ["bge-m3", "e5"] },
      rerank: { model: "", chosen: "", choices: [] },
    });
    const house = await House.of({}, ({ serving }) => {
      serving.replies["/vault/roles"] = ({ body }) => json(roles((body as { model: string } | undefined)?.model ?? ""))();
    });
    await expect.poll(bar).toBe("Vaultbridge: ready");
    open(house);
    const writing = () => document.querySelector<HTMLSelectElement>("[aria-label=Writing]");
    const described = (label: string) => document.querySelector(`[aria-label=${label}]`)?.closest(".setting-item")?.textContent;
    await expect.poll(() => [...(writing()?.options ?? [])].map(({ text }) => text)).toEqual(["As the server is set", ...choices]);
    expect(described("Writing")).toContain("In use: smol.");
    expect(described("Meaning")).toContain("In use: e5. With the next start of the server: bge-m3.");
    expect(described("Ranking")).toContain("None is in use.");
    const select = writing() ?? expect.fail();
    select.value = "gemma";
    select.dispatchEvent(new Event("change"));
    await expect.poll(() => described("Writing")).toContain("In use: gemma.");
    expect(house.asked("/vault/roles")).toEqual({ role: "chat", model: "gemma" });
  });

  it("say nothing of the models of another vault", async () => {
    const house = await House.of({}, ({ app }) => {
      app.saveLocalStorage("vaultbridge", { vault: "another", welcomed: true });
    });
    await expect.poll(bar).toBe("Vaultbridge: other vault");
    open(house);
    await expect.poll(() => house.serving.requests.filter(({ url }) => url.endsWith("/status")).length).toBe(2);
    expect(house.serving.requests.some(({ url }) => url.endsWith("/vault/roles"))).toBe(false);
  });

  it("of the program are for desktops", async () => {
    const house = await House.of({});
    open(house);
    expect(control("Program")).toBeNull();
    twin.desktop = true;
    open(house);
    expect(control("Program")).not.toBeNull();
  });

  it("that make no sense are as usual", async () => {
    const house = await House.of({}, ({ app }) => app.data.set("vaultbridge", { chatFolder: 7, mark: "yes", more: 1 }));
    open(house);
    expect(control("Folder for chats")?.value).toBe("Chats");
    expect(control("Mark generated text")?.checked).toBe(true);
  });
});

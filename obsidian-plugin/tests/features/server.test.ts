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

describe("another vault", () => {
  it("is not asked anything until the user accepts it", async () => {
    const house = await House.of({ "A.md": "Text" }, ({ app }) => {
      app.saveLocalStorage("vaultbridge", { vault: "", welcomed: true });
    });
    await expect.poll(bar).toBe("Vaultbridge: other vault");
    expect(house.serving.requests.every(({ headers, url }) => url.endsWith("/health") || url.endsWith("/status") || headers.get("X-Vaultbridge-Vault") === "none")).toBe(true);
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
    const house = await House.of({}, ({ serving }) => (serving.replies["/v1/models"] = json({ data: [{ id: "gemma" }, { id: "gemma@vault" }, { id: "fakes" }] })));
    await expect.poll(bar).toBe("Vaultbridge: ready");
    open(house);
    fill(control("Folder for chats"), "Talks");
    fill(control("Server address"), "http://192.168.1.2:1234/");
    fill(control("Token"), "sesame");
    await expect.poll(() => [...(control("Model")?.querySelectorAll("option") ?? [])].map(({ textContent }) => textContent)).toEqual(["As the server is set", "gemma"]);
    expect(house.app.data.get("vaultbridge")).toMatchObject({ chatFolder: "Talks" });
    expect(JSON.stringify(house.app.data.get("vaultbridge"))).not.toMatch(/sesame|192/);
    expect(house.app.loadLocalStorage("vaultbridge")).toMatchObject({ address: "http://192.168.1.2:1234/" });
    await expect.poll(() => house.serving.requests.at(-1)?.url).toContain("http://192.168.1.2:1234/");
    expect(house.serving.requests.at(-1)?.headers.get("Authorization")).toBe("Bearer sesame");
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

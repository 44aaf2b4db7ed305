import { describe, expect, it } from "vitest";
import { json } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";
import { House, fill } from "./house";

const NOTES = { "Garden/Tomatoes.md": "# Tomatoes\n\n## Watering\n\nWater them.\n", "Open.md": "Red fruit in summer." };
const found = json(snapshot("search.json"));

describe("related notes", () => {
  it("follow the note that is open, with the passage and the reason", async () => {
    const house = await House.of(NOTES, ({ serving }) => (serving.replies["/vault/related"] = found));
    house.run("related");
    await expect.poll(() => document.querySelector(".vaultbridge-empty")?.textContent).toContain("Open a note");
    await house.app.open("Open.md");
    await expect.poll(() => [...document.querySelectorAll(".vaultbridge-hit a")].map(({ textContent }) => textContent)).toEqual([
      "Tomatoes › Watering", "Tomatoes › Soil",
    ]);
    const hit = document.querySelector(".vaultbridge-hit");
    expect(hit?.querySelector(".vaultbridge-quote")?.textContent).toBe("Water the tomatoes every second morning in summer.");
    expect(hit?.querySelector(".vaultbridge-reason")?.textContent).toBe("Named “Tomatoes” · Shares tomatoes water · 63 % alike in meaning");
    expect(house.serving.requests.findLast(({ url }) => url.includes("related"))?.url).toContain("note=Open.md");
  });

  it("of a note that is not indexed are found by its text", async () => {
    const refused = json({ error: { message: "The note is not in the index.", code: "invalid_request" } }, 400);
    const house = await House.of(NOTES, ({ serving }) => {
      serving.replies["/vault/related"] = (request) => (request.body === undefined ? refused() : found());
    });
    await house.app.open("Open.md");
    house.run("related");
    await expect.poll(() => document.querySelectorAll(".vaultbridge-hit").length).toBe(2);
    expect(house.asked("/vault/related")).toMatchObject({ text: "Red fruit in summer.", exclude: ["Open.md"] });
  });

  it("are dragged as links, and open at their place", async () => {
    const house = await House.of(NOTES, ({ serving }) => (serving.replies["/vault/related"] = found));
    await house.app.open("Open.md");
    house.run("related");
    await expect.poll(() => document.querySelectorAll(".vaultbridge-hit").length).toBe(2);
    const data = new Map<string, string>();
    const drag = Object.assign(new Event("dragstart"), { dataTransfer: { setData: (type: string, text: string) => data.set(type, text) } });
    document.querySelector(".vaultbridge-hit")?.dispatchEvent(drag);
    expect(data.get("text/plain")).toBe("[[Tomatoes#Watering]]");
    const previewed: unknown[] = [];
    house.app.workspace.on("hover-link", ({ linktext }: { linktext: string }) => previewed.push(linktext));
    document.querySelector(".vaultbridge-hit a")?.dispatchEvent(new MouseEvent("mouseover"));
    expect(previewed).toEqual(["Tomatoes#Watering"]);
    document.querySelector<HTMLElement>(".vaultbridge-hit a")?.click();
    await expect.poll(() => house.app.workspace.getActiveFile()?.path).toBe("Garden/Tomatoes.md");
  });
});

describe("search", () => {
  it("shows passages with their lanes, and opens one at its place", async () => {
    const house = await House.of(NOTES, ({ serving }) => (serving.replies["/vault/search"] = found));
    house.run("search");
    fill(document.querySelector(".vaultbridge-search input"), "water tomatoes");
    await expect.poll(() => document.querySelectorAll(".vaultbridge-hit").length).toBe(2);
    expect(document.querySelector(".vaultbridge-hit-head")?.textContent).toContain("Tomatoes › Watering");
    expect([...document.querySelectorAll(".vaultbridge-hit:first-child .vaultbridge-lane")].map(({ textContent }) => textContent)).toEqual(["Meaning", "Words"]);
    document.querySelector<HTMLElement>(".vaultbridge-hit")?.click();
    await expect.poll(() => document.querySelectorAll(".vaultbridge-spotlight").length).toBe(5);
    expect(house.app.workspace.getActiveFile()?.path).toBe("Garden/Tomatoes.md");
  });

  it("opens a page of a PDF by its link", async () => {
    const pages = snapshot("search.json").replaceAll("Garden/Tomatoes.md", "Plan.pdf").replaceAll("Tomatoes#Watering", "Plan.pdf#page=3");
    const house = await House.of({ ...NOTES, "Plan.pdf": "" }, ({ serving }) => (serving.replies["/vault/search"] = json(pages)));
    const opened: string[] = [];
    house.app.workspace.openLinkText = async (link: string) => void opened.push(link);
    house.run("search");
    fill(document.querySelector(".vaultbridge-search input"), "plan");
    await expect.poll(() => document.querySelectorAll(".vaultbridge-hit").length).toBe(2);
    document.querySelector<HTMLElement>(".vaultbridge-hit")?.click();
    await expect.poll(() => opened).toEqual(["Plan.pdf#page=3"]);
  });

  it("asks once for what is typed quickly", async () => {
    const house = await House.of(NOTES, ({ serving }) => (serving.replies["/vault/search"] = found));
    house.run("search");
    for (const text of ["wa", "wat", "water"]) fill(document.querySelector(".vaultbridge-search input"), text);
    await expect.poll(() => document.querySelectorAll(".vaultbridge-hit").length).toBe(2);
    expect(house.serving.requests.filter(({ url }) => url.includes("search")).map(({ url }) => new URL(url).searchParams.get("q"))).toEqual(["water"]);
  });
});

import { describe, expect, it } from "vitest";
import { json } from "../bridge/serving";
import { twin } from "../twin/obsidian";
import { House, fill, press } from "./house";

const asked = (house: House): unknown => (house.asked("/v1/chat/completions")["messages"] as { content: string }[] | undefined)?.[0]?.content;

describe("prompts", () => {
  it("work on the note", async () => {
    const house = await House.of({});
    const view = await house.note("Bees.md", "---\na: b\n---\nThe hive stands.\n\n|");
    house.run("prompt-summarize");
    await expect.poll(() => asked(house)).toBe(
      "Summarize the following text in three to five sentences, in its own language.\n\nThe hive stands.\n\n",
    );
    house.speaking.say("A hive.");
    await expect.poll(() => view.editor.getValue()).toContain("The hive stands.\n\nA hive.");
  });

  it("are notes in a folder, each of them a command, as long as they are there", async () => {
    const house = await House.of({ "Prompts/Haiku.md": "---\ntemperature: 0.9\ngrounding: always\n---\nA haiku on {{title}}." });
    await house.note("Bees.md", "|");
    expect(house.commands).toContain("Prompt: Haiku");
    house.run("prompt-Prompts/Haiku.md");
    await expect.poll(() => asked(house)).toBe("A haiku on Bees.");
    expect(house.asked("/v1/chat/completions")).toMatchObject({ temperature: 0.9, vaultbridge: { grounding: "always" } });
    await house.app.vault.create("Prompts/Ode.md", "An ode.");
    expect(house.commands).toContain("Prompt: Ode");
    house.app.vault.delete(house.app.vault.getFileByPath("Prompts/Haiku.md") ?? expect.fail());
    expect(house.commands).not.toContain("Prompt: Haiku");
  });

  it("that are built in can be copied, and the copy counts", async () => {
    const house = await House.of({});
    house.run("copy-prompts");
    await expect.poll(() => house.notices.join()).toContain("“Prompts”");
    const file = house.app.vault.getFileByPath("Prompts/Summarize note.md") ?? expect.fail();
    await house.app.vault.process(file, (text) => text.replace(/Summarize the[^]*/, "In one word: {{note}}"));
    await house.note("Bees.md", "Hive.|");
    expect(house.commands.filter((name) => name.includes("Summarize"))).toEqual(["Summarize note"]);
    house.run("prompt-summarize");
    await expect.poll(() => asked(house)).toBe("In one word: Hive.");
  });

  it("may make a title, which is edited and then the note's name", async () => {
    const house = await House.of({ "Garden/Taken.md": "" });
    await house.note("Garden/Untitled.md", "The hive stands.|");
    house.run("prompt-title");
    await expect.poll(() => house.chats).toBe(1);
    house.speaking.say('Title: "The: hive"\nMore');
    house.speaking.end();
    await expect.poll(() => document.querySelector<HTMLInputElement>(".modal input")?.value).toBe("The hive");
    fill(document.querySelector(".modal input"), "Taken");
    press("Rename");
    expect(house.notices.join()).toContain("“Taken”");
    fill(document.querySelector(".modal input"), "The hives");
    press("Rename");
    await expect.poll(() => house.app.vault.getFileByPath("Garden/The hives.md")).not.toBeNull();
  });
});

describe("links and tags", () => {
  const hit = (note: string) => ({
    note,
    heading: [],
    link: `[[${note.replace(".md", "")}]]`,
    span: { start: 0, end: 1, start_line: 1, end_line: 1 },
    text: "A passage",
    score: 1,
    lanes: {},
    reasons: [],
  });
  const notes = { "Bees.md": "#insects #garden", "Wasps.md": "#insects", "Linked.md": "#garden" };
  const hits = Object.keys(notes).map(hit);
  const toggle = (value: string) => document.querySelector<HTMLInputElement>(`[aria-label="${value}"]`);

  async function suggesting(more: Record<string, string> = {}) {
    const house = await House.of({ ...notes, ...more }, ({ serving }) => {
      serving.replies["/vault/related"] = json({ hits, freshness: { wanted: 0, visible: 0, pending: 0 } });
    });
    const view = await house.note("Hive.md", "The hive, see [[Linked]] #garden. |");
    house.run("prompt-links");
    await expect.poll(() => house.chats).toBe(1);
    return { house, view };
  }

  it("are those that are there, and the model says which of them fit", async () => {
    const { house, view } = await suggesting();
    expect([...document.querySelectorAll(".modal .setting-item-name")].map(({ textContent }) => textContent)).toEqual([
      "Links", "[[Bees]]", "[[Wasps]]", "Tags", "#insects", "",
    ]);
    expect(asked(house)).toContain("Notes:\n[[Bees]]\n[[Wasps]]\n\nTags:\n#insects");
    for (const piece of ["[[Bees]]\n#ins", "ects\n#invented [[Nowhere]]"]) house.speaking.say(piece);
    house.speaking.end();
    await expect.poll(() => toggle("#insects")?.checked).toBe(true);
    expect(toggle("[[Bees]]")?.checked).toBe(true);
    expect(toggle("[[Wasps]]")?.checked).toBe(false);
    press("Add");
    expect(view.editor.getValue()).toContain("#garden. [[Bees]]");
    await expect.poll(() => house.app.vault.getFileByPath("Hive.md")?.text).toContain("tags: [insects]");
  });

  it("are the user's to choose, whatever the model says", async () => {
    const { house, view } = await suggesting();
    toggle("[[Bees]]")?.click();
    toggle("[[Bees]]")?.click();
    house.speaking.say("[[Bees]]\n[[Wasps]]\n");
    await expect.poll(() => toggle("[[Wasps]]")?.checked).toBe(true);
    expect(toggle("[[Bees]]")?.checked).toBe(false);
    press("Add");
    expect(house.speaking.gone).toBe(true);
    expect(view.editor.getValue()).toContain("#garden. [[Wasps]]");
  });

  it("are asked for in the words of a note", async () => {
    const { house } = await suggesting({ "Prompts/Mine.md": "---\nvaultbridge: links\noutput: links\n---\nOf {{tags}} which?" });
    expect(asked(house)).toBe("Of #insects which?");
  });

  it("are offered without a model as well", async () => {
    const house = await House.of(notes, ({ serving }) => {
      serving.replies["/vault/related"] = json({ hits, freshness: { wanted: 0, visible: 0, pending: 0 } });
      serving.replies["/v1/chat/completions"] = json({ error: { message: "No model.", code: "model_missing" } }, 503);
    });
    await house.note("Hive.md", "The hive |");
    house.run("prompt-links");
    await expect.poll(() => document.querySelector(".modal")?.textContent).toContain("The server has no model for this. No model.");
    expect(toggle("[[Bees]]")).not.toBeNull();
  });
});

it("dialogs and what they ask for end with the plugin", async () => {
  const house = await House.of({});
  await house.note("Bees.md", "The hive stands.|");
  house.run("prompt-title");
  await expect.poll(() => house.chats).toBe(1);
  house.run("prompt");
  expect(document.querySelectorAll(".modal")).toHaveLength(2);
  house.unload();
  expect(house.speaking.gone).toBe(true);
  expect(document.querySelectorAll(".modal")).toHaveLength(0);
});

it("texts are in the app's language", async () => {
  twin.language = "zh";
  const house = await House.of({});
  expect(house.commands).toContain("在此生成");
});

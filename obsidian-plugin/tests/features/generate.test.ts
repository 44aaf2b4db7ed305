import { undo } from "@codemirror/commands";
import { describe, expect, it } from "vitest";
import { json } from "../bridge/serving";
import { House } from "./house";

const text = (view: { editor: { getValue(): string } }) => expect.poll(() => view.editor.getValue());

describe("Generate here", () => {
  it("goes on at the cursor, grounded without the note itself", async () => {
    const house = await House.of({});
    const view = await house.note("Garden/Plan.md", "---\ntags: [x]\n---\n# Plan\n\nIn summer I water| less.");
    house.run("generate");
    await expect.poll(() => house.asked("/v1/chat/completions")).toMatchObject({
      messages: [{ role: "user", content: "Title: Plan\n\n# Plan\n\nIn summer I water" }],
      stream: true,
      vaultbridge: { note: "Garden/Plan.md", grounding: "auto", sources: "markdown" },
    });
    house.speaking.say("the tomatoes");
    house.speaking.say(" every second morning");
    await text(view).toContain("I water the tomatoes every second morning less.");
    house.speaking.end();
    await expect.poll(() => document.querySelectorAll(".vaultbridge-bar button").length).toBe(2);
    undo(view.cm);
    expect(view.editor.getValue()).toContain("I water less.");
  });

  it("answers a selection below it", async () => {
    const house = await House.of({});
    const view = await house.note("Plan.md", "Some text.\n|When do I water?| I ask.\nEnd.");
    house.run("generate");
    await expect.poll(() => house.asked("/v1/chat/completions")["messages"]).toEqual([
      { role: "user", content: "Title: Plan\n\nWhen do I water?" },
    ]);
    expect(view.editor.getValue()).toBe("Some text.\nWhen do I water? I ask.\nEnd.");
    house.speaking.say("In the morning.");
    await text(view).toBe("Some text.\nWhen do I water? I ask.\n\nIn the morning.\nEnd.");
  });

  it("keeps the list at the cursor", async () => {
    const house = await House.of({});
    const view = await house.note("Plan.md", "  - [ ] Milk|");
    house.run("generate");
    await expect.poll(() => house.chats).toBe(1);
    for (const piece of ["\n", "*", " Eggs", "\n1. T", "ea"]) house.speaking.say(piece);
    await text(view).toBe("  - [ ] Milk\n  - [ ] Eggs\n  - [ ] Tea");
  });

  it("stops by the command that began it, and keeps what is there", async () => {
    const house = await House.of({});
    const view = await house.note("Plan.md", "I water|");
    house.run("generate");
    await expect.poll(() => house.chats).toBe(1);
    house.speaking.say("the");
    await text(view).toBe("I water the");
    house.run("generate");
    expect(house.speaking.gone).toBe(true);
    expect(view.editor.getValue()).toBe("I water the");
    expect(house.chats).toBe(1);
    undo(view.cm);
    expect(view.editor.getValue()).toBe("I water");
  });

  it("marks nothing if the mark is turned off", async () => {
    const house = await House.of({}, ({ app }) => app.data.set("vaultbridge", { mark: false }));
    const view = await house.note("Plan.md", "I water|");
    house.run("generate");
    await expect.poll(() => house.chats).toBe(1);
    house.speaking.say("the");
    house.speaking.end();
    await expect.poll(() => view.cm.state.selection.main.head).toBe("I water the".length);
    expect(document.querySelector(".vaultbridge-draft")).toBeNull();
  });

  it("says what to do when the server is away", async () => {
    const house = await House.of({}, ({ serving }) => (serving.replies["/v1/chat/completions"] = new TypeError("Failed to fetch")));
    const view = await house.note("Plan.md", "I water|");
    house.run("generate");
    await expect.poll(() => house.notices.join()).toContain("Start the server");
    expect(view.editor.getValue()).toBe("I water");
    expect(document.querySelector(".vaultbridge-writing")).toBeNull();
  });

  it("passes on what the server says", async () => {
    const error = { error: { message: "Run `vaultbridge models pull x`.", code: "model_missing" } };
    const house = await House.of({}, ({ serving }) => (serving.replies["/v1/chat/completions"] = json(error, 503)));
    await house.note("Plan.md", "I water|");
    house.run("generate");
    await expect.poll(() => house.notices.join()).toContain("Run `vaultbridge models pull x`.");
  });

  it("has Mod+J, unless another plugin has it", async () => {
    const free = await House.of({});
    expect(free.app.commands.commands["vaultbridge:generate"]?.hotkeys).toEqual([{ modifiers: ["Mod"], key: "J" }]);
    const taken = await House.of({}, ({ app }) => {
      app.commands.commands["other:write"] = { id: "other:write", name: "Other: Write", hotkeys: [{ modifiers: ["Mod"], key: "j" }] };
    });
    expect(taken.app.commands.commands["vaultbridge:generate"]?.hotkeys).toEqual([]);
    expect(taken.notices.join()).toContain("“Other: Write”");
  });

  it("leaves nothing behind when the plugin is unloaded in the middle", async () => {
    const house = await House.of({});
    const view = await house.note("Plan.md", "I water|");
    house.run("generate");
    await expect.poll(() => house.chats).toBe(1);
    house.speaking.say("the");
    await text(view).toBe("I water the");
    house.unload();
    expect(house.speaking.gone).toBe(true);
    expect(view.editor.getValue()).toBe("I water the");
    expect(document.querySelectorAll("[class*=vaultbridge]")).toHaveLength(0);
    expect(house.app.workspace.editorExtensions).toEqual([]);
    expect(house.commands).toEqual([]);
    expect([house.app.workspace, house.app.metadataCache].map(({ listeners }) => listeners)).toEqual([0, 0]);
    undo(view.cm);
    expect(view.editor.getValue()).toBe("I water");
  });
});

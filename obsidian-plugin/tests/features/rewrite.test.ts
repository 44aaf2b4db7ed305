import { describe, expect, it } from "vitest";
import { House, fill, press } from "./house";

const NOTE = "Keep.\n|The old cat sat.|\nKeep.";

describe("Rewrite selection", () => {
  async function rewriting(choose: () => void) {
    const house = await House.of({});
    const view = await house.note("Cats.md", NOTE);
    house.run("rewrite");
    await expect.poll(() => document.querySelectorAll("[role=option]").length).toBeGreaterThan(5);
    choose();
    await expect.poll(() => house.chats).toBe(1);
    return { house, view };
  }

  it("proposes changes, accepted and rejected one by one", async () => {
    const { house, view } = await rewriting(() => {
      press("Fix spelling and grammar");
    });
    expect(house.asked("/v1/chat/completions")).toMatchObject({
      messages: [{ content: "Correct spelling and grammar of this text. Change nothing else.\n\n<text>The old cat sat.</text>" }],
      vaultbridge: { grounding: "off", note: "Cats.md", sources: "none" },
    });
    house.speaking.say("The new cat");
    await expect.poll(() => document.querySelector(".vaultbridge-preview")?.textContent).toBe("The new cat");
    house.speaking.say(" slept.\n");
    house.speaking.end();
    await expect.poll(() => [...document.querySelectorAll("ins")].map(({ textContent }) => textContent)).toEqual(["new", "slept"]);
    expect(view.editor.getValue()).toBe(NOTE.replaceAll("|", ""));
    press("Reject");
    press("Accept");
    expect(view.editor.getValue()).toBe("Keep.\nThe old cat slept.\nKeep.");
  });

  it("takes an instruction in the user's words, with the vault behind it", async () => {
    const house = await House.of({});
    await house.note("Cats.md", NOTE);
    house.run("rewrite");
    fill(document.querySelector("input"), "add its name from my notes");
    await expect.poll(() => document.querySelectorAll("[role=option]").length).toBe(1);
    press("Do this: add its name from my notes");
    await expect.poll(() => house.asked("/v1/chat/completions")).toMatchObject({
      messages: [{ content: "add its name from my notes\n\n<text>The old cat sat.</text>" }],
      vaultbridge: { grounding: "auto" },
    });
  });

  it("leaves the text alone when it is stopped or the plugin goes", async () => {
    const { house, view } = await rewriting(() => {
      press("Make it shorter");
    });
    house.speaking.say("Cat");
    await expect.poll(() => document.querySelector(".vaultbridge-preview")?.textContent).toBe("Cat");
    house.unload();
    expect(house.speaking.gone).toBe(true);
    expect(view.editor.getValue()).toBe(NOTE.replaceAll("|", ""));
    expect(document.querySelectorAll("[class*=vaultbridge]")).toHaveLength(0);
  });

  it("asks for a selection", async () => {
    const house = await House.of({});
    await house.note("Cats.md", "No selection|");
    house.run("rewrite");
    expect(house.notices).toEqual(["Select the text to rewrite first."]);
  });
});

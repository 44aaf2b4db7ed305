import { describe, expect, it } from "vitest";
import { sse } from "../bridge/serving";
import { snapshot } from "../bridge/snapshots";
import { House, fill, press } from "./house";

const TOMATOES = "# Tomatoes\n\n## Watering\n\nWater the tomatoes every second morning in summer.\n\n## Soil\n\nLoose loam.";
const NOTES = { "Garden/Tomatoes.md": TOMATOES, "Garden/Bees.md": "#insects\n\nThe hive.", "Open.md": "" };
const ANSWER = { "/v1/chat/completions": sse(snapshot("chat-stream.sse")) };

async function chatting(replies: Record<string, never> | typeof ANSWER = ANSWER): Promise<House> {
  const house = await House.of(NOTES, ({ serving }) => Object.assign(serving.replies, replies));
  await house.app.open("Open.md");
  house.run("chat");
  await expect.poll(() => document.querySelector(".vaultbridge-composer")).not.toBeNull();
  return house;
}

function ask(question: string): void {
  fill(document.querySelector(".vaultbridge-composer textarea"), question);
  press("Ask");
}

const turns = (): Element[] => [...document.querySelectorAll("article")];
const answered = (count: number) => expect.poll(() => turns().filter((turn) => turn.getAttribute("aria-busy") === "false").length).toBe(count);

describe("chat", () => {
  it("answers with sources that lead to the note and light its lines", async () => {
    const house = await chatting();
    ask("How often do I water?");
    await answered(1);
    expect(document.querySelector(".vaultbridge-answer")?.textContent).toBe("Water the tomatoes every second morning in summer. 1");
    expect(document.querySelector(".vaultbridge-badge")?.textContent).toBe("From your notes");
    expect([...document.querySelectorAll(".vaultbridge-sources a")].map(({ textContent }) => textContent)).toEqual(["Tomatoes › Watering"]);
    const mark = document.querySelector<HTMLElement>(".vaultbridge-mark");
    expect(mark?.getAttribute("aria-label")).toBe("Source 1: Tomatoes › Watering");
    mark?.click();
    await expect.poll(() => house.app.workspace.getActiveFile()?.path).toBe("Garden/Tomatoes.md");
    await expect.poll(() => document.querySelectorAll(".vaultbridge-spotlight").length).toBe(5);
  });

  it("previews a source, and a source alone", async () => {
    const house = await chatting();
    ask("How often do I water?");
    await answered(1);
    const previews: unknown[] = [];
    house.app.workspace.on("hover-link", (what: { linktext: string; source: string }) => previews.push([what.linktext, what.source]));
    const hover = (selector: string) => document.querySelector(selector)?.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    hover(".vaultbridge-mark");
    hover(".vaultbridge-sources a");
    hover(".vaultbridge-answer p");
    expect(previews).toEqual([["Tomatoes#Watering", "vaultbridge"], ["Tomatoes#Watering", "vaultbridge"]]);
  });

  it("has its scope chosen with the arrow keys", async () => {
    const house = await chatting();
    await house.app.open("Garden/Bees.md");
    const chips = () => [...document.querySelectorAll<HTMLElement>("[role=radio]")];
    chips()[0]?.focus();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft"]) document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    expect(document.activeElement).toBe(chips()[1]);
    (document.activeElement as HTMLElement).click();
    expect(chips().map((chip) => chip.getAttribute("aria-checked"))).toEqual(["false", "true", "false", "false", "false"]);
    expect(document.activeElement).toBe(chips()[1]);
  });

  it("is about the notes that are chosen", async () => {
    const house = await chatting();
    await house.app.open("Garden/Bees.md");
    press("Garden");
    ask("Who lives here?");
    await answered(1);
    expect(house.asked("/v1/chat/completions")).toMatchObject({ vaultbridge: { grounding: "always", scope: { folders: ["Garden"] } } });
    press("Tag");
    await expect.poll(() => document.querySelector("[role=option]")?.textContent).toBe("#insects");
    press("#insects");
    ask("Who lives here?");
    await answered(2);
    expect(house.asked("/v1/chat/completions")).toMatchObject({ vaultbridge: { scope: { tags: ["#insects"] } } });
    press("No notes");
    ask("Hello");
    await answered(3);
    expect(house.asked("/v1/chat/completions")).toMatchObject({ vaultbridge: { grounding: "off" } });
  });

  it("stops, and answers again on a branch", async () => {
    const house = await chatting({});
    ask("How often?");
    await expect.poll(() => house.chats).toBe(1);
    await expect.poll(() => { house.speaking.say("Wat"); return turns()[0]?.textContent; }).toContain("Wat");
    press("Stop");
    await answered(1);
    expect(house.speaking.gone).toBe(true);
    Object.assign(house.serving.replies, ANSWER);
    press("Answer again");
    await expect.poll(() => document.querySelector(".vaultbridge-branch")?.textContent).toBe("2/2");
    await answered(1);
    press("Previous version");
    await expect.poll(() => document.querySelector(".vaultbridge-branch")?.textContent).toBe("1/2");
    expect(document.querySelector(".vaultbridge-answer")?.textContent).toContain("Wat");
  });

  it("edits a question", async () => {
    const house = await chatting();
    ask("How often?");
    await answered(1);
    press("Edit question");
    const input = document.querySelector<HTMLTextAreaElement>(".vaultbridge-question textarea");
    fill(input, "How often in summer?");
    input?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    await expect.poll(() => house.asked("/v1/chat/completions")["messages"]).toEqual([{ role: "user", content: "How often in summer?" }]);
    await answered(1);
    expect(document.querySelector("h3")?.textContent).toBe("How often in summer?");
  });

  it("leaves a question as it was after Escape", async () => {
    const house = await chatting({});
    ask("How often?");
    await expect.poll(() => house.chats).toBe(1);
    press("Edit question");
    await expect.poll(() => { house.speaking.say("Wat"); return turns()[0]?.textContent; }).toContain("Wat");
    const input = document.querySelector<HTMLTextAreaElement>(".vaultbridge-question textarea");
    expect(input, "an answer that streams does not take it away").not.toBeNull();
    input?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    expect(document.querySelector("h3")?.textContent).toBe("How often?");
    expect(house.chats).toBe(1);
  });

  it("is saved as a note, which is no source, and goes on from it", async () => {
    const house = await chatting();
    ask("How often do I water?");
    await answered(1);
    const saved = () => house.app.vault.getMarkdownFiles().filter(({ path }) => path.startsWith("Chats/"));
    await expect.poll(() => saved().length).toBe(1);
    expect(saved()[0]?.name).toMatch(/^\d{4}-\d\d-\d\d How often do I water\.md$/);
    ask("Why?");
    await answered(2);
    expect(saved()).toHaveLength(1);
    expect(house.asked("/v1/chat/completions")).toMatchObject({ vaultbridge: { scope: { exclude: [saved()[0]?.path] } } });
    press("New chat");
    await expect.poll(() => turns().length).toBe(0);
    await house.app.open(saved()[0]?.path ?? "");
    expect(house.run("open-chat")).toBe(true);
    await answered(2);
    ask("And?");
    await answered(3);
    expect(house.asked("/v1/chat/completions")["messages"]).toHaveLength(5);
  });

  it("puts an answer into the note that is open", async () => {
    const house = await chatting();
    ask("How often?");
    await answered(1);
    press("Insert into the note");
    expect(house.app.vault.getFileByPath("Open.md")?.text).toBe(
      "Water the tomatoes every second morning in summer. [[Tomatoes#Watering|1]]\n\nSources: [[Tomatoes#Watering]]",
    );
  });

  it("says what is wrong, and has the question again", async () => {
    const house = await chatting({});
    house.serving.replies["/v1/chat/completions"] = new TypeError("Failed to fetch");
    ask("How often?");
    await expect.poll(() => document.querySelector("[role=alert]")?.textContent).toContain("Start the server");
    expect(document.querySelector("h3")?.textContent).toBe("How often?");
  });

  it("shows the end of a long chat first", async () => {
    const house = await chatting();
    const text = Array.from({ length: 100 }, (_, n) => `%% turn t${String(n)} ${n > 0 ? `t${String(n - 1)}` : "-"} done %%\n\n> [!question]\n> Question ${String(n)}\n\nAnswer.`);
    await house.app.vault.create("Chats/Long.md", `---\ntype: vaultbridge-chat\n---\n\n${text.join("\n\n")}\n`);
    await house.app.open("Chats/Long.md");
    house.run("open-chat");
    await answered(20);
    expect(turns().at(-1)?.querySelector("h3")?.textContent).toBe("Question 99");
    press("Show earlier messages");
    await answered(40);
  });

  it("ends with the plugin", async () => {
    const house = await chatting({});
    ask("How often?");
    await expect.poll(() => { house.speaking.say("Wat"); return turns()[0]?.textContent; }).toContain("Wat");
    house.unload();
    expect(house.speaking.gone).toBe(true);
    await expect.poll(() => document.querySelectorAll("[class*=vaultbridge]").length).toBe(0);
  });
});

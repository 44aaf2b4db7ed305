import { describe, expect, it } from "vitest";
import { failed, sources, waiting } from "../../src/chat/answer";
import { Conversation } from "../../src/chat/conversation";
import { read, written } from "../../src/chat/history";
import { answerOf } from "./answers";

const CREATED = new Date("2026-01-02T03:04:05Z");
const grounded = await answerOf("chat-stream.sse");

describe("a conversation as a note", () => {
  const conversation = Conversation.empty
    .ask("a", "How often?\n\n> I mean tomatoes")
    .answered("a", () => grounded)
    .ask("b", "And bees?")
    .answered("b", () => ({ ...waiting, progress: "stopped", grounded: false, text: "A list:\n\n- [ ] one\n\n> quote" }))
    .branch("b2", "b", "And wasps?")
    .answered("b2", (answer) => failed(answer, "offline"));
  const note = written(conversation, CREATED);

  it("is readable, and links to its sources", () => {
    expect(note).toContain("type: vaultbridge-chat\ncreated: 2026-01-02T03:04:05.000Z");
    expect(note).toContain("> How often?\n>\n> > I mean tomatoes");
    expect(note).toContain("in summer. [[Tomatoes#Watering|1]]");
    expect(note).toContain("> 1. [[Tomatoes#Watering]]");
  });

  it("is read back: branches, the chosen one, texts and sources", () => {
    const back = read(note);
    expect(back.all.map(({ id, parent, question }) => [id, parent, question])).toEqual(
      conversation.all.map(({ id, parent, question }) => [id, parent, question]),
    );
    expect(back.all.map(({ answer }) => [answer.text, answer.progress, answer.grounded])).toEqual([
      ["Water the tomatoes every second morning in summer. [1]", "done", true],
      ["A list:\n\n- [ ] one\n\n> quote", "stopped", false],
      ["", "failed", null],
    ]);
    expect(back.path.map(({ id }) => id)).toEqual(["a", "b2"]);
    expect(sources(back.all[0]?.answer ?? waiting).map(({ link }) => link)).toEqual(["[[Tomatoes#Watering]]"]);
    expect(written(back, CREATED)).toBe(note);
  });

  it("may have been edited: what is no turn is left out", () => {
    expect(read("# Mine\n\nnothing").all).toEqual([]);
    const edited = read(note.replace("in summer.", "in July.").replace("%% turn b2", "%% torn b2"));
    expect(edited.all.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(edited.all[0]?.answer.text).toContain("in July.");
  });

  it("keeps a link of the answer that is no mark", () => {
    const linking = Conversation.empty.ask("a", "?").answered("a", () => ({ ...waiting, progress: "done", text: "See [[Bees|7]]." }));
    expect(read(written(linking, CREATED)).last?.answer.text).toBe("See [[Bees|7]].");
  });
});

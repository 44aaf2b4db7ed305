import { describe, expect, it } from "vitest";
import { ended, waiting } from "../../src/chat/answer";
import { Conversation } from "../../src/chat/conversation";

const says = (text: string) => () => ended({ ...waiting, text }, "done");

const two = Conversation.empty.ask("a", "When?").answered("a", says("At seven.")).ask("b", "Where?").answered("b", says("Here."));

describe("a conversation", () => {
  it("sends what was said before a question", () => {
    expect(two.ask("c", "Why?").messagesFor("c")).toEqual([
      { role: "user", content: "When?" },
      { role: "assistant", content: "At seven." },
      { role: "user", content: "Where?" },
      { role: "assistant", content: "Here." },
      { role: "user", content: "Why?" },
    ]);
  });

  it("sends no answer that has no text", () => {
    expect(Conversation.empty.ask("a", "When?").ask("b", "Well?").messagesFor("b").map(({ role }) => role)).toEqual(["user", "user"]);
  });

  it("branches where a question is edited", () => {
    const edited = two.branch("b2", "b", "In which room?");
    expect(edited.path.map(({ question }) => question)).toEqual(["When?", "In which room?"]);
    expect(edited.messagesFor("b2").map(({ content }) => content)).toEqual(["When?", "At seven.", "In which room?"]);
    const [old, made] = edited.siblings(edited.path[1] ?? expect.fail());
    expect([old?.id, made?.id]).toEqual(["b", "b2"]);
    expect(edited.choose("b").path.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("answers the same question again on a branch", () => {
    const again = two.branch("a2", "a");
    expect(again.path.map(({ question, answer }) => [question, answer.progress])).toEqual([["When?", "waiting"]]);
  });

  it("goes down to the newest end of the branch that is chosen", () => {
    expect(two.branch("a2", "a").choose("a").path.map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

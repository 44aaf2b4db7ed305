// One conversation: questions, answers as they stream, and what they rest on.

import { bounded, underline } from "./doubt.js";
import { element, render } from "./markdown.js";
import { address, noteLink, passage } from "./notes.js";

export class Conversation {
  /** `place` holds the turns; `finished` is told of an answer's usage and timings. */
  constructor(server, place, finished) {
    this.server = server;
    this.place = place;
    this.finished = finished;
    this.vault = "";
    this.clear();
  }

  clear() {
    this.stop();
    this.running = null;
    this.messages = [];
    this.place.replaceChildren();
  }

  /** End the answer that is running; what it said so far stays. */
  stop() {
    this.running?.abort();
  }

  /** Ask and show the answer as it comes. */
  async ask(question) {
    const running = (this.running = new AbortController());
    const turn = new Turn(question, this.place.children.length + 1, this.vault);
    this.place.append(turn.node);
    document.documentElement.scrollTop = document.documentElement.scrollHeight;
    const messages = [...this.messages, { role: "user", content: question }];
    try {
      for await (const chunk of this.server.answer(messages, running.signal)) turn.take(chunk);
      turn.end();
      this.finished(turn.usage, turn.timings);
    } catch (error) {
      turn.end(running.signal.aborted ? "" : error.message);
    }
    // A conversation that was cleared meanwhile is not this one's any more.
    if (this.running !== running) return;
    this.running = null;
    if (turn.text) this.messages = [...messages, { role: "assistant", content: turn.text }];
  }
}

class Turn {
  constructor(question, number, vault) {
    this.vault = vault;
    this.prefix = `turn-${number}-source-`;
    this.text = "";
    this.thoughts = "";
    this.citations = [];
    this.used = [];
    this.unsupported = [];
    this.degraded = [];
    this.marked = new Set();
    this.answer = element("div", { class: "answer" }, element("p", { class: "waiting" }, "Reading your notes"));
    this.thinking = element("p");
    this.thinkingBox = element("details", { class: "thinking", hidden: "" }, element("summary", {}, "Thinking"), this.thinking);
    this.sources = element("div", { class: "sources" });
    this.node = element(
      "article",
      { class: "turn", "aria-busy": "true" },
      element("h2", { class: "question" }, question),
      this.thinkingBox,
      this.answer,
      this.sources,
    );
  }

  /** Take in one chunk of the stream. */
  take(chunk) {
    const ours = chunk.vaultbridge ?? {};
    this.citations = ours.citations ?? this.citations;
    this.used = ours.used ?? this.used;
    this.unsupported = ours.unsupported ?? this.unsupported;
    this.degraded = ours.degraded ?? this.degraded;
    this.timings = ours.timings ?? this.timings;
    this.usage = chunk.usage ?? this.usage;
    const delta = chunk.choices?.[0]?.delta ?? {};
    if (!delta.content && !delta.reasoning_content) return;
    this.text += delta.content ?? "";
    this.thoughts += delta.reasoning_content ?? "";
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = null;
    following(() => {
      this.thinkingBox.hidden = !this.thoughts;
      this.thinking.textContent = this.thoughts;
      if (this.text) this.answer.replaceChildren(underline(render(bounded(this.text, this.unsupported), this)));
    });
  }

  /** Show the whole answer, what it rests on, and what went wrong. */
  end(problem = "") {
    cancelAnimationFrame(this.drawing);
    this.draw();
    following(() => {
      if (this.text) this.showSources();
      else this.answer.replaceChildren();
      if (problem) this.answer.append(element("p", { class: "problem", role: "alert" }, problem));
      this.node.setAttribute("aria-busy", "false");
    });
  }

  showSources() {
    const shown = this.citations.filter(({ number }) => this.used.includes(number) || this.marked.has(number));
    const [kind, words] = shown.length ? ["notes", "From your notes"] : ["alone", "Model alone"];
    this.sources.replaceChildren(element("p", { class: "badge", "data-kind": kind }, words));
    if (this.unsupported.length) this.sources.append(element("p", { class: "aside" }, "No note says what is underlined."));
    if (this.degraded.length) this.sources.append(element("p", { class: "aside" }, away(this.degraded)));
    if (!shown.length) return;
    const list = element("ol", { class: "cited", "aria-label": "Sources" });
    for (const { number, path, heading, quote } of shown) {
      list.append(
        element(
          "li",
          { id: this.prefix + number, tabindex: "-1" },
          element("span", { class: "number" }, String(number)),
          element("div", {}, noteLink(this.vault, path, heading), passage(quote)),
        ),
      );
    }
    this.sources.append(list);
  }

  /** `[1]` leads to the source below; none that the server did not name. */
  mark(number) {
    if (!this.citations.some((cited) => cited.number === number)) return null;
    this.marked.add(number);
    return element("a", { class: "mark", href: `#${this.prefix}${number}`, "aria-label": `Source ${number}` }, String(number));
  }

  /** `[[Note#Heading]]` opens in Obsidian. */
  note(target, alias) {
    const [path, ...heading] = target.split("#");
    return element("a", { href: address(this.vault, path, heading.join("#")) }, alias);
  }
}

/** What of the search did not answer, and why. */
function away(lanes) {
  return `Not at work: ${lanes.map(({ lane, reason }) => `${lane} (${reason.replaceAll("_", " ")})`).join(", ")}.`;
}

/** Change the page; whoever looks at its end goes on looking at its end. */
function following(change) {
  const page = document.documentElement;
  const follows = page.scrollHeight - page.scrollTop - page.clientHeight < 80;
  change();
  if (follows) page.scrollTop = page.scrollHeight;
}

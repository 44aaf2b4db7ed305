// Search: the passages that the lanes found, and which lane found each.

import { element } from "./markdown.js";
import { body, noteLink, passage } from "./notes.js";

const LANES = { keyword: "words", dense: "meaning" };
const SHOWN = 240;

export class Search {
  /** `hits` is the list to fill, `found` says how many there are. */
  constructor(server, hits, found) {
    this.server = server;
    this.hits = hits;
    this.found = found;
    this.vault = "";
  }

  /** Look for `words` and show what is found; a later search ends an earlier one. */
  async look(words, mode) {
    this.running?.abort();
    const running = (this.running = new AbortController());
    const asked = new URLSearchParams({ q: words, k: "20", mode });
    try {
      const { hits } = await this.server.get(`/vault/search?${asked}`, running.signal);
      this.found.textContent = hits.length ? `${hits.length} passages` : "Nothing found. Fewer or other words may help.";
      this.hits.replaceChildren(...hits.map((hit) => this.hit(hit)));
    } catch (error) {
      if (running.signal.aborted) return;
      this.found.textContent = error.message;
      this.hits.replaceChildren();
    }
  }

  hit({ note, heading, text, lanes }) {
    const tags = Object.entries(lanes).map(([lane, score]) =>
      element("span", { class: "lane" }, `${LANES[lane] ?? lane} ${score.toPrecision(2)}`),
    );
    const whole = body(text);
    const short = whole.length <= SHOWN;
    return element(
      "li",
      {},
      element("div", { class: "head" }, noteLink(this.vault, note, heading.at(-1) ?? ""), element("span", { class: "lanes" }, ...tags)),
      element("p", { class: "excerpt" }, short ? whole : `${whole.slice(0, SHOWN).trimEnd()} …`),
      ...(short ? [] : [passage(text, "Whole passage")]),
    );
  }
}

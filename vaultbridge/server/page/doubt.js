// What an answer says without a note: its sentences are underlined, quietly.

import { element } from "./markdown.js";

// No text holds these two: Unicode keeps them for a program's own use.
const OPEN = "\ufdd0";
const CLOSE = "\ufdd1";
const REASON = "No note says this";

/** `text` with the bounds of `places` in it, for `underline`; they count code points, as the server does. */
export function bounded(text, places) {
  const characters = [...text.replaceAll(OPEN, "\ufffd").replaceAll(CLOSE, "\ufffd")];
  for (const { start, end } of [...places].sort((one, other) => other.start - one.start)) {
    characters.splice(end, 0, CLOSE);
    characters.splice(start, 0, OPEN);
  }
  return characters.join("");
}

/** Underline what stands between the bounds in `node`, and take them out. */
export function underline(node) {
  const texts = [];
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode);
  let doubted = false;
  for (const text of texts) {
    const parts = text.data.split(new RegExp(`(${OPEN}|${CLOSE})`));
    const nodes = [];
    for (const part of parts) {
      if (part === OPEN || part === CLOSE) doubted = part === OPEN;
      else if (part) nodes.push(doubted ? element("span", { class: "unsupported", title: REASON }, part) : part);
    }
    if (doubted || parts.length > 1) text.replaceWith(...nodes);
  }
  return node;
}

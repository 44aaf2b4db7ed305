// Notes as links that Obsidian opens, and passages to unfold.

import { element } from "./markdown.js";

/** The address under which Obsidian opens a note of `vault` at a heading. */
export function address(vault, path, heading = "") {
  const file = path.replace(/\.md$/, "") + (heading ? `#${heading}` : "");
  return `obsidian://open?vault=${encodeURIComponent(vault)}&file=${encodeURIComponent(file)}`;
}

/** A link to a note: its name, and below it where it stands. */
export function noteLink(vault, path, heading = "") {
  const cut = path.lastIndexOf("/") + 1;
  const name = path.slice(cut).replace(/\.md$/, "");
  const place = [path.slice(0, Math.max(0, cut - 1)).replaceAll("/", " / "), heading].filter(Boolean).join(" · ");
  return element(
    "a",
    { class: "note", href: address(vault, path, heading), title: "Open in Obsidian" },
    element("span", { class: "name" }, name),
    ...(place ? [element("span", { class: "place" }, place)] : []),
  );
}

/** A passage without the headings above it, which its link names, and without empty lines. */
export function body(text) {
  const bare = text.replace(/^(\s*#{1,6} .*(\n|$))+/, "").trim();
  return (bare || text).replace(/\n{2,}/g, "\n");
}

/** A passage of a note, folded. */
export function passage(text, label = "Passage") {
  return element("details", {}, element("summary", {}, label), element("blockquote", {}, body(text)));
}

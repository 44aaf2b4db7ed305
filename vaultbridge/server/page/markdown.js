// A small part of Markdown as DOM nodes. Text only ever becomes text: nothing here reads it as HTML.

const INLINE =
  /(?<code>`+)(?<coded>[^`](?:.*?[^`])?)\k<code>(?!`)|\*\*(?<strong>\S(?:.*?\S)?)\*\*|\*(?<em>[^\s*](?:[^*]*[^\s*])?)\*|\[\[(?<wiki>[^[\]|]+)(?:\|(?<alias>[^[\]]+))?\]\]|\[(?<mark>\d{1,3})\](?!\()|\[(?<label>[^[\]]+)\]\((?<target>https?:\/\/[^\s()]+)\)/s;

/** An element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * The nodes of `text`. `makers.mark(number)` and `makers.note(target, alias)` give a node for `[1]` and `[[Note]]`, or
 * null if there is no such thing.
 */
export function render(text, makers) {
  const out = document.createDocumentFragment();
  const rows = text.split("\n");
  for (let at = 0; at < rows.length; ) at = block(rows, at, out, makers);
  return out;
}

function block(rows, at, out, makers) {
  const row = rows[at];
  const fence = row.match(/^\s*(`{3,}|~{3,})/);
  if (fence) {
    const end = rows.findIndex((other, index) => index > at && other.trim().startsWith(fence[1]));
    const last = end < 0 ? rows.length : end;
    out.append(element("pre", { tabindex: "0" }, element("code", {}, rows.slice(at + 1, last).join("\n"))));
    return last + 1;
  }
  if (!row.trim()) return at + 1;
  const heading = row.match(/^(#{1,6})\s+(.*?)\s*#*$/);
  if (heading) {
    out.append(element(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2], makers)));
    return at + 1;
  }
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(row)) {
    out.append(element("hr"));
    return at + 1;
  }
  if (/^\s*>/.test(row)) return quote(rows, at, out, makers);
  if (item(row)) return list(rows, at, out, makers);
  return paragraph(rows, at, out, makers);
}

function quote(rows, at, out, makers) {
  let end = at;
  while (end < rows.length && /^\s*>/.test(rows[end])) end += 1;
  const inner = rows.slice(at, end).map((row) => row.replace(/^\s*>\s?/, ""));
  out.append(element("blockquote", {}, render(inner.join("\n"), makers)));
  return end;
}

function item(row) {
  const found = row.match(/^(\s*)([-*+]|(\d{1,9})[.)])\s+(.*)$/);
  return found && { depth: found[1].length, number: found[3], text: found[4] };
}

function list(rows, at, out, makers) {
  const first = item(rows[at]);
  const made = first.number === undefined ? element("ul") : element("ol", { start: first.number });
  while (at < rows.length) {
    const next = item(rows[at]);
    if (!next || next.depth < first.depth || (next.number === undefined) !== (first.number === undefined)) break;
    if (next.depth > first.depth + 1 && made.lastElementChild) {
      at = list(rows, at, made.lastElementChild, makers);
      continue;
    }
    made.append(element("li", {}, ...inline(next.text, makers)));
    at += 1;
    while (at < rows.length && /^\s{2,}\S/.test(rows[at]) && !item(rows[at])) {
      made.lastElementChild.append(" ", ...inline(rows[at].trim(), makers));
      at += 1;
    }
    if (at + 1 < rows.length && !rows[at].trim() && item(rows[at + 1])) at += 1;
  }
  out.append(made);
  return at;
}

function paragraph(rows, at, out, makers) {
  const made = element("p");
  do {
    if (made.childNodes.length) made.append(element("br"));
    made.append(...inline(rows[at], makers));
    at += 1;
  } while (at < rows.length && rows[at].trim() && !/^\s*(#{1,6}\s|>|`{3}|~{3})/.test(rows[at]) && !item(rows[at]));
  out.append(made);
  return at;
}

function inline(text, makers) {
  const nodes = [];
  for (let rest = text; rest; ) {
    const found = rest.match(INLINE);
    if (!found) {
      nodes.push(rest);
      break;
    }
    // A mark does not part from the word before it.
    const before = rest.slice(0, found.index);
    if (before) nodes.push(found.groups.mark ? before.replace(/ $/, "\u00a0") : before);
    nodes.push(span(found, makers) ?? found[0]);
    rest = rest.slice(found.index + found[0].length);
  }
  return nodes;
}

function span(found, makers) {
  const { coded, strong, em, wiki, alias, mark, label, target } = found.groups;
  if (coded !== undefined) return element("code", {}, coded);
  if (strong !== undefined) return element("strong", {}, ...inline(strong, makers));
  if (em !== undefined) return element("em", {}, ...inline(em, makers));
  if (wiki !== undefined) return makers.note(wiki, alias ?? wiki);
  if (mark !== undefined) return makers.mark(Number(mark));
  return element("a", { href: target, rel: "noopener noreferrer", target: "_blank" }, label);
}

/** What an answer's marks lead to, as Markdown that Obsidian renders. */

import type { Citation, Unsupported } from "../bridge/wire";
import { named } from "./links";

/** Code, which is left as it is, or a mark: `[3]`, not `[3](…)` nor `[[3]]`. */
const CODE_OR_MARK = /(?<code>```[\s\S]*?(?:```|$)|`[^`\n]*`)|(?<open>\[?)\[(?<number>\d{1,3})\](?![(\]])/g;
const BLOCK_START = /^(?:\s*(?:[-*+]|\d+[.)]|#{1,6}|>)(?:\s+|$)(?:\[[ x]\]\s+)?)+/i;
const UNBALANCED = ["**", "`", "$", "=="];

/** The class of a sentence that no note holds. */
export const UNSUPPORTED = "vaultbridge-unsupported";

/** An answer with its marks as links, and a span around each sentence that no note holds. */
export function linked(text: string, citations: readonly Citation[], unsupported: readonly Unsupported[] = []): string {
  return spanned(text, unsupported, (part) => withLinks(part, citations));
}

function withLinks(text: string, citations: readonly Citation[]): string {
  const links = new Map(citations.map(({ number, link }) => [number, link]));
  return text.replace(CODE_OR_MARK, (whole: string, ...rest: unknown[]) => {
    const { open, number } = rest.at(-1) as { open?: string; number?: string };
    const link = number === undefined || open !== "" ? undefined : links.get(Number(number));
    return link === undefined || number === undefined ? whole : named(link, number);
  });
}

function spanned(text: string, unsupported: readonly Unsupported[], shown: (part: string) => string): string {
  if (unsupported.length === 0) return shown(text);
  const points = Array.from(text);
  const parts: string[] = [];
  let end = 0;
  for (const place of [...unsupported].sort((one, other) => one.start - other.start)) {
    const sentence = points.slice(place.start, place.end).join("");
    const lead = BLOCK_START.exec(sentence)?.[0] ?? "";
    const said = sentence.slice(lead.length);
    if (place.start < end || !isInline(said)) continue;
    parts.push(shown(points.slice(end, place.start).join("")), lead, `<span class="${UNSUPPORTED}">${shown(said)}</span>`);
    end = place.end;
  }
  return [...parts, shown(points.slice(end).join(""))].join("");
}

/** Whether a span may stand around a text: it is within one block, and nothing begins in it that ends outside. */
function isInline(text: string): boolean {
  return text.trim() !== "" && !text.includes("\n") && UNBALANCED.every((mark) => text.split(mark).length % 2 === 1);
}

/** An answer's text for a note: marks as links, and the sources below. */
export function withSources(text: string, citations: readonly Citation[], used: readonly number[], label: string): string {
  const links = citations.filter(({ number }) => used.includes(number)).map(({ link }) => link);
  const below = links.length > 0 ? `\n\n${label} ${[...new Set(links)].join(" · ")}` : "";
  return withLinks(text, citations) + below;
}

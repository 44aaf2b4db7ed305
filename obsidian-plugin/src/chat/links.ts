/** Links as Obsidian writes them: `[[Note#Heading|name]]`, or `[name](Note.md#Heading)` where a name has signs of its own. */

const WIKILINK = /^\[\[([^\]|]*)(?:\|[^\]]*)?\]\]$/;
const MARKDOWN_LINK = /^\[.*\]\(<?([^>]*?)>?\)$/;

/** What a link leads to: a note's name or path, and the heading if it has one. */
export function targetOf(link: string): string {
  const wiki = WIKILINK.exec(link)?.[1];
  if (wiki !== undefined) return wiki;
  const path = MARKDOWN_LINK.exec(link)?.[1];
  return path === undefined ? link : decoded(path);
}

/** The same link under another name. */
export function named(link: string, name: string): string {
  const wiki = WIKILINK.exec(link)?.[1];
  if (wiki !== undefined) return `[[${wiki}|${name}]]`;
  const path = MARKDOWN_LINK.exec(link)?.[1];
  return path === undefined ? name : `[${name}](${path})`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** What a note gives the model to read, no longer than a small model reads. */

export const MOST_CHARACTERS = 6000;

const FRONT_MATTER = /^---[ \t]*\r?\n(?:[^]*?\r?\n)?---[ \t]*(?:\r?\n|$)/;

/** A note's text without its front matter, from its beginning. */
export function beginning(text: string): string {
  const body = text.replace(FRONT_MATTER, "");
  return body.length <= MOST_CHARACTERS ? body : body.slice(0, lastBreak(body.slice(0, MOST_CHARACTERS)));
}

/** What stands above the cursor, up to it. */
export function above(text: string): string {
  const body = text.replace(FRONT_MATTER, "");
  if (body.length <= MOST_CHARACTERS) return body;
  const end = body.slice(-MOST_CHARACTERS);
  const paragraph = end.indexOf("\n\n");
  return paragraph >= 0 && paragraph < MOST_CHARACTERS / 2 ? end.slice(paragraph + 2) : end;
}

function lastBreak(text: string): number {
  const paragraph = text.lastIndexOf("\n\n");
  return paragraph > MOST_CHARACTERS / 2 ? paragraph : text.length;
}

/** The message that asks to write on, or to answer a selection: the title first, so that the note is known. */
export function draftMessage(title: string, text: string): string {
  return text.trim() === "" ? title : `Title: ${title}\n\n${text}`;
}

/** The message that asks for a text to be written anew. */
export function rewriteMessage(instruction: string, text: string): string {
  return `${instruction}\n\n<text>${text}</text>`;
}

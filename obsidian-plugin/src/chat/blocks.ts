/** Markdown in blocks, so that a growing answer is rendered only where it grows. */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** The blocks of a text: pieces between blank lines, with code and the items of a list kept together. Joined they are the text. */
export function blocks(text: string): string[] {
  const made: string[] = [];
  let block = "";
  let fence = "";
  let blank = false;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    if (blank && fence === "" && startsBlock(line)) {
      made.push(block);
      block = "";
    }
    const mark = FENCE.exec(line)?.[1] ?? "";
    if (mark !== "") fence = fence === "" ? mark : mark.startsWith(fence) ? "" : fence;
    block += line;
    blank = line.trim() === "";
  }
  return block === "" ? made : [...made, block];
}

/** A line behind a blank one that does not go on with a list or a quote. */
function startsBlock(line: string): boolean {
  return line.trim() !== "" && !/^(?:\s|(?:[-*+>]|\d+[.)]?)(?:\s|$))/.test(line);
}

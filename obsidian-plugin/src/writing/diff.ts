/** What makes one text into another, word by word, in any script. */

/** Characters `start` to `end` become `insert`. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly insert: string;
}

/** Beyond this many pairs of words to compare, lines are compared. */
const MOST_PAIRS = 4_000_000;

/** The changes from `before` to `after`, in order; neighbours with only blanks between them are one. */
export function changes(before: string, after: string): TextChange[] {
  const words = compared(split(before), split(after));
  return words ?? compared(before.split(/(\n)/), after.split(/(\n)/)) ?? [{ start: 0, end: before.length, insert: after }];
}

function split(text: string): string[] {
  return Array.from(new Intl.Segmenter(undefined, { granularity: "word" }).segment(text), ({ segment }) => segment);
}

function compared(before: readonly string[], after: readonly string[]): TextChange[] | null {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const old = before.slice(head, before.length - tail);
  const made = after.slice(head, after.length - tail);
  if (old.length * made.length > MOST_PAIRS) return null;
  return joined(walk(old, made, before.slice(0, head).join("").length), before.join(""));
}

/** The changes along a longest common subsequence. */
function walk(old: readonly string[], made: readonly string[], offset: number): TextChange[] {
  const width = made.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = old.length - 1; row >= 0; row -= 1)
    for (let column = made.length - 1; column >= 0; column -= 1)
      longest[row * width + column] =
        old[row] === made[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));

  const found: TextChange[] = [];
  let row = 0;
  let column = 0;
  let position = offset;
  while (row < old.length || column < made.length) {
    const start = position;
    let insert = "";
    while ((row < old.length || column < made.length) && (row === old.length || old[row] !== made[column])) {
      if (column === made.length || (row < old.length && at(row + 1, column) >= at(row, column + 1))) {
        position += old[row]?.length ?? 0;
        row += 1;
      } else {
        insert += made[column] ?? "";
        column += 1;
      }
    }
    if (position > start || insert !== "") found.push({ start, end: position, insert });
    for (; row < old.length && old[row] === made[column]; row += 1, column += 1) position += old[row]?.length ?? 0;
  }
  return found;
}

function joined(found: readonly TextChange[], before: string): TextChange[] {
  const made: TextChange[] = [];
  for (const next of found) {
    const last = made.at(-1);
    const between = last === undefined ? "" : before.slice(last.end, next.start);
    // A line's end stays where it is, or accepting one line would change two.
    if (last === undefined || between.trim() !== "" || between.includes("\n")) made.push(next);
    else made.splice(-1, 1, { start: last.start, end: next.end, insert: last.insert + between + next.insert });
  }
  return made;
}

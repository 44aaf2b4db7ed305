/** Text that is written on in a list: its items keep the list's indentation, marker and task boxes. */

interface ListShape {
  readonly indent: string;
  readonly bullet: string;
  /** The number of the item at the cursor and what stands behind it; null for a list without numbers. */
  readonly counted: { readonly number: number; readonly mark: string } | null;
  readonly task: boolean;
  readonly empty: boolean;
}

const ITEM = /^(?<indent>\s*)(?:(?<bullet>[-*+])|(?<number>\d{1,9})(?<mark>[.)]))\s+(?<box>\[.\]\s+)?(?<text>.*)$/s;
/** The beginning of a line of which it is not known yet what it is. */
const UNDECIDED = /^\s*(?:(?:[-*+]|\d{1,9}[.)]?)(?:\s+(?:\[(?:.(?:\](?:\s+)?)?)?)?)?|#{1,6}|`{1,2}|~{1,2})?$/s;
const OTHER_BLOCK = /^(?:#{1,6}\s|```|~~~|>|\|)/;

function shapeOf(line: string): ListShape | null {
  const { indent = "", bullet = "", number, mark = "", box, text = "" } = ITEM.exec(line)?.groups ?? {};
  if (bullet === "" && number === undefined) return null;
  const counted = number === undefined ? null : { number: Number(number), mark };
  return { indent, bullet, counted, task: box !== undefined, empty: text.trim() === "" };
}

/** Takes the model's pieces, gives what is to be written. `line` is the cursor's line up to the cursor. */
export class ListWriter {
  private readonly shape: ListShape | null;
  private left: boolean;
  private held = "";
  private blank = false;
  private first = true;
  private inLine = false;
  private items = 0;
  private modelIndent: number | null = null;

  constructor(line: string) {
    this.shape = shapeOf(line);
    this.left = this.shape === null;
  }

  write(piece: string): string {
    let out = "";
    for (const part of piece.match(/\n|[^\n]+/g) ?? []) out += this.take(part);
    return out;
  }

  /** What was held back. */
  end(): string {
    const held = this.held;
    this.held = "";
    return held.trim() === "" ? "" : this.begin(held);
  }

  private take(part: string): string {
    if (this.left) return part;
    if (part === "\n") return this.endLine();
    if (this.inLine) return part;
    this.held += part;
    return UNDECIDED.test(this.held) ? "" : this.begin(this.release());
  }

  private endLine(): string {
    const held = this.release();
    const out = held.trim() === "" ? "" : this.begin(held);
    this.blank ||= out === "" && !this.inLine && !this.first;
    this.inLine = false;
    // A line's end is written when something follows it; an item that is empty waits for its text.
    this.first &&= out === "" && this.shape?.empty === true;
    return out;
  }

  private release(): string {
    const held = this.held;
    this.held = "";
    return held;
  }

  /** The line's first words are known: what stands in front of them in this list. */
  private begin(line: string): string {
    const { shape } = this;
    const item = ITEM.exec(line);
    const starts = this.first;
    this.first = false;
    this.inLine = true;
    if (shape === null) return line;
    if (starts && item !== null) this.modelIndent = width(item);
    if (starts && (item === null || shape.empty)) return item === null ? line : (item.groups?.["text"] ?? "");
    if (item === null && (this.blank || OTHER_BLOCK.test(line))) {
      this.left = true;
      return `${this.blank ? "\n\n" : "\n"}${line}`;
    }
    this.blank = false;
    return `\n${this.head(shape, item)}${item?.groups?.["text"] ?? line.trimStart()}`;
  }

  private head(shape: ListShape, item: RegExpExecArray | null): string {
    const { bullet, number, mark, box } = item?.groups ?? {};
    if (item !== null) this.modelIndent ??= width(item);
    const deeper = item === null ? 0 : Math.max(0, width(item) - (this.modelIndent ?? 0));
    const task = shape.task ? (box ?? "[ ] ") : (box ?? "");
    if (shape.counted === null) return `${shape.indent}${" ".repeat(deeper)}${shape.bullet} ${task}`;
    if (deeper > 0) return `${shape.indent}${" ".repeat(deeper)}${bullet ?? `${number ?? "1"}${mark ?? "."}`} ${task}`;
    this.items += 1;
    return `${shape.indent}${String(shape.counted.number + this.items)}${shape.counted.mark} ${task}`;
  }
}

function width(item: RegExpExecArray): number {
  return (item.groups?.["indent"] ?? "").replace(/\t/g, "    ").length;
}

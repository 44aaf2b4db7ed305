/** Prompts: a text with places for what the note holds, and what is to be done with the answer. */

export type Output = "insert" | "replace" | "title" | "links";
export type Grounding = "auto" | "always" | "off";

export interface Prompt {
  readonly id: string;
  readonly name: string;
  readonly template: string;
  readonly output: Output;
  readonly grounding: Grounding;
  readonly temperature: number | null;
}

export interface Material {
  readonly title: string;
  readonly note: string;
  readonly above: string;
  readonly selection: string;
  /** What may be suggested, one a line. */
  readonly links: string;
  readonly tags: string;
}

const OUTPUTS: readonly Output[] = ["insert", "replace", "title", "links"];
const GROUNDINGS: readonly Grounding[] = ["auto", "always", "off"];

/** A prompt from a note's front matter and text; what is missing or wrong is as usual. */
export function promptOf(id: string, name: string, fields: Readonly<Record<string, unknown>>, text: string): Prompt {
  const temperature = fields["temperature"];
  return {
    id,
    name,
    template: text.trim(),
    output: OUTPUTS.find((one) => one === fields["output"]) ?? "insert",
    grounding: GROUNDINGS.find((one) => one === fields["grounding"]) ?? "auto",
    temperature: typeof temperature === "number" ? temperature : null,
  };
}

/** The template with the material in its places; without any place the selection, or what is above the cursor, is put below. */
export function filled(template: string, material: Material): string {
  const values = new Map<string, string>(Object.entries(material));
  const text = template.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => values.get(name) ?? whole);
  if (text !== template) return text;
  return `${template}\n\n${material.selection === "" ? material.above : material.selection}`;
}

/** The prompt as the text of a note. */
export function promptNote({ id, template, output, grounding, temperature }: Prompt): string {
  const fields = [`vaultbridge: ${id}`, `output: ${output}`, `grounding: ${grounding}`];
  if (temperature !== null) fields.push(`temperature: ${String(temperature)}`);
  return `---\n${fields.join("\n")}\n---\n${template}\n`;
}

/** Which of these links and tags an answer names: a tag is no part of a longer one. */
export function named(answer: string, values: readonly string[]): string[] {
  const words = new Set(answer.split(/[\s,;]+/).map((word) => word.replace(/[.。:]+$/, "")));
  return values.filter((value) => (value.startsWith("#") ? words.has(value) : answer.includes(value)));
}

/** The first line of an answer as a note's name: no signs that a file's name or a link may not have. */
export function titleOf(answer: string): string {
  const line = answer.trim().split("\n")[0] ?? "";
  const plain = line.replace(/^(?:#{1,6}\s+|\*\*)?(?:title|标题)\s*[:：]\s*/i, "").replace(/^#{1,6}\s+|[*_`"“”]/g, "");
  return plain.replace(/[\\/:*?"<>|#^[\]]/g, " ").replace(/\s+/g, " ").replace(/[.\s]+$/, "").trim().slice(0, 120);
}

// What the Node clients share: what is asked, and how it is written down what a client got.
import { readFileSync } from "node:fs";

// The server with the starter models, and one with the fake ones, which call tools when they are told to.
export const [address, fakes] = process.argv.slice(2);
export const asked = JSON.parse(readFileSync(new URL("asked.json", import.meta.url)));
export const vaultModel = "any";
export const plainModel = "any@plain";

export function must(held, what) {
  if (!held) throw new Error(what);
}

// Tries each cell in turn; a cell returns a word or two, or throws. Prints all of them as JSON.
export async function tryAll(cells) {
  const results = {};
  for (const [name, cell] of Object.entries(cells)) {
    try {
      results[name] = { ok: true, got: await cell() };
    } catch (error) {
      results[name] = { ok: false, got: String(error?.message ?? error) };
    }
  }
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
}

export function grounded(text, pieces = 2) {
  must(text.includes(asked.source), `no sources in ${JSON.stringify(text)}`);
  must(pieces > 1, "it came in one piece");
  return "text, sources";
}

export function called(name, callArguments) {
  must(name === asked.tool.name, `it called ${name}`);
  const given = typeof callArguments === "string" ? JSON.parse(callArguments) : callArguments;
  must(asked.tool.parameters.properties.city.enum.includes(given.city), `its arguments: ${JSON.stringify(given)}`);
  return "call";
}

export function formed(value) {
  must(asked.form.properties.day.enum.includes(value.day) && typeof value.weekly === "boolean", JSON.stringify(value));
  return "typed object";
}

export function embedded([first, second, third]) {
  const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
  const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  must(cosine(first, second) > cosine(first, third), "what means the same is not nearer");
  return `${first.length} numbers`;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the server says, as its own tests wrote it. */
export function snapshot(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../../tests/snapshots", name), "utf8");
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const json = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, "../..", path), "utf8")) as Record<string, string>;

it("the manifest that the community directory reads is the plugin's own", () => {
  const manifest = json("manifest.json");
  expect(json("../manifest.json")).toEqual(manifest);
  expect(json("versions.json")[manifest["version"] ?? ""]).toBe(manifest["minAppVersion"]);
  expect(json("package.json")["version"]).toBe(manifest["version"]);
});

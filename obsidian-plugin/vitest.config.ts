import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  test: {
    projects: [
      // These rooms need neither Obsidian nor a page.
      { test: { name: "rooms", include: ["tests/{bridge,chat,writing}/*.test.ts"] } },
      {
        resolve: { alias: { obsidian: here("tests/twin/obsidian.ts") } },
        test: {
          name: "page",
          environment: "jsdom",
          include: ["tests/{editor,features}/*.test.ts"],
          setupFiles: ["tests/twin/dom.ts"],
        },
      },
    ],
  },
});

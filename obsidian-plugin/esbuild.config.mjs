// Builds main.js, as Obsidian loads it. `node esbuild.config.mjs host FILE` builds the test host's page script instead.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [what, outfile] = process.argv.slice(2);

const common = {
  absWorkingDir: here("."),
  bundle: true,
  target: "es2022",
  logLevel: "warning",
  metafile: true,
};

const MOST_BYTES = 300_000;

const { metafile } = await (what === "host"
  ? build({
      ...common,
      entryPoints: ["tests/host/host.ts"],
      outfile,
      format: "iife",
      alias: { obsidian: here("tests/twin/obsidian.ts") },
      external: ["node:*"],
    })
  : build({
      ...common,
      entryPoints: ["src/main.ts"],
      outfile: "main.js",
      format: "cjs",
      treeShaking: true,
      minify: true,
      // Obsidian has one CodeMirror for all, and Node only on the desktop, where it is imported when it is needed.
      external: ["obsidian", "@codemirror/*", "node:*"],
      supported: { "dynamic-import": false },
    }));
const bytes = metafile.outputs["main.js"]?.bytes ?? 0;
if (bytes > MOST_BYTES) throw new Error(`main.js has ${bytes} bytes, more than ${MOST_BYTES}`);

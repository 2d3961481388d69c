// Bundles the page into the folder of the Python package that serves it: node build.mjs [--out DIRECTORY]
//
// Names carry a hash of their content, so that browsers may keep them; index.html names them.

import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values } = parseArgs({
  options: { out: { type: "string", default: join(here, "../src/steerway/admin/static") } },
});

await mkdir(values.out, { recursive: true });
for (const name of await readdir(values.out)) await rm(join(values.out, name), { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.tsx", "src/style/main.css"],
  entryNames: "[name]-[hash]",
  outdir: values.out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome119", "firefox121", "safari17.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const built = Object.keys(result.metafile.outputs).map((path) => basename(path));
const named = (suffix) => built.find((name) => name.endsWith(suffix));
const template = await readFile(join(here, "src/index.html"), "utf8");
await writeFile(
  join(values.out, "index.html"),
  template.replace("main.css", named(".css")).replace("main.js", named(".js")),
);

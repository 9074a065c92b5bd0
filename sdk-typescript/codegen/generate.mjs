// Makes src/generated from ../openapi.yaml, or with --check compares it: types by
// @hey-api/openapi-ts, the classes of methods and the shapes of answers by the files beside this.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@hey-api/openapi-ts";
import { format } from "prettier";
import { parse } from "yaml";
import { contract, typed } from "./contract.mjs";
import { methodsOf } from "./methods.mjs";
import { operationsOf } from "./operations.mjs";
import { shapesOf } from "./shapes.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const target = join(root, "src", "generated");
const spec = join(root, "..", "openapi.yaml");
const STAMP = "// Generated from openapi.yaml; do not edit. `make generate` rebuilds it.\n";

/** Every file of src/generated: its name and its text. */
async function generated() {
  const folder = mkdtempSync(join(tmpdir(), "hookwright-typescript-"));
  try {
    const api = contract(parse(readFileSync(spec, "utf8")));
    await writeTypes(api, folder);
    const made = {
      "methods.gen.ts": methodsOf(api),
      "operations.gen.ts": operationsOf(api),
      "shapes.gen.ts": shapesOf(api),
      "types.gen.ts": readFileSync(join(folder, "types.gen.ts"), "utf8"),
    };
    const files = new Map();
    for (const [name, text] of Object.entries(made))
      files.set(name, STAMP + (await formatted(text)));
    return files;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function writeTypes(api, folder) {
  const logs = console.log;
  console.log = () => {}; // it announces itself whatever the level
  try {
    await createClient({
      input: typed(api),
      logs: { level: "warn", file: false },
      output: { path: folder, clean: false, entryFile: false, header: null },
      plugins: ["@hey-api/typescript"],
    });
  } finally {
    console.log = logs;
  }
}

async function formatted(text) {
  return await format(text, { parser: "typescript", printWidth: 100 });
}

/** What is committed now; empty before the first time. */
function present() {
  const files = readdirSync(target).sort();
  return new Map(files.map((name) => [name, readFileSync(join(target, name), "utf8")]));
}

const made = await generated();
const committed = present();
const changed = [...new Set([...made.keys(), ...committed.keys()])].filter(
  (name) => made.get(name) !== committed.get(name),
);
if (process.argv.includes("--check")) {
  for (const name of changed)
    console.error(`sdk-typescript/src/generated/${name} differs from openapi.yaml`);
  if (changed.length > 0) console.error("run `make generate`");
  process.exitCode = changed.length > 0 ? 1 : 0;
} else {
  for (const name of committed.keys()) if (!made.has(name)) rmSync(join(target, name));
  for (const [name, text] of made) writeFileSync(join(target, name), text);
  console.log(`wrote ${made.size} files of sdk-typescript/src/generated`);
}

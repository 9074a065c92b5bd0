// The examples of README.md as programs: tests/readme/NN.ts, which are type-checked and run. One
// that ends only by force is marked with `<!-- example: not run -->` and becomes NN.types.ts.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "tests", "readme");
const BLOCK = /(<!-- example: not run -->\n)?```ts\n(.*?)```/gs;
const ENTRIES = { "": "index", "/nestjs": "nestjs/index" };

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const text = readFileSync(join(root, "README.md"), "utf8");
for (const [index, [, notRun, code]] of [...text.matchAll(BLOCK)].entries()) {
  const own = code.replace(/from "hookwright(\/\w+)?"/g, (_, entry = "") => {
    return `from "../../src/${ENTRIES[entry] ?? entry.slice(1)}.js"`;
  });
  const name = `${String(index + 1).padStart(2, "0")}${notRun ? ".types" : ""}.ts`;
  writeFileSync(join(folder, name), own);
}

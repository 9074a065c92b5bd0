import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const PACKAGE = JSON.parse(text("package.json"));

test("each entry has its types where `exports` is not read, as in CommonJS projects", () => {
  const { ".": main, ...entries } = PACKAGE.exports as Record<string, { types: string }>;

  assert.equal(PACKAGE.types, main?.types);
  assert.deepEqual(
    PACKAGE.typesVersions["*"],
    Object.fromEntries(
      Object.entries(entries).map(([name, { types }]) => [name.slice(2), [types]]),
    ),
  );
});

test("the README leads to nothing that is not in the package", () => {
  const targets = [...text("README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target);
  const local = targets.filter((target) => !/^(https:\/\/|#|LICENSE$|dist\/)/.test(target ?? ""));

  assert.deepEqual(local, []);
});

function text(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
}

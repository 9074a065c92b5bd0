// Packs the SDK, installs it into empty projects (from the network), type-checks there as strictly
// as TypeScript can, and runs the README's examples against `hookwright-server serve`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./build/tests/server.js";

const here = dirname(fileURLToPath(import.meta.url));
const npm = (process.env.NPM ?? "npm").split(" "); // tools/node.sh knows where it is
const BLOCK = /(<!-- example: not run -->\n)?```ts\n(.*?)```/gs;
const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  experimentalDecorators: true,
  target: "ES2022",
  module: "nodenext",
};

const examples = [...readFileSync(join(here, "README.md"), "utf8").matchAll(BLOCK)].map(
  ([, notRun, code], index) => ({
    name: `example-${index + 1}`,
    code,
    isRun: notRun === undefined,
  }),
);
const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));

function versions(...names) {
  return names.map((name) => `${name}@${lock.packages[`node_modules/${name}`].version}`);
}

function run(folder, command, ...args) {
  const env = { ...process.env, npm_config_loglevel: "error" };
  const options = { cwd: folder, encoding: "utf8", env, stdio: ["ignore", "pipe", "inherit"] };
  const done = spawnSync(command, args, options);
  if (done.status !== 0)
    throw new Error(`${[command, ...args].join(" ")} failed:\n${done.stdout}`, {
      cause: done.error,
    });
  return done.stdout;
}

/** An empty project with the package and what else is named, in the versions of our lock. */
function install(folder, tarball, dependencies) {
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  writeFileSync(join(folder, ".npmrc"), readFileSync(join(here, ".npmrc")));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS }));
  const [command, ...args] = npm;
  const named = versions("typescript", ...dependencies);
  run(folder, command, ...args, "install", "--no-progress", tarball, ...named);
}

/** Such a project with these examples in it, type-checked and compiled. */
function project(folder, tarball, dependencies, wanted) {
  install(folder, tarball, dependencies);
  for (const { name, code } of wanted) writeFileSync(join(folder, `${name}.ts`), code);
  run(folder, process.execPath, "node_modules/typescript/bin/tsc");
}

/** How a CommonJS project checks, which knows nothing of `exports`. */
const COMMONJS = {
  skipLibCheck: true, // as Nest's own projects do
  esModuleInterop: true,
  module: "commonjs",
  moduleResolution: "node10",
  outDir: "commonjs",
};
/** How `next build` does, by the tsconfig.json that it writes, and stricter. */
const NEXT = {
  target: "ES2017",
  lib: ["dom", "dom.iterable", "esnext"],
  esModuleInterop: true,
  module: "esnext",
  moduleResolution: "bundler",
  isolatedModules: true,
  noEmit: true,
};

/** Type-checks the examples that import these entries, in a project that has other options. */
function checkAs(folder, name, options, entries) {
  const imports = new RegExp(`"hookwright(${entries.join("|")})"`);
  const files = examples.filter(({ code }) => imports.test(code)).map((each) => `${each.name}.ts`);
  const compilerOptions = { ...OPTIONS, ...options };
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ compilerOptions, files }));
  run(folder, process.execPath, "node_modules/typescript/bin/tsc", "-p", `${name}.json`);
  console.log(`the same as ${name}: type-checks`);
}

async function runExamples(folder, wanted) {
  const server = await serve();
  process.env.HOOKWRIGHT_API_KEY = server.apiKey;
  process.env.HOOKWRIGHT_BASE_URL = server.url;
  try {
    for (const { name } of wanted) {
      const shown = run(folder, process.execPath, `${name}.js`);
      if (shown === "") throw new Error(`${name} of README.md prints nothing`);
      console.log(`README.md, ${name}:\n${shown.trimEnd().replaceAll(/^/gm, "  ")}`);
    }
  } finally {
    await server.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), "hookwright-npm-"));
try {
  const [command, ...args] = npm;
  const packed = run(here, command, ...args, "pack", "--json", "--pack-destination", folder);
  const [{ filename, size, entryCount }] = JSON.parse(packed);
  console.log(`${filename}: ${entryCount} files, ${size} bytes`);
  const tarball = join(folder, filename);

  const plain = examples.filter(({ isRun }) => isRun);
  project(join(folder, "plain"), tarball, [], plain);
  const installed = JSON.parse(readFileSync(join(folder, "plain", "package-lock.json"), "utf8"));
  console.log(`an empty project: ${Object.keys(installed.packages).slice(1).join(", ")}`);
  await runExamples(join(folder, "plain"), plain);

  const frameworks = ["@nestjs/common", "rxjs", "reflect-metadata", "express", "fastify"];
  const types = ["@types/node", "@types/express"];
  project(join(folder, "frameworks"), tarball, [...frameworks, ...types], examples);
  console.log(`a project with ${frameworks.join(", ")}: type-checks`);
  checkAs(join(folder, "frameworks"), "CommonJS", COMMONJS, ["/nestjs", "/express", "/next"]);
  checkAs(join(folder, "frameworks"), "Next", NEXT, ["", "/next"]);
} finally {
  rmSync(folder, { recursive: true });
}

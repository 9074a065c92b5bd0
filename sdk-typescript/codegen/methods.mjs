// The classes of methods: one for each namespace, and one that holds them all.
import { camel } from "./contract.mjs";
import { comment, methodText } from "./texts.mjs";

export function methodsOf(api) {
  return [
    'import type { CallOptions, PostOptions } from "../core/call.js";',
    'import type { Core } from "../core/core.js";',
    'import type { ApiPromise } from "../core/promise.js";',
    'import type { PagePromise } from "../core/paging.js";',
    `import type { ${imported(api).join(", ")} } from "./types.gen.js";`,
    ...api.namespaces.map(namespaceClass),
    allNamespaces(api),
  ].join("\n\n");
}

function imported(api) {
  const names = new Set();
  for (const one of api.namespaces.flatMap((each) => each.operations)) {
    for (const name of [one.body?.type, one.item ?? one.result]) if (name) names.add(name);
    if (one.hasQuery) names.add(`${one.typeName}Data`);
  }
  return [...names].sort();
}

function namespaceClass(namespace) {
  return `${comment(namespace.description)}
export class ${namespace.className} {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  ${namespace.operations.map((one) => method(namespace, one)).join("\n\n")}
}`;
}

function method(namespace, one) {
  const returned = one.item ? `PagePromise<${one.item}>` : `ApiPromise<${one.result ?? "void"}>`;
  return `${comment(methodText(namespace, one))}
  ${one.method}(${parametersOf(one).join(", ")}): ${returned} {
    return this.#core.${one.item ? "list" : "call"}(${callOf(one)}, options);
  }`;
}

function parametersOf(one) {
  const parts = one.pathParams.map((each) => `${camel(each.name)}: string`);
  if (one.body) parts.push(`body${one.body.required ? "" : "?"}: ${one.body.type}`);
  if (one.hasQuery) parts.push(`query${one.needsQuery ? "" : "?"}: ${one.typeName}Data["query"]`);
  parts.push(`options?: ${one.idempotent ? "PostOptions" : "CallOptions"}`);
  return parts;
}

function callOf(one) {
  const members = [
    `id: ${JSON.stringify(one.id)}`,
    `method: ${JSON.stringify(one.http)}`,
    `path: ${JSON.stringify(one.path)}`,
  ];
  if (one.pathParams.length > 0)
    members.push(
      `params: { ${one.pathParams.map((each) => `${each.name}: ${camel(each.name)}`).join(", ")} }`,
    );
  if (one.hasQuery) members.push("query");
  if (one.body) members.push("body");
  if (one.idempotent) members.push("idempotent: true");
  const shape = one.item ?? one.result;
  if (shape) members.push(`result: ${JSON.stringify(shape)}`);
  return `{ ${members.join(", ")} }`;
}

function allNamespaces(api) {
  const fields = api.namespaces.map(
    (each) => `${comment(each.description)}\n  readonly ${each.name}: ${each.className};`,
  );
  const made = api.namespaces.map((each) => `this.${each.name} = new ${each.className}(core);`);
  return `/** Every namespace of the API. */
export abstract class Namespaces {
  ${fields.join("\n  ")}

  constructor(core: Core) {
    ${made.join("\n    ")}
  }
}`;
}

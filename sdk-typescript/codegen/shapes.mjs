// What answers must look like, as data: src/core/shapes.ts compares them with what a server sent.

/** All schemas that the results of operations, and items of pages, are made of. */
export function shapesOf(api) {
  const found = new Map();
  const waiting = api.namespaces
    .flatMap((each) => each.operations)
    .map((one) => one.item ?? one.result);
  for (let name = waiting.shift(); waiting.length > 0 || name; name = waiting.shift()) {
    if (name === undefined || found.has(name)) continue;
    const members = {};
    const { properties, required } = merged(api, api.schemas[name]);
    for (const [key, schema] of Object.entries(properties)) {
      const text = shape(api, schema, waiting);
      members[required.has(key) ? key : `${key}?`] = text;
    }
    found.set(name, members);
  }
  const sorted = [...found].sort(([left], [right]) => (left < right ? -1 : 1));
  return `import type { Shapes } from "../core/shapes.js";

/** Members of the objects in answers: \`name?\` may be absent, \`|null\` may be null. */
export const shapes: Shapes = ${JSON.stringify(Object.fromEntries(sorted), null, 2)};
`;
}

function merged(api, schema) {
  const properties = {};
  const required = new Set();
  for (const part of [
    ...(schema.allOf ?? []).map(api.resolve),
    ...(schema.properties ? [schema] : []),
  ]) {
    const inner =
      part === schema
        ? { properties: schema.properties, required: schema.required ?? [] }
        : merged(api, part);
    Object.assign(properties, inner.properties);
    for (const name of inner.required) required.add(name);
  }
  return { properties, required };
}

function shape(api, schema, waiting) {
  if (schema.$ref !== undefined) {
    const target = api.resolve(schema);
    if (target.properties === undefined && target.allOf === undefined)
      return shape(api, target, waiting);
    const name = schema.$ref.split("/").at(-1);
    waiting.push(name);
    return name;
  }
  if (schema.anyOf !== undefined) return nullable(api, schema.anyOf, waiting);
  if (Array.isArray(schema.type)) {
    const [type] = schema.type.filter((each) => each !== "null");
    return `${shape(api, { ...schema, type }, waiting)}|null`;
  }
  if (schema.format === "date-time") return "instant";
  if (schema.const !== undefined) return typeof schema.const;
  if (schema.type === "array") return `${shape(api, schema.items, waiting)}[]`;
  return schema.type ?? "any";
}

function nullable(api, variants, waiting) {
  const [first, ...others] = variants.filter((each) => each.type !== "null");
  // A union of several is told apart by no SDK yet; whatever it holds is kept.
  if (others.length > 0) return "any";
  return `${shape(api, first, waiting)}${variants.length > 1 ? "|null" : ""}`;
}

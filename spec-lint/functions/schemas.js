// Rules on schemas: given the whole document, returns findings with their paths.

const METHODS = ["get", "put", "post", "patch", "delete"];
const SKIPPED = ["example", "examples", "headers"];
const isObject = (value) => value !== null && typeof value === "object";

function* operations(document) {
  for (const [path, item] of Object.entries(document.paths ?? {}))
    for (const method of METHODS) if (item[method]) yield [["paths", path, method], item[method]];
}

// Every schema below `schema`, itself included, each object once.
function* below(schema, path, seen = new Set()) {
  if (!isObject(schema) || seen.has(schema)) return;
  seen.add(schema);
  yield [path, schema];
  for (const key of ["items", "additionalProperties", "propertyNames", "not", "if", "then", "else"])
    yield* below(schema[key], [...path, key], seen);
  for (const key of ["allOf", "anyOf", "oneOf", "prefixItems"])
    for (const [index, part] of (schema[key] ?? []).entries())
      yield* below(part, [...path, key, index], seen);
  for (const [name, part] of Object.entries(schema.properties ?? {}))
    yield* below(part, [...path, "properties", name], seen);
}

// "Requests refuse unknown fields": objects with named properties are closed, free-form maps stay open.
function* closedRequests(document) {
  for (const [path, { requestBody }] of operations(document))
    for (const [type, media] of Object.entries(requestBody?.content ?? {}))
      for (const [where, schema] of below(media.schema, [...path, "requestBody", "content", type, "schema"]))
        if (schema.properties && schema.additionalProperties !== false)
          yield [where, "an object in a request needs additionalProperties: false"];
}

// "Responses may gain fields": a client that validates must not break when they do.
function* openResponses(document) {
  const requestSchemas = new Set();
  for (const [path, { requestBody }] of operations(document))
    for (const media of Object.values(requestBody?.content ?? {}))
      for (const [, schema] of below(media.schema, path)) requestSchemas.add(schema);
  for (const [path, { responses }] of operations(document))
    for (const [status, response] of Object.entries(responses ?? {}))
      for (const [type, media] of Object.entries(response.content ?? {}))
        for (const [where, schema] of below(media.schema, [...path, "responses", status, "content", type, "schema"]))
          // A component that requests use too is closed for their sake.
          if (schema.properties && schema.additionalProperties === false && !requestSchemas.has(schema))
            yield [where, "an object in a response must not forbid more properties"];
}

// Objects and enums become classes in the SDKs: each needs a name of its own.
function* named(document) {
  const roots = [
    ...Object.entries(document.components?.schemas ?? {}).flatMap(([name, schema]) =>
      childrenOf(schema, ["components", "schemas", name]),
    ),
    ...inlineRoots(document),
  ];
  for (const [path, root] of roots)
    for (const [where, schema] of below(root, path))
      if (schema.properties || schema.enum)
        yield [where, "an object or enum must be a named component (#/components/schemas/…)"];
}

const childrenOf = (schema, path) =>
  [...below(schema, path)].slice(1).filter(([where]) => !where.includes("not") && !where.includes("allOf"));

// Schemas that stand directly at a parameter or media type (headers never become classes).
function* inlineRoots(node, path = []) {
  if (!isObject(node) || path[1] === "schemas" || SKIPPED.includes(path.at(-1))) return;
  if (isObject(node.schema)) yield [[...path, "schema"], node.schema];
  for (const [key, value] of Object.entries(node))
    if (key !== "schema") yield* inlineRoots(value, [...path, key]);
}

// Client generators lose the format of `type: [string, 'null']`.
function* nullable(document) {
  for (const [name, root] of Object.entries(document.components?.schemas ?? {}))
    for (const [where, schema] of below(root, ["components", "schemas", name]))
      if (Array.isArray(schema.type) && schema.type.includes("null") && schema.format)
        yield [where, "a nullable schema with a format is anyOf: [{…}, {type: 'null'}]"];
}

const rules = { closedRequests, openResponses, named, nullable };

export default function schemas(document, { rule }) {
  return [...rules[rule](document)].map(([path, message]) => ({ path, message }));
}

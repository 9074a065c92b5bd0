// openapi.yaml as the generators want it: namespaces with their operations, references resolved.

/** `hidden` are the operations that SDKs do not have. */
export function contract(document) {
  const resolve = (part) => {
    if (part?.$ref === undefined) return part;
    return resolve(
      part.$ref
        .slice(2)
        .split("/")
        .reduce((at, key) => at[key], document),
    );
  };
  const all = [];
  for (const [path, item] of Object.entries(document.paths))
    for (const http of ["get", "put", "post", "delete", "patch"])
      if (item[http]) all.push(operation(path, http, item, resolve));
  const isHidden = (tag) => tag["x-sdk"]?.generate === false;
  const namespaces = document.tags
    .filter((tag) => !isHidden(tag))
    .map((tag) => ({
      name: camel(tag.name),
      className: pascal(tag.name),
      description: tag.description,
      operations: all.filter((one) => one.tag === tag.name),
    }));
  const hidden = all.filter((one) => isHidden(document.tags.find((tag) => tag.name === one.tag)));
  return { document, resolve, namespaces, hidden, schemas: document.components.schemas };
}

function operation(path, http, item, resolve) {
  const raw = item[http];
  const parameters = [...(item.parameters ?? []), ...(raw.parameters ?? [])].map(resolve);
  const status = Object.keys(raw.responses).find((each) => each.startsWith("2"));
  const success = resolve(raw.responses[status]).content?.["application/json"].schema;
  const result = success && nameOf(success);
  const isPage = raw["x-sdk"]?.paginate === "cursor";
  const [, method] = raw.operationId.split(".");
  return {
    id: raw.operationId,
    typeName: pascal(raw.operationId.replace(".", "_")),
    tag: raw.tags[0],
    method: camel(method),
    http: http.toUpperCase(),
    path,
    summary: raw.summary,
    description: raw.description,
    deprecated: raw.deprecated === true,
    errorCodes: raw["x-error-codes"] ?? [],
    pathParams: parameters.filter((each) => each.in === "path"),
    hasQuery: parameters.some((each) => each.in === "query"),
    needsQuery: parameters.some((each) => each.in === "query" && each.required),
    idempotent: parameters.some((each) => each.in === "header" && each.name === "Idempotency-Key"),
    body: bodyOf(raw.requestBody, resolve),
    result,
    item: isPage ? nameOf(resolve(success).properties.data.items) : undefined,
  };
}

function bodyOf(raw, resolve) {
  if (raw === undefined) return undefined;
  const body = resolve(raw);
  const content = body.content["application/json"];
  const example = Object.values(content.examples ?? {})[0]?.value;
  return { type: nameOf(content.schema), required: body.required === true, example };
}

/** The document without what SDKs do not show: hidden operations, errors, headers. */
export function typed(api) {
  const paths = structuredClone(api.document.paths);
  for (const { http, path } of api.hidden) delete paths[path][http.toLowerCase()];
  for (const raw of Object.values(paths).flatMap((item) => Object.values(item))) {
    if (raw.responses === undefined) continue;
    const isSuccess = ([status]) => status.startsWith("2");
    raw.responses = Object.fromEntries(Object.entries(raw.responses).filter(isSuccess));
    raw.parameters = raw.parameters?.filter((each) => api.resolve(each).in !== "header");
  }
  return { ...api.document, paths };
}

/** The name of the schema that a reference leads to. */
export function nameOf(schema) {
  if (schema.$ref === undefined) throw new Error(`not a named schema: ${JSON.stringify(schema)}`);
  return schema.$ref.split("/").at(-1);
}

export function camel(name) {
  return name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

export function pascal(name) {
  return camel(`_${name}`);
}

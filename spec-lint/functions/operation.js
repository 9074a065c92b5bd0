// Rules on one operation: given the operation object (references resolved), returns findings.

const REFUSALS = ["400", "408", "414", "431", "500", "503"];
const REFUSALS_WITH_KEY = ["401", "403", "429"];
const REFUSALS_WITH_BODY = ["413", "415"];

const isSecured = (operation) => !operation.security || operation.security.length > 0;

const jsonOf = (message) => message?.content?.["application/json"];

const hasExample = (media) =>
  media.example !== undefined || Object.keys(media.examples ?? {}).length > 0;

function* tag({ operationId = "", tags = [] }) {
  if (tags.length !== 1) yield `has ${tags.length} tags; it needs exactly one`;
  else if (operationId.split(".")[0] !== tags[0])
    yield `is called "${operationId}" but tagged "${tags[0]}"; the first part of the id is the tag`;
}

function* refusals(operation) {
  const expected = [
    ...REFUSALS,
    ...(isSecured(operation) ? REFUSALS_WITH_KEY : []),
    ...(operation.requestBody ? REFUSALS_WITH_BODY : []),
  ];
  for (const status of expected)
    if (!operation.responses?.[status]) yield `does not describe its ${status} answer`;
}

function* problems({ responses = {} }) {
  for (const [status, response] of Object.entries(responses))
    if (status >= "400" && !response.content?.["application/problem+json"])
      yield `answers ${status} without application/problem+json`;
}

function* success({ responses = {} }) {
  const found = Object.keys(responses).filter((status) => status.startsWith("2"));
  if (found.length !== 1) yield `has ${found.length} success answers; it needs exactly one`;
}

function* examples({ requestBody, responses = {} }) {
  const request = jsonOf(requestBody);
  if (request && !hasExample(request)) yield "has no example of its request";
  for (const [status, response] of Object.entries(responses))
    for (const [type, media] of Object.entries(response.content ?? {}))
      if (!hasExample(media)) yield `has no example of its ${status} answer (${type})`;
}

function* links({ operationId = "", responses = {} }) {
  if (operationId.endsWith(".create") && !Object.keys(responses["201"]?.links ?? {}).length)
    yield "creates something but links to no operation on it";
}

function* scope(operation) {
  if (isSecured(operation) && !operation["x-scope"])
    yield "needs a key but names no x-scope";
}

const rules = { tag, refusals, problems, success, examples, links, scope };

export default function operation(target, { rule }) {
  return [...rules[rule](target)].map((finding) => ({
    message: `${target.operationId ?? "an operation without id"} ${finding}`,
  }));
}

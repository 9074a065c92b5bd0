// The contract's sentences as comments.
import { camel } from "./contract.mjs";

const WIDTH = 92;

/** A comment for the line before what it is about. */
export function comment(text) {
  const lines = text.trim().replaceAll("*/", "*\\/").split("\n").flatMap(wrapped);
  return `/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */`;
}

export function methodText(namespace, one) {
  const parts = [sentence(one.summary)];
  if (one.deprecated) parts.push("@deprecated");
  if (one.description) parts.push(one.description.trim());
  const tags = one.pathParams.map(
    (each) => `@param ${camel(each.name)} ${sentence(each.description ?? each.name)}`,
  );
  if (one.errorCodes.length > 0)
    tags.push(
      `@throws APIStatusError, among others with the codes ${one.errorCodes.map((code) => `\`${code}\``).join(", ")}.`,
    );
  if (tags.length > 0) parts.push(tags.join("\n"));
  if (one.body?.example) parts.push(`@example\n${exampleOf(namespace, one)}`);
  return parts.join("\n\n");
}

/** A call with the request body that the contract shows. */
export function exampleOf(namespace, one) {
  const given = one.pathParams.map((each) =>
    each.name === "app_slug" ? '"my-app"' : camel(each.name),
  );
  const args = [...given, JSON.stringify(one.body.example, null, 2)];
  return `await client.${namespace.name}.${one.method}(${args.join(", ")});`;
}

function sentence(text) {
  const trimmed = text.trim();
  return /[.?!]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

function wrapped(line) {
  const indent = /^ */.exec(line)[0];
  const lines = [];
  let current = indent;
  for (const word of line.trim().split(" ")) {
    if (current.trim() !== "" && current.length + word.length >= WIDTH) {
      lines.push(current);
      current = indent;
    }
    current += current.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, current];
}

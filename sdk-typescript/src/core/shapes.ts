// Whether an answer is what its type says. What is unknown is kept: members, values of enums.

/** Of each schema its members: `name?` may be absent; the values are `kind[]` and `kind|null`. */
export type Shapes = Readonly<Record<string, Readonly<Record<string, string>>>>;

const INSTANT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** What is wrong with `value` as a `kind`, and where; null when nothing is. */
export function mismatch(
  shapes: Shapes,
  kind: string,
  value: unknown,
  place = "the body",
): string | null {
  if (kind.endsWith("|null"))
    return value === null ? null : mismatch(shapes, kind.slice(0, -"|null".length), value, place);
  if (kind.endsWith("[]")) return itemMismatch(shapes, kind.slice(0, -"[]".length), value, place);
  const shape = shapes[kind];
  if (shape !== undefined) return memberMismatch(shapes, shape, kind, value, place);
  return isOfKind(kind, value) ? null : `${place} is ${named(value)}, not ${article(kind)}`;
}

function itemMismatch(shapes: Shapes, kind: string, value: unknown, place: string): string | null {
  if (!Array.isArray(value)) return `${place} is ${named(value)}, not a list`;
  for (const [index, item] of value.entries()) {
    const found = mismatch(shapes, kind, item, `${place}/${index}`);
    if (found !== null) return found;
  }
  return null;
}

function memberMismatch(
  shapes: Shapes,
  shape: Readonly<Record<string, string>>,
  name: string,
  value: unknown,
  place: string,
): string | null {
  if (!isObject(value)) return `${place} is ${named(value)}, not the object ${name}`;
  for (const [key, kind] of Object.entries(shape)) {
    const member = key.endsWith("?") ? key.slice(0, -1) : key;
    if (!Object.hasOwn(value, member)) {
      if (member === key) return `${place} lacks the member ${member} of ${name}`;
      continue;
    }
    const found = mismatch(shapes, kind, value[member], `${place}/${member}`);
    if (found !== null) return found;
  }
  return null;
}

function isOfKind(kind: string, value: unknown): boolean {
  switch (kind) {
    case "any":
      return true;
    case "integer":
      return Number.isInteger(value);
    case "instant":
      return typeof value === "string" && INSTANT.test(value) && !Number.isNaN(Date.parse(value));
    case "object":
      return isObject(value);
    default:
      return typeof value === kind;
  }
}

/** Whether it is what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function named(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : article(typeof value);
}

function article(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;
}

// The three headers of a webhook, out of whatever a framework calls its headers.
import { shown } from "../core/shown.js";
import { InvalidHeaderError, MissingHeaderError, UsageError } from "../errors.js";
import { fromBase64, type Scheme } from "./keys.js";

const NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;
const LONGEST_HEADER = 8192;
// A rotation of secrets beside one of schemes makes four. Each costs an ed25519 key a verification.
const MOST_SIGNATURES = 32;

/** `request.headers` of Node, Express and Fastify, a `Headers`, an object or pairs. */
export type HeadersLike =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | Iterable<readonly [string, string]>;

/** What the headers say. */
export interface Received {
  readonly id: string;
  readonly timestamp: number;
  readonly timestampText: string;
  readonly signatures: readonly { scheme: Scheme; bytes: Uint8Array }[];
  /** Whether some signature of a known scheme cannot be read. */
  readonly malformed: boolean;
}

/** The headers, with the signatures of `schemes` alone. Throws a WebhookVerificationError. */
export function readHeaders(headers: HeadersLike, schemes: ReadonlySet<Scheme>): Received {
  const found = collected(headers);
  const [id, timestamp, signature] = NAMES.map((name) => found.get(name) ?? "") as [
    string,
    string,
    string,
  ];
  for (const name of NAMES) {
    const value = found.get(name) ?? "";
    if (value === "") throw new MissingHeaderError(`the header ${name} is missing or empty`);
    if (value.length > LONGEST_HEADER)
      throw new InvalidHeaderError(`${name} is longer than ${LONGEST_HEADER} characters`);
  }
  if (!isVisible(id))
    throw new InvalidHeaderError("webhook-id holds characters other than visible ASCII");
  if (!/^\d{1,15}$/.test(timestamp))
    throw new InvalidHeaderError(
      `webhook-timestamp is not whole Unix seconds: ${shown(timestamp)}`,
    );
  return {
    id,
    timestamp: Number(timestamp),
    timestampText: timestamp,
    ...signaturesIn(signature, schemes),
  };
}

/** Whether it is text of visible ASCII, as an id is. */
export function isVisible(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

function collected(headers: HeadersLike): Map<string, string> {
  const found = new Map<string, string>();
  for (const [raw, value] of pairs(headers)) {
    const name = raw.toLowerCase();
    if (!(NAMES as readonly string[]).includes(name) || value === undefined) continue;
    const values = typeof value === "string" ? [value] : value;
    if (found.has(name) || values.length > 1)
      throw new InvalidHeaderError(`${name} is given more than once`);
    found.set(name, (values[0] ?? "").replace(/^[ \t]+|[ \t]+$/g, ""));
  }
  return found;
}

function pairs(
  headers: HeadersLike,
): Iterable<readonly [string, string | readonly string[] | undefined]> {
  if (typeof headers !== "object" || headers === null)
    throw new UsageError(`headers are an object or pairs, not ${shown(headers)}`);
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, string]>;
  return Object.entries(headers);
}

function signaturesIn(
  header: string,
  schemes: ReadonlySet<Scheme>,
): Pick<Received, "signatures" | "malformed"> {
  const parts = header.split(/\s+/).filter((part) => part !== "");
  if (parts.length > MOST_SIGNATURES)
    throw new InvalidHeaderError(`webhook-signature holds more than ${MOST_SIGNATURES} signatures`);
  const signatures: { scheme: Scheme; bytes: Uint8Array }[] = [];
  let malformed = false;
  for (const part of parts) {
    const [, scheme, encoded] = /^([^,]*),(.*)$/s.exec(part) ?? [];
    if (scheme === undefined || encoded === undefined) malformed = true;
    else if (schemes.has(scheme as Scheme)) {
      const bytes = fromBase64(encoded);
      if (bytes === null) malformed = true;
      else signatures.push({ scheme: scheme as Scheme, bytes });
    }
  }
  return { signatures, malformed };
}

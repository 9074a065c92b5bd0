// Keys of webhooks: `whsec_` (v1, HMAC-SHA256), `whpk_` and `whsk_` (v1a, ed25519).
import { Buffer } from "node:buffer";
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { InvalidSecretError, UsageError } from "../errors.js";

const SECRET = "whsec_";
const PUBLIC = "whpk_";
const PRIVATE = "whsk_";
const ED25519_BYTES = 32;
// RFC 8410: what stands before the 32 bytes of a private key in PKCS #8.
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

export type Scheme = "v1" | "v1a";

/** One key of a webhook. */
export interface Key {
  readonly scheme: Scheme;
  /** The signature of `content`. UsageError when the key can only verify. */
  sign(content: Uint8Array): Uint8Array;
  /** Whether one of `signatures` is this key's signature of `content`. */
  matches(content: Uint8Array, signatures: readonly Uint8Array[]): boolean;
}

/** The key that a text of the user's holds. InvalidSecretError, which never shows the secret. */
export function readKey(secret: unknown): Key {
  if (typeof secret !== "string")
    throw new InvalidSecretError(`a secret is a string, not ${typeof secret}`);
  if (secret.startsWith(PUBLIC))
    return publicKey(imported(decoded(secret, PUBLIC, [ED25519_BYTES])));
  if (secret.startsWith(PRIVATE))
    return privateKey(decoded(secret, PRIVATE, [ED25519_BYTES, 2 * ED25519_BYTES]));
  return symmetricKey(decoded(secret, SECRET, [24, 64]));
}

function symmetricKey(key: Buffer): Key {
  const signature = (content: Uint8Array) => createHmac("sha256", key).update(content).digest();
  return {
    scheme: "v1",
    sign: signature,
    matches(content, signatures) {
      const expected = signature(content);
      // All are compared, so that the time taken does not tell which one matched.
      let matched = false;
      for (const each of signatures)
        if (each.byteLength === expected.byteLength && timingSafeEqual(expected, each))
          matched = true;
      return matched;
    },
  };
}

function publicKey(key: KeyObject): Key {
  return {
    scheme: "v1a",
    sign() {
      throw new UsageError("a whpk_ key verifies only; sign with the whsk_ key that belongs to it");
    },
    matches: (content, signatures) => signatures.some((each) => verify(null, content, key, each)),
  };
}

function privateKey(both: Buffer): Key {
  const seed = both.subarray(0, ED25519_BYTES);
  const der = Buffer.concat([PKCS8_HEAD, seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const own = createPublicKey(key);
  const given = both.subarray(ED25519_BYTES).toString("base64url");
  if (given !== "" && given !== own.export({ format: "jwk" }).x)
    throw new InvalidSecretError("the whsk_ secret holds a public key that is not its own");
  return { ...publicKey(own), sign: (content) => sign(null, content, key) };
}

function imported(key: Buffer): KeyObject {
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") };
  return createPublicKey({ key: jwk, format: "jwk" });
}

/** The bytes of a secret; `lengths` is a range for `whsec_`, and a choice for the others. */
function decoded(secret: string, prefix: string, lengths: readonly [number, number?]): Buffer {
  const encoded = secret.startsWith(prefix) ? secret.slice(prefix.length) : secret;
  const key = fromBase64(encoded + "=".repeat((4 - (encoded.length % 4)) % 4));
  if (key === null) throw new InvalidSecretError(`the secret is not ${prefix} followed by base64`);
  const [least, most = least] = lengths;
  const isRange = prefix === SECRET;
  const size = key.byteLength;
  if (isRange ? size < least || size > most : size !== least && size !== most)
    throw new InvalidSecretError(
      `the secret holds ${size} bytes; it must be ${least} ${isRange ? "to" : "or"} ${most}`,
    );
  return Buffer.from(key);
}

/** The bytes, null for what is not base64 with its padding. */
export function fromBase64(text: string): Uint8Array | null {
  // Buffer.from alone passes over whatever is not base64.
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  return isBase64 ? Buffer.from(text, "base64") : null;
}

// Verifies deliveries as a receiver on Node does: with each library that it has for that.
// stdin: [{secret, headers, body: base64, tampered: base64}]; stdout: for each what each library said.
import { readFileSync } from "node:fs";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const libraries = { standardwebhooks: Standard, svix: Svix };

function said(Library, secret, body, headers) {
  try {
    new Library(secret).verify(body, headers);
    return { verified: true };
  } catch (error) {
    return { verified: false, error: error.constructor.name };
  }
}

const deliveries = JSON.parse(readFileSync(0, "utf8"));
const results = deliveries.map(({ secret, headers, body, tampered }) =>
  Object.fromEntries(
    Object.entries(libraries).map(([name, Library]) => [
      name,
      {
        genuine: said(Library, secret, Buffer.from(body, "base64"), headers),
        tampered: said(Library, secret, Buffer.from(tampered, "base64"), headers),
      },
    ]),
  ),
);
process.stdout.write(JSON.stringify(results));

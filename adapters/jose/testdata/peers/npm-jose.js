// Seals and opens with npm jose. One JSON job a line on standard input, one JSON
// answer a line on standard output:
//
//   {"op":"seal","kid":…,"key":…,"claims":…}  ->  {"token":…}
//   {"op":"open","kid":…,"key":…,"token":…}   ->  {"claims":…}
//
// "claims" is JSON text. What fails is answered with {"error":…}.
import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import * as jose from "jose";

// Node 18, Debian 12's, has no global of that name.
globalThis.crypto ??= webcrypto;

const header = (kid) => ({ alg: "dir", enc: "A256GCM", kid });
const lists = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };

async function answer({ op, kid, key, claims, token }) {
  const secret = new TextEncoder().encode(key);
  if (op === "seal") {
    const jwt = new jose.EncryptJWT(JSON.parse(claims)).setProtectedHeader(header(kid));
    return { token: await jwt.encrypt(secret) };
  }
  const opened = await jose.compactDecrypt(token, secret, lists);
  if (opened.protectedHeader.kid !== kid) {
    throw new Error("another kid in the header");
  }
  return { claims: new TextDecoder("utf-8", { fatal: true }).decode(opened.plaintext) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let out;
  try {
    out = await answer(JSON.parse(line));
  } catch (e) {
    out = { error: `${e.code ?? e.name}: ${e.message}` };
  }
  process.stdout.write(JSON.stringify(out) + "\n");
}

// What the documented recipe leads to: an Express server that makes a token with
// npm jose. It checks no caller, applies no policy and writes no record.
//
//   node server.js PORT
import { webcrypto } from "node:crypto";
import express from "express";
import { EncryptJWT } from "jose";

// Node 18, Debian 12's, has no global of that name.
globalThis.crypto ??= webcrypto;

const kid = "aa111111-1a11-111a-aa11-1aaaa11a1a11";
const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef");

const app = express();
app.disable("x-powered-by");
app.use(express.json());
app.post("/api/generate_jwt/", async (request, response) => {
  const asked = request.body;
  const jwt = await new EncryptJWT({
    cst: asked.provided_id,
    dsh: asked.embed_id,
    iss: asked.embed_origin,
    rbc: asked.rb_allowed_features,
    des: asked.disable_editable_section_editing,
  })
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid })
    .setIssuedAt()
    .setExpirationTime("1h")
    .encrypt(secret);
  response.json({ success: 1, jwt });
});
app.listen(Number(process.argv[2]), "127.0.0.1");

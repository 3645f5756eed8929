// A real OpenID Connect provider (oidc-provider) over TLS, for test_identities.py: whoever types a name is known by it.
// Says that it is ready on standard output and ends with standard input.

import fs from "node:fs";
import https from "node:https";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const { ISSUER, PORT, CERT, KEY, REDIRECT } = process.env;
const key = await exportJWK((await generateKeyPair("ES256", { extractable: true })).privateKey);

const provider = new Provider(ISSUER, {
  clients: [{
    client_id: "tacit", client_secret: "secret-of-the-client", redirect_uris: REDIRECT.split(" "),
    response_types: ["code"], grant_types: ["authorization_code"], id_token_signed_response_alg: "ES256",
  }],
  jwks: { keys: [{ ...key, alg: "ES256", use: "sig", kid: "one" }] },
  pkce: { required: () => true, methods: ["S256"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["for a test"] },
  findAccount: (_, id) => ({
    accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }),
  }),
});

const tls = { cert: fs.readFileSync(CERT), key: fs.readFileSync(KEY) };
https.createServer(tls, provider.callback()).listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit(0));

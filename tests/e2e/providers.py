"""Named fakes of GitHub, WeChat and QQ as their documentation describes them, and an OpenID Connect issuer that lies as it is
told; all over TLS on one socket. A code is `code-PERSON` and good once."""

import base64
import http.server
import json
import ssl
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT, SECRET = "tacit", "secret-of-the-client"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Providers:
    def __init__(self, certificate):
        self.used, self.asked, self.lie, self.nonce = set(), [], {}, None
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), "one"
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer("")

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

            def answer(self, body):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                form = dict(urllib.parse.parse_qsl(body))
                outer.asked.append((url.path, query, form, dict(self.headers)))
                said = outer.say(url.path, query, form, self.headers)
                text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(200 if said is not None else 404)
                self.send_header("content-type", "text/html" if isinstance(said, str) else "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()

    def redeemed(self, code, right):
        """Whose code it is, if the client showed itself and the code is new."""
        if not right or not code.startswith("code-") or code in self.used:
            return None
        self.used.add(code)
        return code.removeprefix("code-").split(".")[0]

    def say(self, path, query, form, headers):
        return {
            "/github/token": self.github_token, "/github/user": self.github_user,
            "/wechat/token": self.wechat_token, "/qq/token": self.qq_token, "/qq/me": self.qq_me,
            "/oidc/.well-known/openid-configuration": self.discovery, "/oidc/jwks": self.jwks, "/oidc/token": self.oidc_token,
        }.get(path, lambda *_: None)(query, form, headers)

    def github_token(self, _, form, headers):
        # Without `Accept` it answers as a form; it refuses with status 200.
        assert headers["accept"] == "application/json"
        right = (form["client_id"], form["client_secret"]) == (CLIENT, SECRET) and len(form["code_verifier"]) >= 43
        who = self.redeemed(form["code"], right)
        if who is None:
            return {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}
        return {"access_token": f"gho_{who}", "scope": "", "token_type": "bearer"}

    def github_user(self, _, form, headers):
        if not headers.get("user-agent"):
            return None
        who = headers["authorization"].removeprefix("Bearer gho_")
        return {"login": who, "id": sum(who.encode()), "name": None, "email": f"{who}@example.org"}

    def wechat_token(self, query, *_):
        right = (query["appid"], query["secret"], query["grant_type"]) == (CLIENT, SECRET, "authorization_code")
        who = self.redeemed(query["code"], right)
        if who is None:
            return {"errcode": 40029, "errmsg": "invalid code"}
        said = {"access_token": f"wx-{who}", "expires_in": 7200, "refresh_token": "r", "openid": f"o-{who}",
                "scope": "snsapi_login"}
        return said | ({"unionid": f"u-{who}"} if self.lie.get("bound") else {})

    def qq_token(self, query, *_):
        right = (query["client_id"], query["client_secret"], query["fmt"]) == (CLIENT, SECRET, "json")
        who = self.redeemed(query["code"], right and query["redirect_uri"].endswith("/sign-in/callback/qq"))
        if who is None:
            return {"error": 100019, "error_description": "code to access token error"}
        return {"access_token": f"qq-{who}", "expires_in": "7776000", "refresh_token": "r"}

    def qq_me(self, query, *_):
        who = query["access_token"].removeprefix("qq-")
        said = {"client_id": self.lie.get("client_id", CLIENT), "openid": f"O{who}", "unionid": f"U{who}"}
        return f"callback( {json.dumps(said)} );\n"

    def discovery(self, *_):
        return {
            "issuer": self.lie.get("discovered", f"{self.url}/oidc"), "authorization_endpoint": f"{self.url}/oidc/authorize",
            "token_endpoint": f"{self.url}/oidc/token", "jwks_uri": f"{self.url}/oidc/jwks",
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def jwks(self, *_):
        n = self.key.public_key().public_numbers()
        return {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                          "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}]}

    def oidc_token(self, _, form, headers):
        shown = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        who = self.redeemed(form["code"], shown == f"{CLIENT}:{SECRET}" and len(form["code_verifier"]) >= 43)
        if who is None:
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": f"{self.url}/oidc", "sub": who, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": self.nonce}
        claims |= self.lie.get("claims", {})
        algorithm, key = self.lie.get("signed", ("ES256", self.key))
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": self.kid})
        return {"access_token": "a", "token_type": "Bearer", "id_token": token}

"""Signing in with identities of third parties and with passkeys: the real program, a real OpenID Connect provider
(oidc-provider), Chromium with its own virtual authenticator, and authenticator apps by pyotp."""

import contextlib
import html
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse

import httpx
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import sync_playwright

from conftest import BUILT
from providers import CLIENT, SECRET, Providers

TACIT = BUILT / "tacit"
OIDC = pathlib.Path(__file__).parent / "oidc"


def free():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


class Somebody:
    """A browser of somebody, as far as the API sees it."""

    def __init__(self, town):
        self.town = town
        self.client = httpx.Client(base_url=town.url, headers={"sec-fetch-site": "same-origin"}, timeout=60)

    def ask(self, method, path, status, body=None):
        got = self.client.request(method, "/api/v1" + path, json=body)
        assert got.status_code == status, (path, got.status_code, got.text)
        return got.json() if got.content else None

    def code(self, purpose, to):
        before = len(self.town.letters(to))
        self.ask("POST", "/codes", 202, {"purpose": purpose, "to": {"email": to}})
        self.town.wait(lambda: len(self.town.letters(to)) > before)
        return re.search(r"\b\d{6}\b", self.town.letters(to)[0]).group()

    def register(self, name, **more):
        to = f"{name}@example.org"
        body = {"age": "adult", "email": {"value": to, "code": self.code("register", to)}} | more
        return self.ask("POST", "/registration", 201, body)["account"]

    def begin(self, path):
        """The query of the address at the provider, and that address."""
        url = self.ask("POST", path, 201)["url"]
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)), url

    def come_back(self, provider, who, status, path="/sign-in/providers/{}", **more):
        """By way of a named fake, which takes `code-WHO`."""
        query, _ = self.begin(path.format(provider))
        self.town.providers.nonce = query.get("nonce")
        came = {"state": query["state"], "code": f"code-{who}.{query['state'][:6]}"} | more
        return self.ask("POST", path.format(provider) + "/finish", status, came)


class Town:
    def __init__(self, root, certificate):
        self.providers = Providers(certificate)
        self.port, self.oidc_port = free(), free()
        self.url = f"http://localhost:{self.port}"
        self.issuer = f"https://localhost:{self.oidc_port}"
        own = f'client_id = "{CLIENT}"\nclient_secret = {{ env = "CLIENT_SECRET" }}\nallow_private = true\nca = "{certificate[0]}"\n'
        fake = self.providers.url

        def provider(name, preset, more=""):
            return f'[[sign_in.providers]]\nid = "{name}"\npreset = "{preset}"\nname_en = "{name}"\nname_zh = "{name}"\n{own}{more}'

        def presets(name, *also):
            return provider(name, name, f'authorize_url = "{fake}/{name}/authorize"\ntoken_url = "{fake}/{name}/token"\n' + "".join(also))

        self.config = root / "tacit.toml"
        self.config.write_text(
            f'profile = "development"\ndata_dir = "{root}/data"\n[gateway]\nlisten = "127.0.0.1:{self.port}"\n'
            f'admin_listen = "off"\n[control]\nadmin_listen = "off"\n[practice]\nlisten = "127.0.0.1:{free()}"\n'
            f'[console]\nurl = "{self.url}"\n[log]\nformat = "json"\n'
            + provider("real", "oidc", f'issuer = "{self.issuer}"\n') + provider("liar", "oidc", f'issuer = "{fake}/oidc"\n')
            + presets("github", f'user_url = "{fake}/github/user"\n') + presets("wechat")
            + presets("qq", f'user_url = "{fake}/qq/me"\n'))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TACIT_")} | {"CLIENT_SECRET": SECRET}
        self.run("setup")
        assert self.run("config", "check")
        self.oidc = subprocess.Popen(
            ["node", OIDC / "provider.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=OIDC,
            env=os.environ | {"ISSUER": self.issuer, "PORT": str(self.oidc_port), "CERT": certificate[0],
                              "KEY": certificate[1], "REDIRECT": f"{self.url}/sign-in/callback/real"})
        assert self.oidc.stdout.readline().strip() == "ready", "`make tests/e2e/oidc/node_modules/.package-lock.json` installs it"
        self.log = open(root / "log", "w+")
        self.process = subprocess.Popen([TACIT, "serve", "--config", self.config], stderr=self.log, env=self.environment)
        self.wait(lambda: self.ready())

    def ready(self):
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(self.url + "/api/v1/platform").status_code == 200

    def run(self, *arguments):
        done = subprocess.run([TACIT, *arguments, "--config", self.config, "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def letters(self, to):
        """What was written to that address, newest first."""
        listed = self.run("messages", "list")["items"]
        return [one["content"]["text"] for one in listed if one["content"] and one["content"]["to"] == to]

    def wait(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline and self.process.poll() is None, pathlib.Path(self.log.name).read_text()
            time.sleep(0.1)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.oidc.stdin.close()
        self.oidc.wait(timeout=60)
        self.providers.close()
        self.log.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory, certificate):
    town = Town(tmp_path_factory.mktemp("town"), certificate)
    yield town
    town.close()


@pytest.fixture
def somebody(town):
    return Somebody(town)


def at_the_provider(url, who, certificate):
    """Signs in at the real provider as a browser would; gives what it sends back."""
    trusted = ssl.create_default_context(cafile=certificate[0])
    with httpx.Client(verify=trusted, timeout=60) as browser:
        got = browser.get(url)
        for _ in range(10):
            while got.is_redirect:
                target = urllib.parse.urljoin(str(got.url), got.headers["location"])
                if "/sign-in/callback/" in target:
                    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
                got = browser.get(target)
            assert got.status_code == 200, got.text
            prompt = re.search(r'name="prompt" value="(\w+)"', got.text).group(1)
            action = html.unescape(re.search(r'action="([^"]+)"', got.text).group(1))
            got = browser.post(urllib.parse.urljoin(str(got.url), action), data={"prompt": prompt, "login": who, "password": "x"})
    raise AssertionError("the provider sends nobody back")


def test_a_real_provider_registers_links_and_signs_in(town, somebody, certificate):
    ways = somebody.ask("GET", "/sign-in/ways", 200)
    assert ways["passkeys"] and [p["id"] for p in ways["providers"]] == ["real", "liar", "github", "wechat", "qq"]
    query, url = somebody.begin("/sign-in/providers/real")
    assert query["code_challenge_method"] == "S256" and query["nonce"] and query["scope"].split() == ["openid", "email"]
    came = at_the_provider(url, "ada", certificate)
    assert came["state"] == query["state"] and came["iss"] == town.issuer
    # Not in another browser, which uses it up.
    assert Somebody(town).ask("POST", "/sign-in/providers/real/finish", 422, came)["code"] == "sign_in.lost"
    _, url = somebody.begin("/sign-in/providers/real")
    came = at_the_provider(url, "ada", certificate)
    ticket = somebody.ask("POST", "/sign-in/providers/real/finish", 202, came)["ticket"]
    assert somebody.ask("POST", "/sign-in/providers/real/finish", 422, came)["code"] == "sign_in.lost"
    # What the operator requires is required; an address of the provider is none of ours.
    refused = somebody.ask("POST", "/registration", 422, {"age": "adult", "identity": ticket})
    assert refused["field"] == "email"
    account = somebody.register("ada", identity=ticket)

    again = Somebody(town)
    came = at_the_provider(again.begin("/sign-in/providers/real")[1], "ada", certificate)
    # A code that was asked for by somebody else is worth nothing with another state.
    other = Somebody(town)
    other.begin("/sign-in/providers/real")
    assert other.ask("POST", "/sign-in/providers/real/finish", 422, came)["code"] == "sign_in.lost"
    came = at_the_provider(again.begin("/sign-in/providers/real")[1], "ada", certificate)
    signed_in = again.ask("POST", "/sign-in/providers/real/finish", 200, came)
    assert signed_in["account"] == account and signed_in["complete"]
    assert again.ask("GET", "/sessions", 200)["items"][-1]["method"] == "identity"
    listed = again.ask("GET", "/account/identities", 200)["items"]
    assert [(i["provider"], i["subject"], i["name"]) for i in listed] == [("real", "ada", "ada@example.org")]

    # Another one is linked, and told; nobody else can have it.
    town.providers.lie = {}
    linked = again.come_back("github", "ada", 201, "/account/identities/link/{}")
    assert linked["name"] == "ada"
    town.wait(lambda: any("linked identities" in letter for letter in town.letters("ada@example.org")))
    ben = Somebody(town)
    ben.register("ben")
    assert ben.come_back("github", "ada", 409, "/account/identities/link/{}")["code"] == "identity.taken"
    again.ask("DELETE", f"/account/identities/{linked['id']}", 204)
    # Nor does the address that GitHub tells, which is Ada's here, sign anybody in.
    assert "ticket" in Somebody(town).come_back("github", "ada", 202)


def test_github_wechat_and_qq_as_they_are(town, somebody):
    town.providers.lie = {}
    somebody.register("cleo")
    for provider in ("github", "wechat", "qq"):
        linked = somebody.come_back(provider, "cleo", 201, "/account/identities/link/{}")
        assert linked["provider"] == provider
        assert Somebody(town).come_back(provider, "cleo", 200)["complete"]
    assert {i["subject"] for i in somebody.ask("GET", "/account/identities", 200)["items"]} == {
        str(sum(b"cleo")), "openid:o-cleo", "unionid:Ucleo"}
    # WeChat tells another name once its programs are bound; the one before is known still.
    town.providers.lie = {"bound": True}
    assert Somebody(town).come_back("wechat", "cleo", 200)["complete"]
    town.providers.lie = {}
    query, url = Somebody(town).begin("/sign-in/providers/wechat")
    assert url.endswith("#wechat_redirect") and (query["appid"], query["scope"]) == (CLIENT, "snsapi_login")
    # A code that is none is refused by each in its own way.
    for provider in ("github", "wechat", "qq"):
        refused = Somebody(town).come_back(provider, "x", 401, code="stolen")
        assert refused["code"] == "provider.refused", provider
    # A token of another program.
    town.providers.lie = {"client_id": "another"}
    assert Somebody(town).come_back("qq", "cleo", 401)["code"] == "provider.untrue"


def test_an_issuer_that_lies_is_not_believed(town):
    town.providers.lie = {}
    assert "ticket" in Somebody(town).come_back("liar", "dora", 202)
    now = int(time.time())
    for lie in (
        {"claims": {"nonce": "of another sign-in"}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"aud": "another"}},
        {"claims": {"exp": now - 600, "iat": now - 700}},
        {"signed": ("ES256", ec.generate_private_key(ec.SECP256R1()))},
        {"signed": ("HS256", SECRET)},
        {"signed": ("none", None)},
    ):
        town.providers.lie = lie
        assert Somebody(town).come_back("liar", "dora", 401)["code"] == "provider.untrue", lie
    town.providers.lie = {}
    assert Somebody(town).come_back("liar", "dora", 401, iss="https://evil.example")["code"] == "provider.untrue"
    log = pathlib.Path(town.log.name).read_text()
    for quoted in ("dora", "evil.example", SECRET):
        assert quoted not in log, quoted


def test_a_second_factor_by_another_implementation(town, somebody):
    town.providers.lie = {}
    somebody.register("finn", username="finn", password="correct horse")
    somebody.come_back("qq", "finn", 201, "/account/identities/link/{}")
    enrolment = somebody.ask("POST", "/second-factor", 201)
    app = pyotp.parse_uri(enrolment["url"])
    assert app.secret == enrolment["secret"]
    recovery = somebody.ask("POST", "/second-factor/confirm", 200, {"totp": app.now()})["codes"]
    again = Somebody(town)
    assert not again.come_back("qq", "finn", 200)["complete"]
    assert again.client.get("/api/v1/account").status_code == 401
    assert again.ask("POST", "/sign-in/second-factor", 422, {"totp": app.at(time.time() + 600)})
    deadline = time.monotonic() + 60
    used = app.now()
    while app.now() == used:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert again.ask("POST", "/sign-in/second-factor", 200, {"totp": app.now()})["complete"]
    other = Somebody(town)
    assert not other.ask("POST", "/sign-in/password", 200, {"who": "finn", "password": "correct horse"})["complete"]
    assert other.ask("POST", "/sign-in/second-factor", 200, {"recovery": recovery[0]})["complete"]


ASK = """async ([path, body, method]) => {
  const got = await fetch("/api/v1" + path, {
    method: method ?? "POST", headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
  const text = await got.text();
  return [got.status, text ? JSON.parse(text) : null];
}"""
CREATE = """async (options) => (await navigator.credentials.create({
  publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })).toJSON()"""
GET = """async (options) => (await navigator.credentials.get({
  publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })).toJSON()"""


class Page:
    """Chromium at the platform, with an authenticator of its own."""

    def __init__(self, town, browser):
        # The pages of the console come later; the answer that stands there forbids scripts to connect anywhere.
        context = browser.new_context(bypass_csp=True)
        self.page = context.new_page()
        self.page.goto(town.url + "/api/v1/platform")
        self.devtools = context.new_cdp_session(self.page)
        self.devtools.send("WebAuthn.enable")
        self.authenticator = self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True}})["authenticatorId"]

    def ask(self, path, status, body=None, method=None):
        got, said = self.page.evaluate(ASK, [path, body, method])
        assert got == status, (path, got, said)
        return said

    def create(self, name, status=201):
        asked = self.ask("/account/passkeys/begin", 201)
        credential = self.page.evaluate(CREATE, asked["options"])
        return self.ask("/account/passkeys", status, {"ceremony": asked["ceremony"], "name": name, "credential": credential})

    def answer(self, begin, path, status):
        asked = self.ask(begin, 201)
        credential = self.page.evaluate(GET, asked["options"])
        return self.ask(path, status, {"ceremony": asked["ceremony"], "credential": credential})


@pytest.fixture(scope="module")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "apt-get install chromium, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_a_passkey_of_a_browser(town, chromium, somebody):
    somebody.register("gina", username="gina", password="correct horse")
    enrolment = somebody.ask("POST", "/second-factor", 201)
    app = pyotp.parse_uri(enrolment["url"])
    recovery = somebody.ask("POST", "/second-factor/confirm", 200, {"totp": app.now()})["codes"]

    page = Page(town, chromium)
    page.ask("/sign-in/password", 200, {"who": "gina", "password": "correct horse"})
    page.ask("/sign-in/second-factor", 200, {"recovery": recovery[0]})
    passkey = page.create("laptop")
    assert passkey["name"] == "laptop" and passkey["used_at"] is None
    town.wait(lambda: any("passkeys" in letter for letter in town.letters("gina@example.org")))
    # The authenticator knows that it has one for this account.
    with pytest.raises(Exception, match="InvalidStateError"):
        page.create("again")
    assert page.answer("/step-up/passkey/begin", "/step-up/passkey", 200)["complete"]
    page.ask("/sign-out", 204)

    # No name is typed, and no second factor asked for.
    signed_in = page.answer("/sign-in/passkey/begin", "/sign-in/passkey", 200)
    assert signed_in["complete"]
    listed = page.ask("/account/passkeys", 200, method="GET")["items"]
    assert [p["name"] for p in listed] == ["laptop"] and listed[0]["used_at"]
    assert page.ask("/sessions", 200, method="GET")["items"][-1]["method"] == "passkey"
    renamed = page.ask(f"/account/passkeys/{passkey['id']}", 200, {"name": "key ring"}, method="PATCH")
    assert renamed["name"] == "key ring"

    # Who does not verify themselves is not let in: the browser itself refuses to ask such an authenticator.
    page.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": page.authenticator, "isUserVerified": False})
    with pytest.raises(Exception, match="NotAllowedError"):
        page.answer("/sign-in/passkey/begin", "/sign-in/passkey", 200)
    page.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": page.authenticator, "isUserVerified": True})

    # A copy of it, whose counter is behind.
    credentials = page.devtools.send("WebAuthn.getCredentials", {"authenticatorId": page.authenticator})["credentials"]
    copy = {**credentials[0], "signCount": 0}
    page.devtools.send("WebAuthn.clearCredentials", {"authenticatorId": page.authenticator})
    page.devtools.send("WebAuthn.addCredential", {"authenticatorId": page.authenticator, "credential": copy})
    refused = page.answer("/sign-in/passkey/begin", "/sign-in/passkey", 403)
    assert refused["code"] == "passkey.copied"
    noted = [e for e in town.run("audit", "list")["items"] if e.get("code") == "passkey.copied"]
    assert noted, "it is written down"

    page.ask(f"/account/passkeys/{passkey['id']}", 204, method="DELETE")
    assert page.answer("/sign-in/passkey/begin", "/sign-in/passkey", 401)["code"] == "sign_in.failed"

"""Signing in with identities of third parties and with passkeys: the real program, a real OpenID Connect provider
(oidc-provider), Chromium with its own virtual authenticator, and authenticator apps by pyotp."""

import html
import pathlib
import re
import ssl
import time
import urllib.parse

import httpx
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from providers import CLIENT, SECRET
from town import Somebody


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
    assert refused["field"] == "username"
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
    somebody.register("finn", password="correct horse")
    somebody.come_back("qq", "finn", 201, "/account/identities/link/{}")
    enrolment = somebody.ask("POST", "/second-factor", 201)
    app = pyotp.parse_uri(enrolment["url"])
    assert app.secret == enrolment["secret"]
    recovery = somebody.ask("POST", "/second-factor/confirm", 200, {"totp": app.now()})["codes"]
    again = Somebody(town)
    assert not again.come_back("qq", "finn", 200)["complete"]
    assert again.client.get("/api/v1/account").status_code == 401
    assert again.ask("POST", "/sign-in/second-factor", 422, {"totp": app.at(time.time() + 600)})
    # The one of now was used to set it up; that of the next step is good too, since clocks differ.
    assert again.ask("POST", "/sign-in/second-factor", 200, {"totp": app.at(time.time() + 30)})["complete"]
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


def test_a_passkey_of_a_browser(town, chromium, somebody):
    somebody.register("gina", password="correct horse")
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

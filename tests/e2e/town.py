"""A town: the real program of the development profile with ways to sign in and to be written to, and who lives there."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.parse

import httpx

from conftest import BUILT, free
from providers import CLIENT, SECRET, Providers
from text_messages import SECRET as SMS_SECRET, SmsProvider

TACIT = BUILT / "tacit"
OIDC = pathlib.Path(__file__).parent / "oidc"


class Somebody:
    """A browser of somebody, as far as the API sees it."""

    def __init__(self, town):
        self.town = town
        self.client = httpx.Client(base_url=town.url, headers={"sec-fetch-site": "same-origin"}, timeout=60)

    def ask(self, method, path, status, body=None):
        got = self.client.request(method, "/api/v1" + path, json=body)
        while got.status_code == 429 != status and int(got.headers["retry-after"]) <= 5:
            # Whoever was wrong waits a moment.
            time.sleep(int(got.headers["retry-after"]))
            got = self.client.request(method, "/api/v1" + path, json=body)
        assert got.status_code == status, (path, got.status_code, got.text)
        return got.json() if got.content else None

    def code(self, purpose, to):
        before = len(self.town.letters(to))
        self.ask("POST", "/codes", 202, {"purpose": purpose, "to": {"email": to}})
        self.town.wait(lambda: len(self.town.letters(to)) > before)
        return re.search(r"\b\d{6}\b", self.town.letters(to)[0]).group()

    def texted(self, purpose, number):
        """The code that a text message brings."""
        before = len(self.town.sms.texts(number))
        self.ask("POST", "/codes", 202, {"purpose": purpose, "to": {"phone": number}})
        self.town.wait(lambda: len(self.town.sms.texts(number)) > before)
        return re.search(r"\b\d{6}\b", self.town.sms.texts(number)[-1]).group()

    def register(self, name, **more):
        to = f"{name}@example.org"
        body = {"username": name, "age": "adult", "email": {"value": to, "code": self.code("register", to)}} | more
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
    def __init__(self, root, certificate, database):
        self.providers, self.sms = Providers(certificate), SmsProvider(certificate)
        self.root, self.numbers = root, 0
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
            f'[console]\nurl = "{self.url}"\nanonymous_per_minute = 10000\nanonymous_per_second = 1000\n[log]\nformat = "json"\n'
            f'[registration]\nusername = "required"\nemail = "optional"\nphone = "optional"\n'
            f'[messages.sms]\nprovider = "generic"\nuser = "tacit"\nsecret = {{ env = "SMS_SECRET" }}\n'
            f'declaration = "{self.sms.declared(root)}"\nallow_private = "on"\nca = "{certificate[0]}"\n'
            + database
            + provider("real", "oidc", f'issuer = "{self.issuer}"\n') + provider("liar", "oidc", f'issuer = "{fake}/oidc"\n')
            + presets("github", f'user_url = "{fake}/github/user"\n') + presets("wechat")
            + presets("qq", f'user_url = "{fake}/qq/me"\n'))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TACIT_")} | {"CLIENT_SECRET": SECRET, "SMS_SECRET": SMS_SECRET}
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

    def number(self):
        """A phone number that nobody has yet."""
        self.numbers += 1
        return f"+861391234{self.numbers:04}"

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
        self.sms.close()
        self.log.close()

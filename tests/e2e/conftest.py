"""The real program, started by testkit-platform, for the real SDKs."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
from decimal import ROUND_HALF_UP, Decimal

import anthropic
import openai
import pytest
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"

# What testkit registers: money per million tokens, and the multiplier of the group.
RATES = {
    "input": Decimal("3"),
    "output": Decimal("15"),
    "cache_read": Decimal("0.3"),
    "cache_write_5m": Decimal("3.75"),
    "cache_write_1h": Decimal("6"),
}
MULTIPLIER = Decimal("0.8")


def free():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


@contextlib.contextmanager
def database(engine):
    """What a configuration says of an empty database of that engine. Of SQLite it need say nothing."""
    if engine == "sqlite":
        yield ""
        return
    kept = subprocess.Popen([BUILT / "testkit-platform", "database"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = kept.stdout.readline()
    assert line, "testkit-platform gives no database"
    try:
        yield f'[database]\nurl = "{json.loads(line)["database"]}"\n'
    finally:
        kept.stdin.close()
        assert kept.wait(timeout=60) == 0


class Platform:
    def __init__(self, engine):
        self.process = subprocess.Popen(
            [BUILT / "testkit-platform", engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert line, "testkit-platform ended before it was ready"
        said = json.loads(line)
        self.url, self.key, self.root = said["url"], said["key"], pathlib.Path(said["root"])
        self.credential, self._binary, self._config = said["credential"], said["binary"], said["config"]
        self._models = set()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0

    def cli(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TACIT_")}
        environment["PRACTICE_CREDENTIAL"] = self.credential
        done = subprocess.run(
            [self._binary, "--config", self._config, *arguments, "--json"],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout.strip() else None

    def model(self, upstream, provider="practice-openai"):
        """A registered model that the practice provider is asked for under that name, which may ask for faults."""
        name = "m-" + "".join(c if c.isalnum() else "-" for c in provider + "-" + upstream)
        if name not in self._models:
            self.cli("model", "add", name, "--owned-by", "practice", "--max-output-tokens", "8192")
            self.cli("price", "set", name, "--input", "3", "--output", "15", "--cache-read", "0.3",
                     "--cache-write-5m", "3.75", "--cache-write-1h", "6")
            self.cli("channel", "add", name, "--provider", provider, "--model", f"{name}={upstream}",
                     "--secret-env", "PRACTICE_CREDENTIAL")
            self._models.add(name)
            client = openai.OpenAI(base_url=self.url + "/v1", api_key=self.key)
            deadline = time.monotonic() + 20
            while name not in {m.id for m in client.models.list()}:
                assert time.monotonic() < deadline, "the gateway does not learn of a new model"
                time.sleep(0.05)
        return name

    def call(self, call_id):
        """The record of a call, as soon as it is settled."""
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.cli("calls", "show", call_id)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def check_bill(self, call_id, **tokens):
        """Holds a record against the tokens the SDK saw, and its amount against a bill computed by hand."""
        shown = self.call(call_id)
        call = shown["call"]
        counted = {name: count for name, count in call["usage"].items() if count}
        assert counted == {name: count for name, count in tokens.items() if count}
        due = sum(Decimal(count) * RATES[name] for name, count in tokens.items()) / 1_000_000 * MULTIPLIER
        due = due.quantize(Decimal("1e-9"), ROUND_HALF_UP)
        assert Decimal(call["amount"]) == due
        lines = {line["class"]: line["tokens"] for line in shown["charge"]["lines"]}
        assert {name: count for name, count in lines.items() if count} == counted
        return call


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of localhost, and its key."""
    root = tmp_path_factory.mktemp("tls")
    paths = root / "cert.pem", root / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
         "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return tuple(map(str, paths))


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def platform(request):
    platform = Platform(request.param)
    yield platform
    verified = platform.cli("ledger", "verify")
    wallet = platform.cli("wallet", "show", "customer")
    platform.close()
    assert verified["balanced"] is True, verified
    assert Decimal(wallet["wallet"]) + Decimal(wallet["reserved"]) < 100


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def town(request, tmp_path_factory, certificate):
    # Not before this file is whole, which it stands on.
    from town import Town

    with database(request.param) as configured:
        town = Town(tmp_path_factory.mktemp("town"), certificate, configured)
        yield town
        town.close()


@pytest.fixture
def somebody(town):
    from town import Somebody

    return Somebody(town)


@pytest.fixture
def gpt(platform):
    return openai.OpenAI(base_url=platform.url + "/v1", api_key=platform.key, max_retries=0, timeout=60)


@pytest.fixture
def claude(platform):
    return anthropic.Anthropic(base_url=platform.url, api_key=platform.key, max_retries=0, timeout=60)


@pytest.fixture(scope="session")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "apt-get install chromium, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()

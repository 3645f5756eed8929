"""What the OpenAPI document of the console promises, tried by a fuzzer: no 5xx, no answer that is not in it."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import httpx
import pytest
from conftest import BUILT, ROOT
from seeds import SESSION, seeded

DOCUMENT = ROOT / "docs/reference/openapi.json"
HERE = pathlib.Path(__file__).parent
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method",
])
# What these ask about needs a provider of identities or an authenticator (test_identities.py).
MISSING = ("/identities/{identity}", "/passkeys/{passkey}", "/sign-in/providers/", "/identities/link/")
# What one operation has ended another does not find any more, and the order is not always the same.
ENDED = 5
# What the document says of inputs is gone through once, by who may do everything and by nobody: most of it is refused before a
# database is asked.
INPUTS = {"sqlite": "coverage,", "postgres": ""}


@pytest.fixture(params=["sqlite", "postgres"])
def console(request):
    """A console where the management key `tm-owner`, and who has the session `owner`, may do everything."""
    process = subprocess.Popen(
        [BUILT / "examples" / "served", request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    url = process.stdout.readline().strip()
    assert url, "the console ended before it was ready"
    yield url
    process.stdin.close()
    assert process.wait(timeout=60) == 0


def tried(url, checks, *arguments, cwd, inputs="", examples, known=None):
    """Runs the fuzzer, with one worker: CPython 3.11 fails now and then when two of them parse (`AST constructor recursion
    depth mismatch`). Gives the statuses with which each operation was answered."""
    tool, answered = pathlib.Path(sys.executable).parent / "schemathesis", cwd / "answered"
    environment = os.environ | {"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "fuzz_hooks",
                                "FUZZ_KNOWN": json.dumps(known or {"ended": {}}), "FUZZ_ANSWERED": str(answered)}
    done = subprocess.run(
        [tool, "run", DOCUMENT, "--url", url, "--checks", checks, "--max-examples", str(examples), "--seed", "4711",
         "--phases", inputs + "fuzzing,stateful", "--request-timeout", "60", "--generation-database", "none", "--no-color", "--continue-on-failure",
         *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=1500, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = collections.defaultdict(collections.Counter)
    for line in answered.read_text().splitlines():
        method, path, status = line.split()
        statuses[f"{method} {path}"][int(status)] += 1
    return statuses


def found_nothing(statuses):
    """Operations of the document that answered nothing but that there is no such thing."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    return {operation for operation, seen in statuses.items() if operation in operations and set(seen) == {404}
            and not any(part in operation for part in MISSING)}


def test_the_document_holds_for_a_management_key_that_may_do_everything(console, tmp_path):
    statuses = tried(console, CHECKS, "-H", "Authorization: Bearer tm-owner", cwd=tmp_path, examples=6, known=seeded(console))
    assert len(found_nothing(statuses)) <= ENDED, found_nothing(statuses)


def test_the_document_holds_for_an_owner_in_person(console, tmp_path, request):
    # As a page of the console asks. Who signs out here, or ends their sessions, is signed in again by the console.
    statuses = tried(console, CHECKS, "-H", f"Cookie: {SESSION}=owner", "-H", "Sec-Fetch-Site: same-origin", cwd=tmp_path,
                     inputs=INPUTS[request.node.callspec.params["console"]], examples=5, known=seeded(console))
    assert len(found_nothing(statuses)) <= ENDED, found_nothing(statuses)
    mine = httpx.get(f"{console}/api/v1/me", headers={"Cookie": f"{SESSION}=owner"}).json()
    assert mine["stepped_up"], "whoever asked was an owner who had just signed in"


def test_the_document_holds_for_nobody_on_the_public_port(platform, gpt, tmp_path, request):
    # Elsewhere the gateway answers for itself what is no reading: no prompt is to reach the console by mistake.
    tried(platform.url, CHECKS + ",ignored_auth", "--include-path-regex", "^/api/v1/", cwd=tmp_path,
          inputs=INPUTS[request.node.callspec.params["platform"]], examples=5)
    # Calls are served as before.
    assert gpt.chat.completions.create(model="chat", messages=[{"role": "user", "content": "hi"}]).choices

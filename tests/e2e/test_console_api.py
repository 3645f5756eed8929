"""What the OpenAPI document of the console promises, tried by a fuzzer: no 5xx, no answer that is not in it."""

import pathlib
import subprocess
import sys

import httpx
import pytest
from conftest import BUILT, ROOT

SESSION = "__Host-tacit-session"
DOCUMENT = ROOT / "docs/reference/openapi.json"
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method",
])


@pytest.fixture(scope="module")
def console():
    """A console where the management key `tm-owner`, and who has the session `owner`, may do everything."""
    process = subprocess.Popen(
        [BUILT / "examples" / "served"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    url = process.stdout.readline().strip()
    assert url, "the console ended before it was ready"
    yield url
    process.stdin.close()
    assert process.wait(timeout=60) == 0


def tried(url, checks, *arguments, cwd, examples=40):
    tool = pathlib.Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [tool, "run", DOCUMENT, "--url", url, "--checks", checks, "--max-examples", str(examples), "--seed", "4711",
         "--request-timeout", "60", "--generation-database", "none", "--no-color", "--continue-on-failure",
         *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=1500, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_document_holds_for_a_management_key_that_may_do_everything(console, tmp_path):
    tried(console, CHECKS, "-H", "Authorization: Bearer tm-owner", cwd=tmp_path)


def test_the_document_holds_for_an_owner_in_person(console, tmp_path):
    # As a page of the console asks. Who signs out here, or ends their sessions, is signed in again by the console.
    # Fewer of each: what is really done takes longer than what is refused.
    tried(console, CHECKS, "-H", f"Cookie: {SESSION}=owner", "-H", "Sec-Fetch-Site: same-origin", cwd=tmp_path, examples=5)
    mine = httpx.get(f"{console}/api/v1/me", headers={"Cookie": f"{SESSION}=owner"}).json()
    assert mine["stepped_up"], "whoever asked was an owner who had just signed in"


def test_the_document_holds_for_nobody_on_the_public_port(platform, gpt, tmp_path):
    # Elsewhere the gateway answers for itself what is no reading: no prompt is to reach the console by mistake.
    tried(platform.url, CHECKS + ",ignored_auth", "--include-path-regex", "^/api/v1/", cwd=tmp_path)
    # Calls are served as before.
    assert gpt.chat.completions.create(model="chat", messages=[{"role": "user", "content": "hi"}]).choices

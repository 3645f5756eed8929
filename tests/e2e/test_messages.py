"""Messages that really go out: the real program against a real mail server (aiosmtpd), over STARTTLS with a password."""

import contextlib
import email
import email.policy
import json
import os
import pathlib
import ssl
import subprocess
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from conftest import BUILT, database, free

TACIT = BUILT / "tacit"


class Inbox:
    """Takes mail; answers what it is told to."""

    def __init__(self):
        self.mails, self.answers = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 there is no nobody here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((envelope.rcpt_tos, session.authenticated, session.ssl is not None,
                           email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 2.0.0 queued as 4711"


@contextlib.contextmanager
def mail_server(inbox, port, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    known = lambda server, session, envelope, mechanism, data: AuthResult(
        success=(data.login, data.password) == (b"sender", b"right"))
    controller = Controller(inbox, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
                            auth_required=True, authenticator=known)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


class ControlPlane:
    def __init__(self, root, more, profile="production"):
        self.config = root / "tacit.toml"
        self.config.write_text(
            f'profile = "{profile}"\ndata_dir = "{root}/data"\n[control]\nadmin_listen = "off"\n[log]\nformat = "json"\n'
            + more)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TACIT_")} | {"PASSWORD": "right"}
        self.run("setup")
        self.log = open(root / "log", "w+")
        self.process = subprocess.Popen([TACIT, "control", "--config", self.config], stderr=self.log, env=self.environment)
        self.wait(lambda: self.run("status", check=False).returncode == 0)

    def run(self, *arguments, check=True):
        done = subprocess.run([TACIT, *arguments, "--config", self.config, "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *arguments, check=True):
        return json.loads(self.run(*arguments, check=check).stdout)

    def wait(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline and self.process.poll() is None, pathlib.Path(self.log.name).read_text()
            time.sleep(0.1)

    def close(self):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        self.log.close()


@contextlib.contextmanager
def control_plane(engine, root, more, **options):
    with database(engine) as configured:
        plane = ControlPlane(root, more + configured, **options)
        try:
            yield plane
        finally:
            plane.close()


both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgres"])


def settings(port, certificate):
    return (f'[messages]\nservice_name = "Beispiel 智能"\ntimeout_seconds = 3\n[messages.smtp]\nhost = "localhost"\nport = {port}\n'
            f'user = "sender"\npassword = {{ env = "PASSWORD" }}\nfrom = "no-reply@ai.example"\nca = "{certificate[0]}"\n')


@both_engines
def test_a_mail_server_takes_refuses_goes_and_comes_back(engine, tmp_path, certificate):
    inbox, port = Inbox(), free()
    with control_plane(engine, tmp_path, settings(port, certificate)) as plane:
        assert plane.json("config", "check") == {"ok": True}
        # Nobody is there yet: said at once by the test, waited for by the outbox.
        tried = plane.run("messages", "test", "--to", "ada@customer.example", check=False)
        assert tried.returncode == 1 and json.loads(tried.stdout)["failure"] == "unreachable"
        queued = plane.json("messages", "test", "--to", "ada@customer.example", "--language", "zh", "--queue")
        state = lambda: plane.json("messages", "log")["items"][0]
        plane.wait(lambda: state()["attempts"] >= 1 and state()["failure"] == "unreachable")

        with mail_server(inbox, port, certificate):
            plane.wait(lambda: state()["state"] == "sent")
            assert state()["id"] == queued["id"] and state()["attempts"] >= 2
            to, known, encrypted, mail = inbox.mails.pop()
            assert (to, known, encrypted) == (["ada@customer.example"], True, True)
            assert mail["From"] == "Beispiel 智能 <no-reply@ai.example>" and mail["Subject"] == "Beispiel 智能 测试消息"
            assert mail["Auto-Submitted"] == "auto-generated" and queued["id"] in mail["Message-ID"]
            assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
            assert "本消息已送达" in mail.get_body(("plain",)).get_content()
            assert "<p>" in mail.get_body(("html",)).get_content()

            assert plane.json("messages", "test", "--to", "ada@customer.example") == {
                "channel": "email", "taken": True, "status": 250}
            refused = plane.json("messages", "test", "--to", "nobody@customer.example", check=False)
            assert (refused["taken"], refused["failure"], refused["status"]) == (False, "recipient", 550)
            inbox.answers.append("451 4.7.1 come back later, ada@customer.example")
            later = plane.json("messages", "test", "--to", "ada@customer.example", check=False)
            assert (later["failure"], later["status"]) == ("deferred", 451)

            # For good and for now, through the outbox.
            inbox.answers.append("554 5.7.1 never, ada@customer.example")
            plane.json("messages", "test", "--to", "ada@customer.example", "--queue")
            plane.wait(lambda: state()["state"] == "failed")
            assert (state()["attempts"], state()["failure"]) == (1, "refused")
            inbox.answers.append("451 4.7.1 come back later, ada@customer.example")
            plane.json("messages", "test", "--to", "ada@customer.example", "--queue")
            plane.wait(lambda: state()["state"] == "sent")
            assert state()["attempts"] == 2

        shown = plane.run("messages", "list", check=False)
        assert shown.returncode == 1 and "messages.not_development" in shown.stderr
    log = (tmp_path / "log").read_text()
    assert "message.sent" in log and "message.not_taken" in log
    for secret in ("ada@", "customer", "come back", "right"):
        assert secret not in log, secret
    for path in (tmp_path / "data").iterdir():
        if path.is_file():
            assert b"customer.example" not in path.read_bytes(), path


@both_engines
def test_without_a_mail_server_production_refuses_and_development_shows(engine, tmp_path):
    with control_plane(engine, tmp_path, "") as plane:
        refused = plane.run("messages", "test", "--to", "ada@customer.example", "--queue", check=False)
        assert refused.returncode == 1 and "messages.not_configured" in refused.stderr
    other = tmp_path / "development"
    other.mkdir()
    with control_plane(engine, other, "", profile="development") as plane:
        queued = plane.json("messages", "test", "--to", "ada@customer.example", "--queue")
        plane.wait(lambda: plane.json("messages", "list")["items"])
        listed = plane.json("messages", "list")["items"][0]
        assert listed["id"] == queued["id"] and listed["development_only"] is True
        assert listed["content"]["to"] == "ada@customer.example"
        assert "tries whether messages arrive" in plane.json("messages", "show", queued["id"])["content"]["text"]


def test_what_is_wrong_is_said_at_the_start(tmp_path, certificate):
    templates = tmp_path / "templates" / "en"
    templates.mkdir(parents=True)
    (templates / "code.sign_in.txt").write_text("your code:\n{{ cod }}\n")
    config = tmp_path / "tacit.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n[messages]\ntemplates = "{templates.parent}"\n')
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TACIT_")}
    run = lambda *arguments: subprocess.run([TACIT, *arguments, "--config", config], env=environment, capture_output=True,
                                            text=True, timeout=60, check=False)
    assert run("setup").returncode == 0
    for command in (("config", "check"), ("control",)):
        said = run(*command)
        assert said.returncode == 1 and f"{templates}/code.sign_in.txt, line 2: undefined value" in said.stderr, said

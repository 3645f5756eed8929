"""People with a phone: codes by a real provider of text messages, and a minor whose guardian consents."""

import pathlib
import subprocess

from town import TACIT, Somebody


def test_somebody_registers_and_signs_in_with_a_phone_and_nothing_else(town, somebody):
    number = town.number()
    code = somebody.texted("register", number)
    asked = {"username": f"hal-{code}", "age": "adult", "phone": {"value": number, "code": code}}
    wrong = asked | {"phone": {"value": number, "code": "000000" if code != "000000" else "111111"}}
    assert somebody.ask("POST", "/registration", 422, wrong)["code"] == "code.wrong"
    account = somebody.ask("POST", "/registration", 201, asked)["account"]

    again = Somebody(town)
    # The provider is away for a moment: the outbox tries again, with the same id.
    town.sms.answers.append(503)
    code = again.texted("sign_in", number)
    assert town.sms.refused == 1 and not town.sms.answers
    assert Somebody(town).ask("POST", "/sign-in/code", 401, {"to": {"phone": town.number()}, "code": code})
    signed_in = again.ask("POST", "/sign-in/code", 200, {"to": {"phone": number}, "code": code})
    assert signed_in["account"] == account and signed_in["complete"]
    used = Somebody(town).ask("POST", "/sign-in/code", 401, {"to": {"phone": number}, "code": code})
    assert used["code"] == "sign_in.failed", "a code is good once"
    held = again.ask("GET", "/account", 200)["contacts"]
    assert [(one["kind"], one["value"]) for one in held] == [("phone", number)]
    references = [one["reference"] for one in town.sms.taken]
    assert len(set(references)) == len(references)

    # Nothing of it is kept in clear, neither what was sent nor to whom.
    log = pathlib.Path(town.log.name).read_text()
    files = [path.read_bytes() for path in (town.root / "data").rglob("*") if path.is_file()]
    for quoted in (number, number[3:]):
        assert quoted not in log and not any(quoted.encode() in held for held in files), quoted


def test_a_minor_registers_with_a_guardian_who_consents(town, somebody):
    guardian = town.number()
    to = "ida@example.org"
    asked = {"username": "ida", "age": "under_14", "password": "correct horse"}
    asked["email"] = {"value": to, "code": somebody.code("register", to)}
    assert somebody.ask("POST", "/registration", 422, asked)["field"] == "guardian"
    code = somebody.texted("guardian", guardian)
    # Neither a code that was sent to somebody else, nor one for something else, is a consent.
    other = town.number()
    foreign = somebody.texted("register", other)
    for consent in ({"address": {"phone": guardian}, "code": foreign}, {"address": {"phone": other}, "code": foreign}):
        assert somebody.ask("POST", "/registration", 422, asked | {"guardian": consent})["code"] == "code.wrong"
    account = somebody.ask("POST", "/registration", 201, asked | {"guardian": {"address": {"phone": guardian}, "code": code}})["account"]
    signed_in = Somebody(town).ask("POST", "/sign-in/password", 200, {"who": "ida", "password": "correct horse"})
    assert signed_in["account"] == account

    # The guardian's number is held for those who must ask them, who say why; the minor sees that they did.
    staff = Somebody(town)
    officer = staff.register("otto", password="correct horse")
    granted = subprocess.run(
        [TACIT, "staff", "grant", officer, "privacy_officer", "--config", town.config], env=town.environment,
        capture_output=True, text=True, timeout=60, check=False)
    assert granted.returncode == 0, granted.stderr
    staff.ask("POST", "/sign-in/password", 200, {"who": "otto", "password": "correct horse"})
    unmask = f"/accounts/{account}/unmask"
    assert staff.ask("POST", unmask, 422, {"fields": ["guardian"], "reason": " "})["code"] == "request.reason"
    shown = staff.ask("POST", unmask, 200, {"fields": ["guardian"], "reason": "the guardian wrote to us"})
    assert shown["guardian"] == guardian and "email" not in shown
    looks = somebody.ask("GET", "/account/looks", 200)["items"]
    assert [(one["fields"], one["reason"]) for one in looks if one["action"] == "account.unmask"] == [
        (["guardian"], "the guardian wrote to us")]

"""One of everything that a console has, made as an owner makes it, for the fuzzer to ask about (fuzz_hooks.py)."""

import json
import re
import time

import httpx

SESSION = "__Host-tacit-session"
WHO = {"name": "Wilhelmina Example", "document": "passport", "number": "C01X00T47"}
PICTURE = b"\xff\xd8\xff\xe0 a picture"


class Asking:
    """Who asks in person: the owner (see served.rs), or whoever has that session."""

    def __init__(self, url, session):
        headers = {"Cookie": f"{SESSION}={session}", "Sec-Fetch-Site": "same-origin"}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=60)
        self.account = self.made("/me", method="GET")["account"]

    def made(self, path, body=None, method="POST", **more):
        got = self.client.request(method, "/api/v1" + path, json=body, **more)
        assert got.is_success, (path, got.status_code, got.text)
        return got.json() if got.content else None

    def letter(self, to, before):
        """The word behind that in the letter to that address, once it has gone out."""
        for _ in range(200):
            for letter in self.made("/development-outbox", method="GET")["items"]:
                shown = self.made(f"/development-outbox/{letter['id']}/unmask", {"reason": "what does it say?"})
                found = re.search(re.escape(before) + r"(\w+)", json.dumps(shown))
                if to in json.dumps(shown) and found:
                    return found.group(1)
            time.sleep(0.05)
        raise AssertionError(f"no letter to {to}")

    def case(self, papers, submitted=False):
        case = self.made("/verification/cases", WHO)["id"]
        for paper in papers:
            self.made(f"/verification/cases/{case}/papers/{paper}", method="PUT", content=PICTURE,
                      headers={"content-type": "image/jpeg"})
        if submitted:
            self.made(f"/verification/cases/{case}/submission", {})
        return case


def catalogue(owner, name):
    """A provider with a channel and a model with a price, and what else the platform has."""
    group = owner.made("/groups", {"name": name, "multiplier": "1"})["id"]
    provider = owner.made("/providers", {"name": name, "dialect": "openai", "base_url": "https://api.example"})["id"]
    recipient = owner.made("/recipients", {"name": name, "kind": "model_provider", "role": "processor", "country": "DE",
                                           "purposes": ["essential.service.ai_inference"]})["id"]
    credentials = [{"name": "first", "secret": "credential"}]
    channel = owner.made("/channels", {"name": name, "provider": name, "credentials": credentials})
    model = owner.made("/registered-models", {"name": name, "owned_by": "example"})["id"]
    tiers = [{"above_input_tokens": 0, "input": "1", "output": "2"}]
    owner.made(f"/registered-models/{model}/prices", {"price": {"per_call": "0", "tiers": tiers}})
    return {"group": group, "provider": provider, "recipient": recipient, "channel": channel["id"], "model": model,
            "credential": channel["credentials"][0]["id"]}


def invited(owner, organisation, to, role):
    body = {"to": {"email": f"{to}@example.org"}, "role": role, "language": "en"}
    return owner.made(f"/organisations/{organisation}/invitations", body)["id"]


def joined(owner, organisation, member):
    invited(owner, organisation, member.account, "developer")
    member.made("/member-invitations/accept", {"token": owner.letter(member.account, "/join#")})


def in_organisation(owner, organisation, name):
    project = owner.made(f"/organisations/{organisation}/projects", {"name": name})["id"]
    key = owner.made(f"/organisations/{organisation}/projects/{project}/keys", {"name": name})["key"]["id"]
    return {"project": project, "organisation_key": key, "member_invitation": invited(owner, organisation, name, "viewer")}


def seeded(url):
    """Ids by what they name: one of each that stays, and of what the fuzzer ends one to be ended (`ended`)."""
    people = []
    for _ in range(2):
        told = httpx.post(f"{url}/seed", timeout=60)
        assert told.status_code == 200, told.text
        people.append(told.json())
    owner = Asking(url, "owner")
    somebody, other = (Asking(url, person["token"]) for person in people)
    ids = {name: people[0][name] for name in ("account", "account_key", "call", "call_record", "own_key")}
    ids |= {"seq": "0", "page": "cookies", "kind": "email", "paper": "passport", "role": "seeded"} | catalogue(owner, "stays")
    ended = {"account_key": people[1]["account_key"], "own_key": people[1]["own_key"]} | catalogue(owner, "ends")
    owner.made(f"/recipients/{ids['recipient']}/providers/{ended['provider']}", method="PUT")
    ids["event"], ended["event"] = people[1]["events"][:2]
    ids["organisation"], ended["organisation"] = (
        owner.made("/organisations", {"name": name})["id"] for name in ("Stays", "Ends"))
    for who, things in ((somebody, ids), (other, ended)):
        things |= in_organisation(owner, ids["organisation"], f"looms-{who.account}")
        joined(owner, ids["organisation"], who)
        things["member"] = who.account
        things["invitation"] = owner.made("/invitations")["id"]
        things["management_key"] = owner.made("/management-keys", {"name": "deploys"})["key"]["id"]
    owner.made(f"/organisations/{ids['organisation']}/ownership-offer", {"account": somebody.account}, "PUT")
    owner.made(f"/roles/{ids['role']}", {"permissions": []}, "PUT")
    ids["review"] = somebody.case(["passport"], submitted=True)
    ids["case"] = owner.case(["passport"])
    ids["disclosure"] = owner.made("/disclosures", {
        "account": somebody.account, "ground": "statutory_duty", "fields": ["name"], "authority": "a court", "because": "an order"})["id"]
    asked = {"kind": "explanation", "text": "Why does it wait?"}
    ids["request"], ids["rights_request"] = (who.made("/account/requests", asked)["id"] for who in (owner, somebody))
    ended["request"] = owner.made("/account/requests", {"kind": "complaint", "text": "It is slow."})["id"]
    ids["session"] = owner.made("/sessions", method="GET")["items"][0]["id"]
    ids["incident"] = owner.made("/incidents", {"kind": "leak"})["id"]
    ids["message"] = owner.made("/development-outbox", method="GET")["items"][0]["id"]
    return ids | {"ended": ended}

//! What the crawl asks for at each route, and which routes answer nobody who asks.

use super::*;

/// What to ask for at a route, about her. `None`: nobody has said.
pub(super) fn asked(method: &str, path: &str, person: &Person, things: &Things) -> Option<(String, Option<Value>)> {
    let body = match method {
        "GET" => None,
        _ => by_staff(method, path).or_else(|| by_anybody(method, path, person))?,
    };
    let (fellows, role) = (&things.fellows, if path.contains("/staff/") { "watchers" } else { "crawlers" });
    let key = match path {
        path if path.starts_with("/api/v1/organisations/") => fellows.key.clone(),
        path if path.starts_with("/api/v1/management-keys/") => things.management_key.clone(),
        _ => person.key.to_string(),
    };
    // Whom the one concerns is said and taken out meanwhile; of the other all is said.
    let incident =
        if path.ends_with("/draft") || path.ends_with("/announcement") { &things.told } else { &things.incident };
    let (channel, model, recipient) = match method {
        // Else it would go.
        "DELETE" => {
            ("chan_01h455vb4pex5vsknk084sn02q", "model_01h455vb4pex5vsknk084sn02q", "rcpt_01h455vb4pex5vsknk084sn02q")
        }
        _ => (things.channel.as_str(), things.model.as_str(), things.recipient.as_str()),
    };
    let path = path
        .replace("{organisation}", &fellows.organisation)
        .replace("{project}", &fellows.project)
        .replace("{invitation}", &fellows.invitation)
        .replace("{key}", &key)
        .replace("{member}", &person.account.to_string())
        .replace("{passkey}", "pass_01h455vb4pex5vsknk084sn02q")
        .replace("{identity}", "ident_01h455vb4pex5vsknk084sn02q")
        .replace("{session}", &things.session)
        .replace("{case}", &things.case)
        .replace("{paper}", "id_card_front")
        .replace("{kind}", "email")
        .replace("{group}", &person.group.to_string())
        .replace("{recipient}", recipient)
        .replace("{disclosure}", &things.disclosure)
        .replace("{provider}", &things.provider)
        .replace("{channel}", channel)
        .replace("{credential}", &things.credential)
        .replace("{model}", model)
        .replace("{event}", &things.event)
        .replace("{message}", &things.message)
        .replace("{request}", &things.request)
        .replace("{incident}/draft", "{incident}/draft?draft=notice")
        .replace("{incident}", incident)
        .replace("{account}", &person.account.to_string())
        .replace("{call}", &person.call.to_string())
        .replace("{page}", "cookies")
        .replace("{matter}", "improvement")
        .replace("{role}", role)
        .replace("{seq}", &person.seq.to_string());
    (!path.contains('{')).then_some((path, body))
}

/// What staff changes, and looks at by saying why: the body of a request, if it has one.
fn by_staff(method: &str, path: &str) -> Option<Option<Value>> {
    let because = json!({"reason": "a crawl"});
    Some(match (method, path) {
        ("POST", "/api/v1/accounts") => Some(json!({"name": "Wilhelmina Canary the Second", "group": "default"})),
        ("POST", "/api/v1/accounts/search") => Some(json!({"email": EMAIL})),
        ("PATCH", "/api/v1/accounts/{account}" | "/api/v1/accounts/{account}/keys/{key}") => Some(json!({})),
        ("DELETE", "/api/v1/accounts/{account}/sessions") => None,
        ("POST", "/api/v1/accounts/{account}/credentials-reset") => {
            Some(json!({"what": "second_factor", "reason": "a crawl"}))
        }
        ("POST", "/api/v1/accounts/{account}/unmask") => {
            Some(json!({"fields": ["name", "email", "phone", "profile", "guardian"], "reason": "a crawl"}))
        }
        ("POST", "/api/v1/accounts/{account}/movements") => {
            Some(json!({"kind": "grant", "amount": "1", "reason": "a crawl"}))
        }
        ("POST", "/api/v1/call-records/{call}/unmask" | "/api/v1/development-outbox/{message}/unmask") => Some(because),
        ("POST", "/api/v1/rights-requests/{request}/details") => Some(because),
        ("POST", "/api/v1/rights-requests/{request}/decision") => {
            Some(json!({"decision": "ask", "answer": "since when?"}))
        }
        ("POST", "/api/v1/incidents") => Some(json!({"kind": "loss"})),
        ("PATCH", "/api/v1/incidents/{incident}") => Some(json!({"kind": "leak"})),
        ("POST", "/api/v1/incidents/{incident}/scope") => Some(json!({"kind": "everyone"})),
        ("POST", "/api/v1/incidents/{incident}/state") => Some(json!({"event": "assess"})),
        ("POST", "/api/v1/incidents/{incident}/announcement") => None,
        ("POST", "/api/v1/incidents/{incident}/reports") => Some(json!({"clock": "cn-4h", "to": "the authority"})),
        ("PUT" | "DELETE", "/api/v1/roles/{role}") => Some(json!({"permissions": []})),
        ("PUT" | "DELETE", "/api/v1/staff/{account}/roles/{role}") => None,
        ("PATCH", "/api/v1/groups/{group}") => Some(json!({"multiplier": "1"})),
        ("POST", "/api/v1/accounts/{account}/keys") => Some(json!({"name": "crawled"})),
        // Things of the platform, which are nobody's.
        ("POST", "/api/v1/groups") => Some(json!({"name": "crawled", "multiplier": "1"})),
        ("POST", "/api/v1/providers") => {
            Some(json!({"name": "crawled", "dialect": "openai", "base_url": "https://crawled.example"}))
        }
        ("POST", "/api/v1/disclosures/{disclosure}/details") => Some(because),
        ("POST", "/api/v1/disclosures/{disclosure}/decision") => Some(json!({"decision": "approve"})),
        ("PUT", "/api/v1/disclosures/{disclosure}/telling") => Some(json!({"from": null})),
        ("POST", "/api/v1/recipients") => {
            let purposes = json!(["essential.service"]);
            Some(json!({"name": "crawled", "kind": "mail", "role": "processor", "country": "DE", "purposes": purposes}))
        }
        ("PUT", "/api/v1/recipients/{recipient}/providers/{provider}") => None,
        ("POST", "/api/v1/channels") => Some(json!({"name": "crawled", "provider": "acme"})),
        ("POST", "/api/v1/registered-models") => Some(json!({"name": "crawled"})),
        (
            "PATCH",
            "/api/v1/providers/{provider}"
            | "/api/v1/recipients/{recipient}"
            | "/api/v1/channels/{channel}"
            | "/api/v1/registered-models/{model}",
        ) => Some(json!({})),
        ("POST", "/api/v1/registered-models/{model}/prices") => {
            let tiers = json!([{"above_input_tokens": 0, "input": "1", "output": "2"}]);
            Some(json!({"price": {"per_call": "0", "tiers": tiers}}))
        }
        ("POST", "/api/v1/channels/{channel}/credentials/{credential}/reveal") => Some(because),
        ("POST", "/api/v1/set-aside/{event}/settle" | "/api/v1/set-aside/{event}/drop") => None,
        ("POST", "/api/v1/organisations/{organisation}/reopen") => None,
        (
            "POST",
            "/api/v1/verification-reviews/{case}/details" | "/api/v1/verification-reviews/{case}/papers/{paper}",
        ) => Some(because),
        ("POST", "/api/v1/verification-reviews/{case}/verdict") => Some(json!({"verdict": "approved"})),
        _ => return None,
    })
}

/// What members of her organisation do, whoever is signed in, and whoever is not. What they say is about her where it can be.
fn by_anybody(method: &str, path: &str, person: &Person) -> Option<Option<Value>> {
    let to = json!({"email": EMAIL});
    let another = json!({"name": "Somebody Else", "document": "id_card", "number": "440524188001010014"});
    Some(match (method, path) {
        ("DELETE", _) => None,
        ("POST", "/api/v1/codes") => Some(json!({"purpose": "sign_in", "to": to})),
        ("POST", "/api/v1/registration") => Some(json!({"age": "adult", "email": {"value": EMAIL, "code": "000000"}})),
        ("POST", "/api/v1/sign-in/password") => Some(json!({"who": EMAIL, "password": "correct horse"})),
        ("POST", "/api/v1/sign-in/code") => Some(json!({"to": to, "code": "000000"})),
        ("POST", "/api/v1/password/reset") => Some(json!({"to": to, "code": "000000", "password": "another horse"})),
        ("POST", "/api/v1/sign-in/second-factor") => Some(json!({"totp": "000000"})),
        ("POST", "/api/v1/step-up") => Some(json!({"password": "correct horse"})),
        (
            "POST",
            "/api/v1/sign-out"
            | "/api/v1/sign-in/providers/{provider}"
            | "/api/v1/account/identities/link/{provider}"
            | "/api/v1/sign-in/passkey/begin"
            | "/api/v1/step-up/passkey/begin"
            | "/api/v1/account/passkeys/begin"
            | "/api/v1/account/copy"
            | "/api/v1/invitations"
            | "/api/v1/second-factor"
            | "/api/v1/second-factor/recovery-codes"
            | "/api/v1/organisations/{organisation}/leave"
            | "/api/v1/organisations/{organisation}/ownership-offer/accept",
        ) => None,
        (
            "POST",
            "/api/v1/sign-in/providers/{provider}/finish" | "/api/v1/account/identities/link/{provider}/finish",
        ) => Some(json!({"state": "state", "code": "code"})),
        ("POST", "/api/v1/sign-in/passkey" | "/api/v1/step-up/passkey" | "/api/v1/account/passkeys") => {
            Some(json!({"ceremony": "cer_01h455vb4pex5vsknk084sn02q", "name": "laptop", "credential": {}}))
        }
        ("PATCH", "/api/v1/account/passkeys/{passkey}") => Some(json!({"name": "laptop"})),
        ("PUT", "/api/v1/account/profile") => Some(json!({"fields": {}, "language": "en"})),
        ("PUT", "/api/v1/account/name") => Some(json!({"name": "Somebody Else"})),
        ("POST", "/api/v1/keys/{key}/retire" | "/api/v1/organisations/{organisation}/keys/{key}/retire") => None,
        ("PATCH", "/api/v1/management-keys/{key}") => Some(json!({"name": "crawled"})),
        ("POST", "/api/v1/organisations/{organisation}/projects/{project}/keys") => Some(json!({"name": "crawled"})),
        ("PUT", "/api/v1/account/password") => Some(json!({"password": "another horse"})),
        ("PUT", "/api/v1/account/contacts") => Some(json!({"to": to, "code": "000000"})),
        ("POST", "/api/v1/second-factor/confirm") => Some(json!({"totp": "000000"})),
        ("POST", "/api/v1/management-keys" | "/api/v1/organisations" | "/api/v1/keys") => {
            Some(json!({"name": "crawled"}))
        }
        ("PATCH", "/api/v1/keys/{key}" | "/api/v1/organisations/{organisation}/keys/{key}") => Some(json!({})),
        ("PUT", "/api/v1/account/choices/{matter}") => {
            let wording = tacit_identity::choices::digest(tacit_identity::choices::Matter::Improvement);
            Some(json!({"allowed": true, "wording": wording}))
        }
        ("POST", "/api/v1/account/deletions") => Some(json!({"part": "messages"})),
        ("POST", "/api/v1/rights-desk/enter") => Some(json!({"to": to, "code": "000000"})),
        ("POST", "/api/v1/rights-desk/requests") => {
            Some(json!({"pass": "none", "account": person.account, "kind": "copy"}))
        }
        ("POST", "/api/v1/rights-desk/requests/list" | "/api/v1/rights-desk/copy") => {
            Some(json!({"pass": "none", "account": person.account}))
        }
        ("POST", "/api/v1/rights-desk/requests/change") => Some(json!({"pass": "none", "account": person.account,
            "request": "rreq_01h455vb4pex5vsknk084sn02q", "event": "withdraw"})),
        ("POST", "/api/v1/disclosures") => {
            Some(json!({"account": person.account, "ground": "statutory_duty", "fields": ["name"],
            "authority": "court of Canaries", "because": "order 12/34"}))
        }
        ("POST", "/api/v1/account/requests") => Some(json!({"kind": "complaint", "text": "it is slow"})),
        ("POST", "/api/v1/account/requests/{request}/withdraw") => None,
        ("POST", "/api/v1/account/requests/{request}/reply" | "/api/v1/account/requests/{request}/appeal") => {
            Some(json!({"text": "since Monday"}))
        }
        ("POST", "/api/v1/leaked-keys") => Some(json!({"key": "sk-crawled"})),
        ("PATCH", "/api/v1/organisations/{organisation}") => Some(json!({"name": "Looms"})),
        (
            "PATCH",
            "/api/v1/organisations/{organisation}/members/{member}"
            | "/api/v1/organisations/{organisation}/projects/{project}",
        ) => Some(json!({})),
        ("POST", "/api/v1/organisations/{organisation}/invitations") => {
            Some(json!({"to": {"phone": PHONE}, "role": "viewer"}))
        }
        ("POST", "/api/v1/member-invitations/accept") => Some(json!({"token": "crawled"})),
        ("PUT", "/api/v1/organisations/{organisation}/ownership-offer") => Some(json!({"account": person.account})),
        ("POST", "/api/v1/organisations/{organisation}/projects") => Some(json!({"name": "crawled"})),
        ("POST", "/api/v1/organisations/{organisation}/keys") => Some(json!({"name": "crawled"})),
        ("POST", "/api/v1/verification/cases") | ("PUT", "/api/v1/verification/cases/{case}") => Some(another),
        ("PUT", "/api/v1/verification/cases/{case}/papers/{paper}") => None,
        ("POST", "/api/v1/verification/cases/{case}/submission") => Some(json!({})),
        _ => return None,
    })
}

/// Whether a request may end what those behind it need: an organisation of its own is made for it.
pub(super) fn ends_something(method: &str, path: &str) -> bool {
    method != "GET" && path.starts_with("/api/v1/organisations/{organisation}")
}

/// Routes that answer nobody of the crawl, which proves of them no more than that they are refused; with the reason. A route
/// that is neither here nor answers somebody is an error, and so is one that is here and answers.
pub(super) const REFUSED: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/keys/{key}", OWN),
    ("PATCH", "/api/v1/keys/{key}", OWN),
    ("DELETE", "/api/v1/keys/{key}", OWN),
    ("POST", "/api/v1/keys/{key}/retire", OWN),
    ("GET", "/api/v1/account/requests/{request}", OWN),
    ("POST", "/api/v1/account/requests/{request}/withdraw", OWN),
    ("POST", "/api/v1/account/requests/{request}/reply", OWN),
    ("POST", "/api/v1/account/requests/{request}/appeal", OWN),
    ("POST", "/api/v1/organisations/{organisation}/keys/{key}/retire", "it is in use"),
    ("DELETE", "/api/v1/invitations/{invitation}", OWN),
    ("PATCH", "/api/v1/management-keys/{key}", OWN),
    ("GET", "/api/v1/calls/{call}", OWN),
    ("GET", "/api/v1/management-keys/{key}", OWN),
    ("DELETE", "/api/v1/management-keys/{key}", OWN),
    ("DELETE", "/api/v1/sessions/{session}", OWN),
    ("GET", "/api/v1/verification/cases/{case}", OWN),
    ("PUT", "/api/v1/verification/cases/{case}", OWN),
    ("DELETE", "/api/v1/verification/cases/{case}", OWN),
    ("POST", "/api/v1/verification/cases/{case}/submission", OWN),
    ("PUT", "/api/v1/verification/cases/{case}/papers/{paper}", OWN),
    ("DELETE", "/api/v1/verification/cases/{case}/papers/{paper}", OWN),
    ("POST", "/api/v1/organisations/{organisation}/ownership-offer/accept", OWN),
    ("POST", "/api/v1/registration", SECRET),
    ("POST", "/api/v1/sign-in/password", SECRET),
    ("POST", "/api/v1/sign-in/code", SECRET),
    ("POST", "/api/v1/password/reset", SECRET),
    ("POST", "/api/v1/member-invitations/accept", SECRET),
    ("POST", "/api/v1/rights-desk/enter", SECRET),
    ("POST", "/api/v1/rights-desk/requests", SECRET),
    ("POST", "/api/v1/rights-desk/requests/list", SECRET),
    ("POST", "/api/v1/rights-desk/requests/change", SECRET),
    ("POST", "/api/v1/rights-desk/copy", SECRET),
    ("POST", "/api/v1/sign-in/second-factor", SESSION),
    ("POST", "/api/v1/step-up", SESSION),
    ("POST", "/api/v1/sign-out", SESSION),
    ("PUT", "/api/v1/account/profile", SESSION),
    ("PUT", "/api/v1/account/password", SESSION),
    ("PUT", "/api/v1/account/name", SESSION),
    ("DELETE", "/api/v1/account/contacts/{kind}", SESSION),
    ("PUT", "/api/v1/account/contacts", SESSION),
    ("POST", "/api/v1/second-factor", SESSION),
    ("DELETE", "/api/v1/second-factor", SESSION),
    ("POST", "/api/v1/second-factor/confirm", SESSION),
    ("POST", "/api/v1/second-factor/recovery-codes", SESSION),
    ("POST", "/api/v1/management-keys", SESSION),
    ("DELETE", "/api/v1/groups/{group}", USED),
    ("DELETE", "/api/v1/providers/{provider}", USED),
    ("POST", "/api/v1/disclosures/{disclosure}/decision", "those who ask are one account here, which proposed it"),
    ("DELETE", "/api/v1/recipients/{recipient}", OTHER),
    ("DELETE", "/api/v1/recipients/{recipient}/providers/{provider}", OTHER),
    ("DELETE", "/api/v1/channels/{channel}", OTHER),
    ("DELETE", "/api/v1/registered-models/{model}", OTHER),
    ("POST", "/api/v1/sign-in/providers/{provider}", WAY),
    ("POST", "/api/v1/sign-in/providers/{provider}/finish", WAY),
    ("POST", "/api/v1/account/identities/link/{provider}", WAY),
    ("POST", "/api/v1/account/identities/link/{provider}/finish", WAY),
    ("DELETE", "/api/v1/account/identities/{identity}", WAY),
    ("POST", "/api/v1/sign-in/passkey/begin", WAY),
    ("POST", "/api/v1/sign-in/passkey", WAY),
    ("POST", "/api/v1/step-up/passkey/begin", WAY),
    ("POST", "/api/v1/step-up/passkey", WAY),
    ("POST", "/api/v1/account/passkeys/begin", WAY),
    ("POST", "/api/v1/account/passkeys", WAY),
    ("GET", "/api/v1/account/passkeys/{passkey}", WAY),
    ("PATCH", "/api/v1/account/passkeys/{passkey}", WAY),
    ("DELETE", "/api/v1/account/passkeys/{passkey}", WAY),
];
const OWN: &str = "it is hers, and she is not among those who ask";
const SECRET: &str = "it asks for a password, a code or a token that she alone knows";
const SESSION: &str = "those who ask have no session that is kept, nor a profile";
const USED: &str = "something uses it";
const OTHER: &str = "one is named that is not there, for the requests behind need the one there is";
const WAY: &str = "this console has no providers of identities and no passkeys; tests/e2e has";

//! Organisations over a socket: who is in one, what they may do there, and what they see.

use super::*;
use serde_json::json;
use tacit_identity::organisations::OrganisationPermission;
use tacit_kernel::Nano;
use tacit_kernel::ids::KeyId;
use tacit_operations::messages::delivery;
use tacit_storage::{Page, Sql, StorageError, WriteTx, both_engines};
use tokio_util::sync::CancellationToken;

const SET_FOUNDER: Sql =
    Sql::new("UPDATE organisation_members SET role = 'viewer' WHERE organisation_id = $1 AND account_id = $2");
const ADD_MEMBER: Sql = Sql::new(
    "INSERT INTO organisation_members (organisation_id, account_id, role, budget, joined_at, updated_at) \
     VALUES ($1, $2, $3, '{}', 0, 0)",
);
const ADD_USAGE: Sql = Sql::new(
    "INSERT INTO usage_daily (account_id, key_id, day, calls, tokens, amount) VALUES ($1, $2, $3, $4, $5, $6)",
);

impl Served {
    /// An organisation with somebody of every role. Somebody else has made it, for nobody owns many.
    pub(super) async fn organisation(&self) -> AccountId {
        let identity = &self.console.identity;
        let group = identity.group_by_name("default").await.unwrap().unwrap().id;
        let name = Personal::new(format!("founder {}", tacit_kernel::ids::fresh()));
        let founder = identity.account_create(&name, group, &Limits::default()).await.unwrap().id;
        let make = async |tx: &mut WriteTx<'_>| {
            let id = identity.organisation_create_in_tx(tx, founder, &Personal::new("Engines".to_owned())).await?.id;
            tx.execute(&SET_FOUNDER, &[id.into(), founder.into()]).await?;
            for (role, account) in &self.members {
                tx.execute(&ADD_MEMBER, &[id.into(), (*account).into(), role.as_str().into()]).await?;
            }
            Ok::<_, tacit_identity::IdentityError>(id)
        };
        let make = &make;
        self.console.db.write("test.organisation", |tx| Box::pin(make(tx))).await.unwrap()
    }

    /// Makes that account a member.
    pub(super) async fn joins(&self, organisation: AccountId, role: OrganisationRole, account: AccountId) {
        let row = &[organisation.into(), account.into(), role.as_str().into()];
        let added: Result<u64, StorageError> = self
            .console
            .db
            .write("test.member", |tx| Box::pin(async move { tx.execute(&ADD_MEMBER, row).await }))
            .await;
        added.unwrap();
    }

    /// Gives an account an address.
    async fn reached(&self, name: &str, account: AccountId) {
        let contact = &tacit_identity::contacts::Contact::email(&format!("{name}@example.org")).unwrap();
        let put = async |tx: &mut WriteTx<'_>| self.console.identity.contact_put_in_tx(tx, account, contact).await;
        let put = &put;
        self.console.db.write("test.contact", |tx| Box::pin(put(tx))).await.unwrap();
    }

    /// The titles of what was written to people, by name.
    async fn written(&self) -> Vec<String> {
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        tokio::spawn(delivery::run(self.console.messages.clone(), stop));
        loop {
            let waiting = self.console.messages.list(Page::default()).await.unwrap().items;
            if waiting.iter().all(|message| message.finished_at.is_some()) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let kept = self.console.messages.kept_list(Page::default()).await.unwrap().items;
        let mut titles: Vec<_> = kept.into_iter().filter_map(|kept| kept.content?.subject).collect();
        titles.sort();
        titles
    }

    async fn used(&self, organisation: AccountId, key: &Value, day: i64, amount: i64) {
        let key: KeyId = key["key"]["id"].as_str().unwrap().parse().unwrap();
        let day = tacit_kernel::Clock::now(&*self.clock).day_start().plus_micros(day * 86_400_000_000);
        let row = &[organisation.into(), key.into(), day.into(), 2_i64.into(), 30_i64.into(), amount.into()];
        let added: Result<u64, StorageError> =
            self.console.db.write("test.usage", |tx| Box::pin(async move { tx.execute(&ADD_USAGE, row).await })).await;
        added.unwrap();
    }

    /// The answer to who sends that, with or without a body.
    async fn said(&self, method: Method, path: &str, by: &str, body: Option<Value>) -> Got {
        // Each from elsewhere, so that nobody has to wait for others.
        let from = std::net::Ipv4Addr::from_bits(chance()).to_string();
        let asking = self.ask(method, path).by(by).header("x-forwarded-for", &from);
        match body {
            Some(body) => asking.json(&body).send().await,
            None => asking.send().await,
        }
    }
}

both_engines! {
    async fn an_organisation_is_made_renamed_closed_and_opened_again(db: Db) {
        let served = served(db).await;
        let post = async |key: &str, name: &str| {
            let asking = served.ask(Method::POST, "/api/v1/organisations").by("ann").header("idempotency-key", key);
            asking.json(&json!({ "name": name })).send().await
        };
        let made = post("k", "Engines").await;
        assert_eq!((made.status.as_u16(), &made.json()["role"]), (201, &json!("owner")));
        let again = post("k", "Engines").await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", made.json()));
        assert_eq!(post("k", "Other").await.refusal(), (422, "idempotency.key_reused".into()));
        assert_eq!(post("l", "").await.refusal(), (422, "organisation.name_invalid".into()));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/organisations/{id}");
        let shown = served.get(&path).by("ann").send().await;
        assert_eq!((shown.json(), shown.header("etag")), (made.json(), made.header("etag")));
        assert_eq!(served.get("/api/v1/organisations").by("ann").send().await.json()["items"], json!([made.json()]));
        assert_eq!(served.get("/api/v1/organisations").by("bob").send().await.json(), json!({ "items": [] }));

        let patch = async |tag: &str, name: &str| {
            served.clock.advance_micros(1);
            let asking = served.ask(Method::PATCH, &path).by("ann").header("if-match", tag);
            asking.json(&json!({ "name": name })).send().await
        };
        let renamed = patch(made.header("etag"), "Looms").await;
        assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!("Looms")));
        assert_eq!(patch(made.header("etag"), "Mills").await.refusal(), (412, "request.changed".into()));

        // Ann has not proved who she is, and nothing is closed by who has not.
        let closing = served.said(Method::DELETE, &path, "ann", None).await;
        assert_eq!(closing.refusal(), (403, "access.step_up_required".into()));
        let other = served.organisation().await;
        let path = format!("/api/v1/organisations/{other}");
        assert_eq!(served.said(Method::DELETE, &path, "org-owner-stepped-up", None).await.status, 204);
        let refused = served.said(Method::PATCH, &path, "org-owner", Some(json!({ "name": "Mills" }))).await;
        assert_eq!(refused.refusal(), (403, "organisation.closed".into()));
        let shown = served.get(&path).by("org-viewer").send().await;
        assert_eq!((shown.status.as_u16(), &shown.json()["status"]), (200, &json!("closed")));
        assert_eq!(served.said(Method::POST, &format!("{path}/leave"), "org-viewer", None).await.status, 204);
        assert_eq!(served.get(&path).by("org-viewer").send().await.refusal(), (404, "organisation.not_found".into()));
        let reopen = format!("{path}/reopen");
        assert_eq!(served.said(Method::POST, &reopen, "org-owner", None).await.refusal(), (403, "access.denied".into()));
        assert_eq!(served.said(Method::POST, &reopen, "admin", None).await.status, 204);
        assert_eq!(served.said(Method::PATCH, &path, "org-owner", Some(json!({ "name": "Mills" }))).await.status, 200);
        let offer = format!("{path}/ownership-offer");
        let to = json!({ "account": served.members[1].1 });
        served.reached("org-owner", served.members[0].1).await;
        served.reached("org-admin", served.members[1].1).await;
        assert_eq!(served.said(Method::PUT, &offer, "org-owner-stepped-up", Some(to)).await.status, 200);
        assert_eq!(served.get(&path).by("org-admin").send().await.json()["role"], "admin");
        assert_eq!(served.get(&offer).by("org-admin").send().await.json()["member"], json!(served.members[1].1));
        let hidden = served.get(&offer).by("org-billing").send().await.refusal();
        assert_eq!(hidden, (404, "ownership_offer.not_found".into()), "it is nobody else's");
        let accept = format!("{offer}/accept");
        let weak = served.said(Method::POST, &accept, "org-admin", None).await;
        assert_eq!(weak.refusal(), (403, "access.step_up_required".into()));
        let other = served.said(Method::POST, &accept, "org-developer-stepped-up", None).await;
        assert_eq!(other.refusal(), (404, "ownership_offer.not_found".into()));
        assert_eq!(served.said(Method::POST, &accept, "org-admin-stepped-up", None).await.status, 204);
        let titles = served.written().await;
        assert_eq!(titles, [
            "An organisation has another owner", "An organisation is offered to you", "You offered an organisation to somebody",
            "You own an organisation now",
        ]);
        assert_eq!(served.get(&path).by("org-owner").send().await.json()["role"], "admin");
        assert_eq!(served.get(&path).by("org-admin").send().await.json()["role"], "owner");
        let leave = format!("{path}/leave");
        assert_eq!(served.said(Method::POST, &leave, "org-admin", None).await.refusal(), (409, "organisation.owner".into()));
    }

    async fn nobody_makes_one_where_they_are_switched_off(db: Db) {
        let mut served = served(db).await;
        served.console.organisations.open = false;
        let listener = server::bind(&served.socket.with_extension("off")).unwrap();
        served.socket = served.socket.with_extension("off");
        tokio::spawn(server::serve(listener, serving(routes(), served.console.clone()), std::future::pending()));
        let got = served.said(Method::POST, "/api/v1/organisations", "ann", Some(json!({ "name": "Engines" }))).await;
        assert_eq!(got.refusal(), (403, "organisation.off".into()));
    }

    async fn somebody_is_invited_and_joins(db: Db) {
        let served = served(db).await;
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        tokio::spawn(delivery::run(served.console.messages.clone(), stop));
        let path = format!("/api/v1/organisations/{}", served.organisation().await);
        let invitations = format!("{path}/invitations");
        let wish = |to: &str, role: &str| Some(json!({ "to": { "email": to }, "role": role, "language": "zh" }));
        let refused = served.said(Method::POST, &invitations, "org-admin", wish("bob", "viewer")).await;
        assert_eq!((refused.refusal(), &refused.json()["field"]), ((422, "contact.invalid".into()), &json!("to.email")));
        let refused = served.said(Method::POST, &invitations, "org-admin", wish("bob@example.org", "billing")).await;
        assert_eq!(refused.refusal(), (403, "role.beyond_own".into()));
        let refused = served.said(Method::POST, &invitations, "org-owner", wish("bob@example.org", "owner")).await;
        assert_eq!(refused.refusal(), (409, "organisation.owner".into()));
        let made = served.said(Method::POST, &invitations, "org-admin", wish("bob@example.org", "developer")).await;
        assert_eq!((made.status.as_u16(), &made.json()["to"]), (201, &json!("b***@example.org")));
        assert_eq!(served.get(&invitations).by("org-viewer").send().await.json()["items"], json!([made.json()]));

        let text = loop {
            let kept = served.console.messages.kept_list(Page::default()).await.unwrap().items;
            match kept.into_iter().find_map(|kept| kept.content) {
                Some(content) => break content.text,
                None => tokio::time::sleep(std::time::Duration::from_millis(25)).await,
            }
        };
        assert!(text.contains("Engines") && text.contains("org-admin"), "{text}");
        let (_, rest) = text.split_once("https://tacit.example/organisations/join#").unwrap();
        let token: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let accept = "/api/v1/member-invitations/accept";
        let wrong = served.said(Method::POST, accept, "bob", Some(json!({ "token": "abc" }))).await;
        assert_eq!(wrong.refusal(), (422, "member_invitation.invalid".into()));
        assert_eq!(served.get(&path).by("bob").send().await.refusal(), (404, "organisation.not_found".into()));
        let joined = served.said(Method::POST, accept, "bob", Some(json!({ "token": token }))).await;
        assert_eq!((joined.status.as_u16(), &joined.json()["role"]), (200, &json!("developer")));
        let again = served.said(Method::POST, accept, "ann", Some(json!({ "token": token }))).await;
        assert_eq!(again.refusal(), (422, "member_invitation.invalid".into()), "once");
        assert_eq!(served.get(&path).by("bob").send().await.json()["role"], "developer");

        let withdrawn = served.said(Method::POST, &invitations, "org-owner", wish("x@example.org", "billing")).await.json();
        let one = format!("{invitations}/{}", withdrawn["id"].as_str().unwrap());
        assert_eq!(served.said(Method::DELETE, &one, "org-admin", None).await.refusal(), (403, "role.beyond_own".into()));
        assert_eq!(served.said(Method::DELETE, &one, "org-owner", None).await.status, 204);
        assert_eq!(served.get(&invitations).by("org-owner").send().await.json(), json!({ "items": [] }));
    }

    async fn members_are_told_and_no_name_is_a_link(db: Db) {
        let served = served(db).await;
        let path = format!("/api/v1/organisations/{}", served.organisation().await);
        let name = json!({ "name": "Win at https://evil.example/now" });
        assert_eq!(served.said(Method::PATCH, &path, "org-owner", Some(name)).await.status, 200);
        let developer = served.members[3].1;
        served.reached("org-developer", developer).await;
        let one = format!("{path}/members/{developer}");
        // What is refused is told to nobody, what stays as it is neither.
        for body in [json!({ "role": "owner" }), json!({ "role": "developer" }), json!({ "budget": {} })] {
            served.said(Method::PATCH, &one, "org-admin", Some(body)).await;
        }
        let body = json!({ "role": "viewer", "budget": { "spend_per_day": "1" } });
        assert_eq!(served.said(Method::PATCH, &one, "org-owner", Some(body)).await.status, 200);
        assert_eq!(served.said(Method::DELETE, &one, "org-owner", None).await.status, 204);
        let wish = json!({ "to": { "email": "bob@example.org" }, "role": "viewer", "language": "en" });
        assert_eq!(served.said(Method::POST, &format!("{path}/invitations"), "org-owner", Some(wish)).await.status, 201);
        let sms = json!({ "to": { "phone": "+8613800138000" }, "role": "viewer", "language": "en" });
        assert_eq!(served.said(Method::POST, &format!("{path}/invitations"), "org-owner", Some(sms)).await.status, 201);
        assert_eq!(served.written().await, [
            "You were removed from an organisation", "Your budget in an organisation was changed",
            "Your role in an organisation was changed", "org-owner invites you to Win at https evil example now",
        ]);
        let kept = served.console.messages.kept_list(Page::default()).await.unwrap().items;
        let texts: Vec<_> = kept.into_iter().filter_map(|kept| kept.content).map(|content| content.text).collect();
        assert!(texts.iter().all(|text| !text.contains("evil.example")), "{texts:?}");
        assert!(texts.iter().any(|text| text.starts_with("Test: you are invited") && !text.contains("evil")), "{texts:?}");
    }

    async fn members_are_changed_and_removed_within_the_own_role(db: Db) {
        let served = served(db).await;
        let path = format!("/api/v1/organisations/{}/members", served.organisation().await);
        let of = |role: OrganisationRole| {
            let (_, account) = served.members.iter().find(|(of, _)| *of == role).unwrap();
            format!("{path}/{account}")
        };
        let listed = served.get(&format!("{path}?limit=2")).by("org-viewer").send().await.json();
        assert_eq!((listed["items"].as_array().unwrap().len(), listed["next"].is_string()), (2, true));
        let developer = of(OrganisationRole::Developer);
        let shown = served.get(&developer).by("org-billing").send().await;
        assert_eq!(shown.json()["name"], "org-developer");
        let budget = json!({ "spend_per_month": "12.5" });
        let asking = served.ask(Method::PATCH, &developer).by("org-admin").header("if-match", shown.header("etag"));
        let patched = asking.json(&json!({ "budget": budget })).send().await;
        assert_eq!((&patched.json()["budget"], &patched.json()["role"]), (&budget, &json!("developer")));
        let asking = served.ask(Method::DELETE, &developer).by("org-admin").header("if-match", shown.header("etag"));
        assert_eq!(asking.send().await.refusal(), (412, "request.changed".into()));
        for (role, to, code) in [
            (OrganisationRole::Developer, "billing", "role.beyond_own"),
            (OrganisationRole::Billing, "viewer", "role.beyond_own"),
            (OrganisationRole::Owner, "viewer", "role.beyond_own"),
            (OrganisationRole::Developer, "owner", "organisation.owner"),
        ] {
            let got = served.said(Method::PATCH, &of(role), "org-admin", Some(json!({ "role": to }))).await;
            assert_eq!(got.refusal().1, code, "{role:?} {to}");
        }
        let bad = served.said(Method::PATCH, &developer, "org-owner", Some(json!({ "budget": { "spend_per_day": "-1" } })));
        assert_eq!(bad.await.refusal(), (422, "budget.invalid".into()));
        assert_eq!(served.said(Method::DELETE, &developer, "org-admin", None).await.status, 204);
        assert_eq!(served.get(&developer).by("org-admin").send().await.refusal(), (404, "member.not_found".into()));
        let owner = of(OrganisationRole::Owner);
        let got = served.said(Method::DELETE, &owner, "org-owner", None).await;
        assert_eq!(got.refusal(), (409, "organisation.owner".into()));
    }

    async fn a_key_of_a_project_alone_is_made_and_seen_by_who_may_see_all(db: Db) {
        let served = served(db).await;
        let path = format!("/api/v1/organisations/{}", served.organisation().await);
        let project = served.said(Method::POST, &format!("{path}/projects"), "org-admin", Some(json!({ "name": "p" }))).await;
        let project_path = format!("{path}/projects/{}", project.json()["id"].as_str().unwrap());
        let keys = format!("{project_path}/keys");
        let body = || Some(json!({ "name": "deploy", "limits": { "concurrency": 3 } }));
        for by in ["org-developer", "org-billing", "org-viewer"] {
            assert_eq!(served.said(Method::POST, &keys, by, body()).await.refusal(), (403, "access.denied".into()));
            assert_eq!(served.get(&keys).by(by).send().await.refusal(), (403, "access.denied".into()));
        }
        let post = async |by: &str| {
            let asking = served.ask(Method::POST, &keys).by(by).header("idempotency-key", "k");
            asking.json(&body().unwrap()).send().await
        };
        let made = post("tm-org-admin").await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let again = post("tm-org-admin").await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", made.json()));
        let key = made.json()["key"].clone();
        assert_eq!((&key["project"], key.get("member"), &key["limits_by"]), (&project.json()["id"], None, &json!("admin")));
        let mut members = json!({ "name": "hers", "project": project.json()["id"] });
        let hers = served.said(Method::POST, &format!("{path}/keys"), "org-developer", Some(members.take())).await;
        let listed = served.get(&keys).by("org-owner").send().await.json();
        assert_eq!(listed["items"], json!([key, hers.json()["key"]]));
        let one = format!("{path}/keys/{}", key["id"].as_str().unwrap());
        assert_eq!(served.get(&one).by("org-developer").send().await.refusal(), (404, "key.not_found".into()));
        let patched = served.said(Method::PATCH, &one, "org-owner", Some(json!({ "name": "ship" }))).await;
        assert_eq!((patched.status.as_u16(), &patched.json()["name"]), (200, &json!("ship")));
        let absent = keys.replace(project.json()["id"].as_str().unwrap(), "proj_01h455vb4pex5vsknk084sn02q");
        assert_eq!(served.get(&absent).by("org-owner").send().await.refusal(), (404, "project.not_found".into()));
        let refused = served.said(Method::POST, &absent, "org-owner", body()).await;
        assert_eq!(refused.refusal(), (404, "project.not_found".into()));

        assert_eq!(served.said(Method::DELETE, &project_path, "org-admin", None).await.status, 204);
        let shown = served.get(&one).by("org-owner").send().await.json();
        assert_eq!((&shown["status"], &shown["ended"]), (&json!("disabled"), &json!("revoked")));
        let refused = served.said(Method::POST, &keys, "org-owner", Some(json!({ "name": "late" }))).await;
        assert_eq!(refused.refusal(), (409, "project.archived".into()));
    }

    async fn a_developer_sees_and_changes_their_own_keys_and_an_admin_all(db: Db) {
        let served = served(db).await;
        let id = served.organisation().await;
        let path = format!("/api/v1/organisations/{id}");
        let project = served.said(Method::POST, &format!("{path}/projects"), "org-admin", Some(json!({ "name": "p" }))).await;
        assert_eq!(project.status, 201);
        let project_path = format!("{path}/projects/{}", project.json()["id"].as_str().unwrap());
        let keys = format!("{path}/keys");
        let new = |name: &str| Some(json!({ "name": name, "project": project.json()["id"] }));
        let own = served.said(Method::POST, &keys, "org-developer", new("own")).await;
        assert_eq!(own.status, 201, "{}", String::from_utf8_lossy(&own.body));
        let hers = served.said(Method::POST, &keys, "tm-org-admin", new("hers")).await.json();
        let (developer, admin) = (served.members[3].1.to_string(), served.members[1].1.to_string());
        assert_eq!(own.json()["key"]["member"], developer);
        assert_eq!(hers["key"]["member"], admin);
        let names = async |by: &str| {
            let page = served.get(&keys).by(by).send().await.json();
            page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((names("org-developer").await, names("org-admin").await.len()), (vec!["own".to_owned()], 2));
        let of = |key: &Value| format!("{keys}/{}", key["key"]["id"].as_str().unwrap());
        let (own_path, hers_path) = (of(&own.json()), of(&hers));
        assert_eq!(served.get(&own_path).by("org-developer").send().await.header("etag"), own.header("etag"));
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let body = (method == Method::PATCH).then(|| json!({}));
            let got = served.said(method, &hers_path, "org-developer", body).await;
            assert_eq!(got.refusal(), (404, "key.not_found".into()));
        }
        // Nor are they anybody's at the other path, or of another organisation.
        let at_home = format!("/api/v1/keys/{}", own.json()["key"]["id"].as_str().unwrap());
        assert_eq!(served.get(&at_home).by("org-developer").send().await.refusal(), (404, "key.not_found".into()));
        let elsewhere = own_path.replace(&id.to_string(), &served.organisation().await.to_string());
        assert_eq!(served.get(&elsewhere).by("org-admin").send().await.refusal(), (404, "key.not_found".into()));
        for (by, member, code) in
            [("org-developer", &admin, "role.beyond_own"), ("org-admin", &served.members[4].1.to_string(), "member.keyless")]
        {
            let body = json!({ "name": "for", "member": member });
            assert_eq!(served.said(Method::POST, &keys, by, Some(body)).await.refusal().1, code);
        }
        let (enable, disable) = (|| Some(json!({ "status": "active" })), || Some(json!({ "status": "disabled" })));
        assert_eq!(served.said(Method::PATCH, &own_path, "org-developer", disable()).await.status, 200);
        assert_eq!(served.said(Method::PATCH, &own_path, "org-developer", enable()).await.status, 200);
        // What an admin disabled its member does not take into use again.
        assert_eq!(served.said(Method::PATCH, &own_path, "org-admin", disable()).await.status, 200);
        let held = served.said(Method::PATCH, &own_path, "org-developer", enable()).await;
        assert_eq!(held.refusal(), (403, "key.held".into()));
        assert_eq!(served.said(Method::PATCH, &own_path, "org-admin", enable()).await.status, 200);
        assert_eq!(served.said(Method::DELETE, &project_path, "org-admin", None).await.status, 204);
        assert_eq!(served.get(&own_path).by("org-developer").send().await.json()["status"], "disabled");
        let refused = served.said(Method::PATCH, &own_path, "org-developer", enable()).await;
        assert_eq!(refused.refusal(), (409, "project.archived".into()));
        let back = served.said(Method::PATCH, &project_path, "org-admin", Some(json!({ "status": "active", "name": "q" }))).await;
        assert_eq!((&back.json()["status"], &back.json()["name"]), (&json!("active"), &json!("q")));
        assert_eq!(served.said(Method::PATCH, &own_path, "org-developer", enable()).await.status, 200);
    }

    async fn money_and_usage_are_shown_to_who_may_see_them(db: Db) {
        let served = served(db).await;
        let id = served.organisation().await;
        let path = format!("/api/v1/organisations/{id}");
        served.console.ledger.top_up(id, Nano(5_000_000_000), "paid").await.unwrap();
        served.console.ledger.top_up(served.ann, Nano(1), "anns").await.unwrap();
        let wallet = served.get(&format!("{path}/wallet")).by("org-billing").send().await.json();
        assert_eq!(wallet, json!({ "wallet": "5", "gift": "0", "reserved": "0", "currency": "USD" }));
        let entries = served.get(&format!("{path}/wallet/entries")).by("org-owner").send().await.json();
        let entry = json!([{ "balance": "wallet", "amount": "5" }]);
        assert_eq!((entries["items"].as_array().unwrap().len(), &entries["items"][0]["entries"]), (1, &entry));

        let project = served.said(Method::POST, &format!("{path}/projects"), "org-admin", Some(json!({ "name": "p" }))).await;
        let project = project.json()["id"].clone();
        let keys = format!("{path}/keys");
        let own = served.said(Method::POST, &keys, "org-developer", Some(json!({ "name": "a" }))).await.json();
        let in_project = json!({ "name": "b", "project": project });
        let other = served.said(Method::POST, &keys, "org-developer", Some(in_project)).await.json();
        let admins = served.said(Method::POST, &keys, "org-admin", Some(json!({ "name": "c", "project": project }))).await.json();
        served.used(id, &own, -1, 5).await;
        served.used(id, &own, 0, 7).await;
        served.used(id, &other, 0, 20).await;
        served.used(id, &admins, 0, 100).await;
        served.used(id, &admins, -40, 1000).await;
        let usage = async |by: &str, query: &str| served.get(&format!("{path}/usage{query}")).by(by).send().await;
        let amounts = async |by: &str, query: &str| -> Vec<String> {
            let page = usage(by, query).await.json();
            page["items"].as_array().unwrap().iter().map(|line| line["amount"].as_str().unwrap().to_owned()).collect()
        };
        let nano = |amounts: &[i64]| amounts.iter().map(|n| Nano(*n).to_string()).collect::<Vec<_>>();
        assert_eq!(amounts("org-developer", "").await, nano(&[5, 27]));
        let mut all = amounts("org-viewer", "").await;
        all.sort();
        let mut wanted = nano(&[5, 27, 100]);
        wanted.sort();
        assert_eq!(all, wanted);
        assert_eq!(amounts("org-admin", "?by=project").await, nano(&[120]));
        assert_eq!(amounts("org-admin", &format!("?project={}", project.as_str().unwrap())).await, nano(&[120]));
        assert_eq!(amounts("org-billing", &format!("?member={}", served.members[1].1)).await, nano(&[100]));
        assert_eq!(amounts("org-billing", "?since=2020-01-01T00:00:00Z").await.len(), 4);
        for query in ["?by=project".to_owned(), format!("?member={}", served.members[1].1)] {
            assert_eq!(usage("org-developer", &query).await.refusal(), (403, "usage.own_only".into()));
        }
        let (mut seen, mut after) = (0, String::new());
        loop {
            let page = usage("org-owner", &format!("?limit=1{after}")).await.json();
            seen += page["items"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, 3);
        assert_eq!(usage("org-owner", "?after=x").await.refusal(), (422, "request.page".into()));
    }

    async fn what_members_do_is_recorded_with_the_organisation(db: Db) {
        let served = served(db).await;
        let id = served.organisation().await;
        let path = format!("/api/v1/organisations/{id}/projects");
        assert_eq!(served.said(Method::POST, &path, "org-admin", Some(json!({ "name": "p" }))).await.status, 201);
        let refused = served.said(Method::POST, &path, "org-admin", Some(json!({ "name": "" }))).await;
        assert_eq!(refused.status, 422);
        const ENTRIES: Sql = Sql::new("SELECT object_id, actor_id, phase FROM audit_entries ORDER BY seq");
        let rows: Result<_, StorageError> =
            served.console.db.read("test.audit", |tx| Box::pin(async move { tx.all(&ENTRIES, &[]).await })).await;
        let said: Vec<(String, String, String)> = (rows.unwrap().iter())
            .map(|row| (row.get("object_id").unwrap(), row.get("actor_id").unwrap(), row.get("phase").unwrap()))
            .collect();
        let (object, actor) = (id.to_string(), served.members[1].1.to_string());
        let wanted = ["begun", "done", "begun", "refused"].map(|phase| (object.clone(), actor.clone(), phase.to_owned()));
        assert_eq!(said, wanted);
    }
}

/// The last bits of an id are chance.
fn chance() -> u32 {
    u32::try_from(tacit_kernel::ids::fresh().as_u128() & u128::from(u32::MAX)).unwrap()
}

#[test]
fn every_permission_of_an_organisation_stands_before_a_route() {
    let table = routes().table();
    for permission in OrganisationPermission::ALL {
        // Who has it sees more on routes that ask for less.
        let widens = *permission == OrganisationPermission::UsageAll;
        let asked =
            table.iter().any(|line| matches!(line.demand.access, Access::Member(asked, _) if asked == *permission));
        assert_eq!(asked, !widens, "{permission:?}");
    }
}

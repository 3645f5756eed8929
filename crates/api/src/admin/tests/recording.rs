//! What the audit log says of requests, and that nothing happens that it cannot say.

use super::{Served, code, served};
use crate::admin::accounts::{Account, AccountPatch, NewAccount};
use crate::admin::audit::{AuditDetail, AuditEntry, AuditKey, ExportedEntry, SignedCheckpoint};
use crate::admin::client::{AdminClient, ClientError};
use crate::admin::copies::NewCopy;
use crate::admin::forms::{Page, Secret, Status};
use crate::admin::groups::{Group, NewGroup};
use crate::admin::keys::{CreatedKey, Key, KeyPatch, NewKey};
use crate::admin::recording::table::{RULES, rule_of};
use crate::admin::routes;
use crate::platform_file::Applied;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use tacit_identity::choices::{ChoiceVia, Matter};
use tacit_kernel::ids::CallId;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Personal, Ppm, call::CallSource};
use tacit_operations::messages::{Channel, Content, Language, NewMessage};
use tacit_storage::{Db, Engine, Sql, StorageError, WriteTx, testing};

/// Every method and path that a router serves, out of what axum prints of it.
fn served_routes(printed: &str) -> BTreeSet<(String, String)> {
    let main = printed.split("fallback_router").next().unwrap();
    let numbered = |piece: &str| piece.split(')').next().unwrap().parse::<u32>().unwrap();
    let quoted = |piece: &str| piece.split('"').nth(1).unwrap().to_owned();
    let (endpoints, paths) = main.split_once("paths: {").unwrap();
    let paths: BTreeMap<u32, String> = paths.split("RouteId(").skip(1).map(|p| (numbered(p), quoted(p))).collect();
    let mut found = BTreeSet::new();
    for endpoint in endpoints.split("RouteId(").skip(1) {
        let allowed = quoted(endpoint.split("allow_header").nth(1).unwrap());
        for method in allowed.split(',').filter(|m| *m != "HEAD") {
            found.insert((method.to_owned(), paths[&numbered(endpoint)].clone()));
        }
    }
    found
}

#[test]
fn every_route_is_declared() {
    testing::run(Engine::Sqlite, async |db: Db| {
        let admin = served(db).await.admin;
        let found = served_routes(&format!("{:?}", routes(&admin)));
        let declared: BTreeSet<_> = RULES.iter().map(|r| (r.method.to_owned(), r.path.to_owned())).collect();
        assert_eq!(declared.len(), RULES.len(), "a route is declared twice");
        assert!(found.len() > 40, "axum prints its routes in another way now: {found:?}");
        let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<(String, String)>>();
        assert_eq!(only(&found, &declared), [], "served and not declared in recording/table.rs");
        assert_eq!(only(&declared, &found), [], "declared and not served");
        let more = routes(&admin).route("/v1/accounts/{reference}/secret", axum::routing::get(|| async {}));
        assert_eq!(served_routes(&format!("{more:?}")).len(), found.len() + 1, "a new route would be seen");
        assert!(rule_of("HEAD", "/v1/accounts").is_some() && rule_of("PUT", "/v1/accounts").is_none());
        // Whatever is no GET changes something, or shows what it was given.
        let uri = "/".parse().unwrap();
        assert!(RULES.iter().all(|rule| rule.method == "GET" || rule.action_of(&uri).is_some()));
    });
}

/// All entries, oldest first.
async fn entries(served: &Served) -> Vec<AuditEntry> {
    let page: Page<AuditEntry> = served.client.get("/v1/audit/entries?limit=500").await.unwrap();
    let mut items: Vec<_> = page.items.into_iter().filter(|e| e.action != "audit.list").collect();
    items.reverse();
    items
}

fn line(entry: &AuditEntry) -> String {
    let AuditEntry { action, phase, object, subject, fields, code, affected, .. } = entry;
    let subject = subject.map(|s| s.to_string());
    let parts = [object.clone(), subject, Some(fields.join(",")), code.clone(), affected.map(|n| n.to_string())];
    let parts: Vec<String> = parts.into_iter().map(|p| p.filter(|p| !p.is_empty()).unwrap_or("-".into())).collect();
    format!("{action} {phase} {}", parts.join(" "))
}

const NAME: &str = "Ada Lovelace";

async fn account(client: &AdminClient) -> Account {
    client.post::<Group>("/v1/groups", &NewGroup { name: "std".into(), multiplier: Ppm::ONE }).await.unwrap();
    let new = NewAccount { name: NAME.into(), group: "std".into(), limits: Limits::default() };
    client.post("/v1/accounts", &new).await.unwrap()
}

const DUMP: Sql = Sql::new("SELECT actor_id, object_id, fields, code FROM audit_entries");

tacit_storage::both_engines! {
    async fn a_copy_is_made_for_somebody_and_what_they_do_not_allow_is_refused(db: Db) {
        let served = served(db.clone()).await;
        let Served { client, admin, .. } = &served;
        let id = account(client).await.id;
        let copy = NewCopy { account: NAME.into(), language: "zh".into() };
        let mut archive = Vec::new();
        let because = client.clone().because("she asked in writing").unwrap();
        because.save("/v1/copies", &copy, &mut archive).await.unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let names = std::io::read_to_string(archive.by_name("json/accounts.json").unwrap()).unwrap();
        assert!(names.contains(NAME), "{names}");
        let wrong = NewCopy { account: "nobody".into(), language: "zh".into() };
        let refused = client.save("/v1/copies", &copy, &mut Vec::new()).await.unwrap_err();
        assert_eq!(code(&refused), "request.reason");
        let refused = because.save("/v1/copies", &wrong, &mut Vec::new()).await.unwrap_err();
        assert_eq!(code(&refused), "account.not_found");
        let looks = admin.audit.looks(id, None, 10).await.unwrap();
        assert_eq!((looks[0].action.as_str(), looks[0].reason.as_ref().unwrap().reveal().as_str()), ("account.export", "she asked in writing"));

        let choose = async |tx: &mut WriteTx<'_>| {
            admin.identity.choose_in_tx(tx, id, (Matter::Use, false), (ChoiceVia::Person, "w")).await
        };
        let choose = &choose;
        db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
        let refused = client.get::<Account>("/v1/accounts/Ada%20Lovelace").await.unwrap_err();
        assert_eq!(code(&refused), "privacy.restricted");
        because.save("/v1/copies", &copy, &mut Vec::new()).await.expect("her rights go on");

        let last = client.get::<Page<AuditEntry>>("/v1/audit/entries?action=account.read").await.unwrap();
        assert_eq!((last.items[0].phase.as_str(), last.items[0].code.as_deref()), ("refused", Some("privacy.restricted")));
    }

    async fn lists_and_changes_tell_nothing_of_who_restricts(db: Db) {
        let served = served(db.clone()).await;
        let Served { client, admin, .. } = &served;
        let id = account(client).await.id;
        let new = NewKey { account: NAME.into(), name: "laptop".into(), source: CallSource::Api, limits: Limits::default() };
        let key = client.post::<CreatedKey>("/v1/keys", &new).await.unwrap().key;
        let letter = NewMessage {
            content: Content::Test,
            channel: Channel::Email,
            language: Language::En,
            recipient: Personal::new("ada@canary-mail.example".to_owned()),
            account: Some(id),
            not_before: None,
            expires_at: admin.clock.now().plus_micros(600_000_000),
        };
        let letter = admin.messages.enqueue_alone(&letter).await.unwrap();
        for _ in 0..400 {
            if admin.messages.kept(letter).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let of_letter = format!("/v1/messages/development/{letter}");
        let lists = ["/v1/keys", "/v1/messages", "/v1/messages/development", "/v1/platform/export?accounts=true"];
        let telling = async || {
            let mut telling = Vec::new();
            for path in lists {
                let text = client.get::<serde_json::Value>(path).await.unwrap().to_string();
                let told = [NAME, "laptop", "ada@canary-mail.example", &id.to_string(), &letter.to_string()];
                telling.extend(told.iter().any(|told| text.contains(told)).then_some(path));
            }
            telling
        };
        assert_eq!(telling().await, lists);
        client.get::<serde_json::Value>(&of_letter).await.unwrap();
        let choose = &async |tx: &mut WriteTx<'_>| {
            admin.identity.choose_in_tx(tx, id, (Matter::Use, false), (ChoiceVia::Person, "w")).await
        };
        db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
        assert_eq!(telling().await, [""; 0]);
        assert_eq!(code(&client.get::<serde_json::Value>(&of_letter).await.unwrap_err()), "privacy.restricted");
        let listed = client.get::<Page<Account>>("/v1/accounts").await.unwrap().items;
        let hers = listed.into_iter().find(|account| account.id == id).unwrap();
        assert_eq!((hers.name.as_str(), hers.group.as_str(), hers.restricted), ("[restricted]", "[restricted]", true));
        // She is taken out of use by whoever has her id, and nothing else of hers is changed.
        let (of_account, of_key) = (format!("/v1/accounts/{id}"), format!("/v1/keys/{}", key.id));
        let patch = AccountPatch { name: Some("Eve".into()), status: Some(Status::Disabled), ..AccountPatch::default() };
        assert_eq!(code(&client.patch::<Account>(&of_account, &patch).await.unwrap_err()), "privacy.restricted");
        let patch = AccountPatch { status: Some(Status::Disabled), ..AccountPatch::default() };
        let changed: Account = client.patch(&of_account, &patch).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.status), ("[restricted]", Status::Disabled));
        let patch = KeyPatch { status: Some(Status::Active), ..KeyPatch::default() };
        assert_eq!(code(&client.patch::<Key>(&of_key, &patch).await.unwrap_err()), "privacy.restricted");
        let patch = KeyPatch { status: Some(Status::Disabled), ..KeyPatch::default() };
        assert_eq!(client.patch::<Key>(&of_key, &patch).await.unwrap().name, "[restricted]");
    }

    async fn requests_are_recorded(db: Db) {
        let served = served(db.clone()).await;
        let client = &served.client;
        let made = account(client).await;
        let id = made.id;
        let path = "/v1/accounts/Ada%20Lovelace";
        let patch = AccountPatch { status: Some(Status::Active), ..AccountPatch::default() };
        client.patch::<Account>(path, &patch).await.unwrap();
        client.get::<Account>(path).await.unwrap();
        client.get::<serde_json::Value>("/v1/accounts/Grace%20Hopper").await.unwrap_err();
        let new = NewKey { account: NAME.into(), name: "laptop".into(), source: CallSource::Api, limits: Limits::default() };
        let key: CreatedKey = client.post("/v1/keys", &new).await.unwrap();
        client.get::<serde_json::Value>(&format!("/v1/keys/{}", key.key.id)).await.unwrap();
        client.get::<serde_json::Value>("/v1/calls?account=Ada%20Lovelace").await.unwrap();
        let call = CallId::fresh();
        client.get::<serde_json::Value>(&format!("/v1/calls/{call}?reveal=true")).await.unwrap_err();
        client.get::<serde_json::Value>("/v1/platform/export").await.unwrap();
        client.get::<serde_json::Value>("/v1/platform/export?accounts=true").await.unwrap();
        client.get::<serde_json::Value>("/v1/status").await.unwrap();
        let key = key.key.id;
        let all = entries(&served).await;
        let lines: Vec<String> = all[2..].iter().map(line).collect();
        assert_eq!(lines, [
            "account.create begun - - name,group,limits - -".into(),
            format!("account.create done {id} {id} name,group,limits - -"),
            format!("account.update begun {id} {id} status - -"),
            format!("account.update done {id} {id} status - -"),
            format!("account.read begun {id} {id} - - -"),
            format!("account.read done {id} {id} - - -"),
            "account.read begun - - - - -".into(),
            "account.read refused - - - account.not_found -".into(),
            format!("key.create begun - {id} name,source,limits - -"),
            format!("key.create done {key} {id} name,source,limits - -"),
            format!("key.read begun {key} {id} - - -"),
            format!("key.read done {key} {id} - - -"),
            format!("call.list begun - {id} - - -"),
            format!("call.list done - {id} - - -"),
            "call.reveal begun - - - - -".into(),
            "call.reveal refused - - - call.not_found -".into(),
            "platform.export begun - - - - -".into(),
            "platform.export done - - - - -".into(),
        ]);
        let uid = std::fs::metadata(served._dir.path()).unwrap().uid().to_string();
        for pair in all.chunks(2) {
            assert_eq!((pair[0].about, pair[1].about), (None, Some(pair[0].seq)));
            assert_eq!((pair[0].actor_kind.as_str(), pair[0].actor.as_ref()), ("operator", Some(&uid)));
        }
        // No name of a person stands there, neither one that exists nor one that was tried.
        let rows = db.read("test.dump", |tx| Box::pin(tx.all(&DUMP, &[]))).await;
        for row in rows.unwrap_or_else(|e: StorageError| panic!("{e}")) {
            for column in ["actor_id", "object_id", "fields", "code"] {
                let text: Option<String> = row.get(column).unwrap();
                assert!(text.is_none_or(|t| !["Ada", "Grace", "laptop"].iter().any(|name| t.contains(name))));
            }
        }
    }

    async fn what_cannot_be_recorded_is_not_done(db: Db) {
        let served = served(db.clone()).await;
        let client = &served.client;
        let made = account(client).await;
        let told = served.told.load(std::sync::atomic::Ordering::Relaxed);
        const BREAK: Sql = Sql::new("ALTER TABLE audit_entries RENAME TO audit_entries_away");
        const MEND: Sql = Sql::new("ALTER TABLE audit_entries_away RENAME TO audit_entries");
        db.write("test.break", |tx| Box::pin(async move { tx.execute(&BREAK, &[]).await })).await.unwrap();
        let path = format!("/v1/accounts/{}", made.id);
        let patch = AccountPatch { status: Some(Status::Disabled), ..AccountPatch::default() };
        let refused = client.patch::<Account>(&path, &patch).await.unwrap_err();
        assert_eq!(code(&refused), "audit.unavailable");
        let ClientError::Refused(problem) = &refused else { panic!("{refused:?}") };
        assert_eq!(problem.status, 503);
        let group = NewGroup { name: "other".into(), multiplier: Ppm::ONE };
        assert_eq!(code(&client.post::<Group>("/v1/groups", &group).await.unwrap_err()), "audit.unavailable");
        for path in [path.as_str(), "/v1/accounts", "/v1/keys", "/v1/calls", "/v1/platform/export?accounts=true"] {
            let shown = client.get::<serde_json::Value>(path).await.unwrap_err();
            assert_eq!(code(&shown), "audit.unavailable", "{path}");
        }
        // What changes nothing and shows nobody is served all the same.
        assert_eq!(client.get::<Vec<Group>>("/v1/groups").await.unwrap().len(), 1);
        db.write("test.mend", |tx| Box::pin(async move { tx.execute(&MEND, &[]).await })).await.unwrap();
        assert_eq!(client.get::<Account>(&path).await.unwrap().status, Status::Active);
        assert_eq!(served.told.load(std::sync::atomic::Ordering::Relaxed), told, "no gateway was told of anything");
    }

    async fn reasons_and_counts_are_kept(db: Db) {
        let served = served(db).await;
        let because = served.client.clone().because("ticket 7: für Ada").unwrap();
        let made = account(&because).await;
        because.get::<Account>(&format!("/v1/accounts/{}", made.id)).await.unwrap();
        let file = "[groups.gold]\nmultiplier = \"1\"\n[groups.tin]\nmultiplier = \"2\"\n";
        let applied = because.post::<Applied>("/v1/platform/apply", &serde_json::json!({ "file": file })).await;
        let all = entries(&served).await;
        let last = all.last().unwrap();
        assert_eq!(last.action, "platform.apply");
        let applied = applied.unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!((applied.plan.changes.len(), last.affected), (2, Some(2)));
        let read = all.iter().find(|e| e.action == "account.read").unwrap();
        let shown: AuditDetail = served.client.get(&format!("/v1/audit/entries/{}", read.seq)).await.unwrap();
        assert_eq!(shown.reason.as_deref(), Some("ticket 7: für Ada"));
        assert!(served.client.clone().because("two\nlines").is_none());
        let long = served.client.clone().because(&"x".repeat(1001)).unwrap();
        assert_eq!(code(&long.get::<Page<Account>>("/v1/accounts").await.unwrap_err()), "request.reason");
    }

    async fn the_log_is_served(db: Db) {
        let served = served(db).await;
        let client = &served.client;
        account(client).await;
        let key: AuditKey = client.get("/v1/audit/key").await.unwrap();
        assert_eq!(key.vkey, served.admin.audit.verifier().to_string());
        let first: SignedCheckpoint = client.get("/v1/audit/checkpoint").await.unwrap();
        assert_eq!((first.size, first.proof), (4, None));
        let page: Page<AuditEntry> = client.get("/v1/audit/entries?limit=2&action=account.create").await.unwrap();
        assert_eq!((page.items.len(), page.next), (2, None));
        let page: Page<AuditEntry> = client.get("/v1/audit/entries?limit=1&subject=Ada%20Lovelace").await.unwrap();
        assert_eq!(page.items.len(), 1);
        let next = format!("/v1/audit/entries?after={}", page.next.unwrap());
        client.get::<Page<AuditEntry>>(&next).await.unwrap();
        let second: SignedCheckpoint = client.get("/v1/audit/checkpoint?since=4").await.unwrap();
        assert!(second.size > first.size && second.proof.is_some_and(|p| !p.is_empty()));
        assert_eq!(code(&client.get::<SignedCheckpoint>("/v1/audit/checkpoint?since=9999").await.unwrap_err()), "audit.size");
        assert_eq!(code(&client.get::<AuditDetail>("/v1/audit/entries/9999").await.unwrap_err()), "audit.not_found");
        let exported: Vec<ExportedEntry> = client.get("/v1/audit/export?from=2").await.unwrap();
        assert_eq!(exported[0].seq, 2);
        assert!(exported.iter().all(|e| e.salt.is_some() && e.content.is_some()));
        assert!(client.get::<Vec<u64>>("/v1/audit/erased").await.unwrap().is_empty());
    }
}

#[test]
fn a_secret_is_no_part_of_it() {
    testing::run(Engine::Sqlite, async |db: Db| {
        let served = served(db).await;
        let body = serde_json::json!({
            "name": "c", "provider": "nobody", "priority": 0, "weight": 1, "multiplier": "1", "max_concurrency": null,
            "models": [], "credentials": [{"name": "main", "secret": Secret("very-secret".to_owned().into())}],
        });
        served.client.post::<serde_json::Value>("/v1/channels", &body).await.unwrap_err();
        let exported: Vec<ExportedEntry> = served.client.get("/v1/audit/export").await.unwrap();
        let text = serde_json::to_string(&exported).unwrap();
        assert!(text.contains("credentials") && !text.contains("very-secret"), "{text}");
    });
}

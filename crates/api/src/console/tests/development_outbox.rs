//! The development outbox over a socket: masked in the list, in clear for who may see it, recorded, and only where it is.

use super::crawl::{EMAIL, Person, person};
use super::*;
use serde_json::json;
use tacit_kernel::Clock as _;
use tacit_operations::messages::{Content, NewMessage, delivery};
use tacit_storage::{Page, both_engines};
use tokio_util::sync::CancellationToken;

const OUTBOX: &str = "/api/v1/development-outbox";

/// A letter to her, and one to nobody who has an account, which are kept.
async fn letters(served: &Served, account: AccountId) -> (String, String) {
    let messages = &served.console.messages;
    let mut ids = Vec::new();
    for (to, account) in [(EMAIL, Some(account)), ("+8613900001111", None)] {
        let message = NewMessage {
            content: Content::Test,
            channel: super::super::people::channel_of(&match account {
                Some(_) => tacit_identity::contacts::Contact::email(to).unwrap(),
                None => tacit_identity::contacts::Contact::phone(to, None).unwrap(),
            }),
            language: tacit_operations::messages::Language::En,
            recipient: Personal::new(to.to_owned()),
            account,
            not_before: None,
            expires_at: served.clock.now().plus_micros(60_000_000),
        };
        ids.push(messages.enqueue_alone(&message).await.unwrap().to_string());
    }
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(delivery::run(messages.clone(), stop));
    for _ in 0..400 {
        let kept = messages.kept_list(Page::default()).await.unwrap().items;
        if ids.iter().all(|id| kept.iter().any(|kept| kept.id.to_string() == *id)) {
            return (ids.remove(0), ids.remove(0));
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the letters are not kept");
}

both_engines! {
    async fn who_develops_reads_what_would_have_arrived(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let (hers, nobodys) = letters(&served, account).await;
        let (by, one) = ("owner-stepped-up", format!("{OUTBOX}/{hers}"));
        for path in [OUTBOX, &one] {
            for by in ["admin-stepped-up", "support-stepped-up", "privacy_officer-stepped-up", "auditor", &token] {
                assert_eq!(served.get(path).by(by).send().await.refusal(), (403, "access.denied".into()), "{by} {path}");
            }
            assert_eq!(served.get(path).by("owner").send().await.refusal(), (403, "access.step_up_required".into()));
            assert_eq!(served.get(path).by("tm-owner").send().await.refusal(), (403, "access.step_up_required".into()));
        }
        let listed = served.get(OUTBOX).by(by).send().await;
        let text = String::from_utf8_lossy(&listed.body).into_owned();
        assert!(!text.contains(EMAIL) && !text.contains("13900001111"), "{text}");
        let items = listed.json()["items"].clone();
        let find = |id: &str| items.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone();
        let line = find(&nobodys);
        assert_eq!((&line["kind"], &line["channel"], &line["to"]), (&json!("test"), &json!("sms"), &json!("+86139****1111")));
        assert_eq!(find(&hers)["to"], "w***@canary-mail.example");
        let first = served.get(&format!("{OUTBOX}?limit=1")).by(by).send().await.json();
        let rest = served.get(&format!("{OUTBOX}?after={}", first["next"].as_str().unwrap())).by(by).send().await.json();
        assert_ne!(first["items"][0]["id"], rest["items"][0]["id"]);

        let shown = served.get(&one).by(by).send().await;
        let content = &shown.json()["content"];
        assert_eq!((&content["to"], &content["language"]), (&json!(EMAIL), &json!("en")));
        assert!(content["text"].as_str().unwrap().contains("tries whether messages arrive"), "{content}");
        assert!(served.get(&format!("{OUTBOX}/{nobodys}")).by(by).send().await.json()["content"]["subject"].is_null());
        for missing in ["msg_01h455vb4pex5vsknk084sn02q", "x"] {
            let got = served.get(&format!("{OUTBOX}/{missing}")).by(by).send().await;
            assert_eq!(got.refusal(), (404, "messages.not_found".into()), "{missing}");
        }

        // Written down as a look at her, which she is shown; the list, where all is masked, is written down alone.
        let log = served.get("/api/v1/audit/entries?action=message.read").by("auditor").send().await.json();
        let about = log["items"].as_array().unwrap().iter().filter(|e| e["subject"] == account.to_string()).count();
        assert!(about >= 2, "{log}");
        let listed = served.get("/api/v1/audit/entries?action=message.list").by("auditor").send().await.json();
        assert!(listed["items"].as_array().unwrap().len() >= 6, "{listed}");
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        assert!(looks["items"].as_array().unwrap().iter().any(|look| look["action"] == "message.read"), "{looks}");
    }

    async fn there_is_none_elsewhere(db: Db) {
        let served = served_with(db, Wishes { closed: true, ..Wishes::default() }).await;
        for path in [OUTBOX.to_owned(), format!("{OUTBOX}/msg_01h455vb4pex5vsknk084sn02q"), format!("{OUTBOX}/x")] {
            let refused = served.get(&path).by("owner-stepped-up").send().await;
            assert_eq!(refused.refusal(), (404, "messages.not_development".into()), "{path}");
        }
    }
}

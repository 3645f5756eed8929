//! The development outbox over a socket: masked in the list, in clear for who may see it, recorded, and only where it is.

use super::crawl::{EMAIL, Person, person};
use super::*;
use serde_json::json;
use tacit_kernel::Clock as _;
use tacit_operations::messages::{Channel, Content, NewMessage, delivery};
use tacit_storage::{Page, both_engines};
use tokio_util::sync::CancellationToken;

const OUTBOX: &str = "/api/v1/development-outbox";

async fn unmask(served: &Served, by: &str, message: &str, body: &Value) -> Got {
    served.ask(Method::POST, &format!("{OUTBOX}/{message}/unmask")).by(by).json(body).send().await
}

/// A letter to her, one to nobody who has an account, and one to her that was asked for without signing in, which are kept.
pub(super) async fn letters(served: &Served, account: AccountId) -> [String; 3] {
    let messages = &served.console.messages;
    let mut ids = Vec::new();
    for (to, account) in [(EMAIL, Some(account)), ("+8613900001111", None), (EMAIL, None)] {
        let message = NewMessage {
            content: Content::Test,
            channel: if to == EMAIL { Channel::Email } else { Channel::Sms },
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
            return ids.try_into().unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the letters are not kept");
}

both_engines! {
    async fn who_develops_reads_what_would_have_arrived(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let [hers, nobodys, code] = letters(&served, account).await;
        let (by, why) = ("owner-stepped-up", &json!({"reason": "what does it look like?"}));
        for by in ["admin-stepped-up", "support-stepped-up", "privacy_officer-stepped-up", "auditor", &token] {
            assert_eq!(served.get(OUTBOX).by(by).send().await.refusal(), (403, "access.denied".into()), "{by}");
            assert_eq!(unmask(&served, by, &hers, why).await.refusal(), (403, "access.denied".into()), "{by}");
        }
        for by in ["owner", "tm-owner"] {
            assert_eq!(served.get(OUTBOX).by(by).send().await.refusal(), (403, "access.step_up_required".into()));
            assert_eq!(unmask(&served, by, &hers, why).await.refusal(), (403, "access.step_up_required".into()));
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

        assert_eq!(unmask(&served, by, &hers, &json!({"reason": " "})).await.refusal(), (422, "request.reason".into()));
        let shown = unmask(&served, by, &hers, why).await.json();
        let content = &shown["content"];
        assert_eq!((&content["to"], &content["language"]), (&json!(EMAIL), &json!("en")));
        assert!(content["text"].as_str().unwrap().contains("tries whether messages arrive"), "{content}");
        assert_eq!(shown["hide_at"], served.clock.now().plus_micros(5 * 60_000_000).to_string());
        assert!(unmask(&served, by, &nobodys, why).await.json()["content"]["subject"].is_null());
        assert_eq!(unmask(&served, by, &code, why).await.json()["content"]["to"], EMAIL);
        for missing in ["msg_01h455vb4pex5vsknk084sn02q", "x"] {
            let got = unmask(&served, by, missing, why).await;
            assert_eq!(got.refusal(), (404, "messages.not_found".into()), "{missing}");
        }

        // Written down as a look at her, which she is shown; the list, where all is masked, is written down alone.
        let listed = served.get("/api/v1/audit/entries?action=message.list").by("auditor").send().await.json();
        assert!(listed["items"].as_array().unwrap().len() >= 6, "{listed}");
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        let looks: Vec<&Value> = looks["items"].as_array().unwrap().iter().filter(|l| l["action"] == "message.read").collect();
        assert_eq!(looks.len(), 2, "her own letter, and the code that went to her address: {looks:?}");
        assert!(looks.iter().all(|look| look["reason"] == why["reason"]), "{looks:?}");
    }

    async fn there_is_none_elsewhere(db: Db) {
        let served = served_with(db, Wishes { closed: true, ..Wishes::default() }).await;
        let nowhere = (404, "messages.not_development".to_owned());
        assert_eq!(served.get(OUTBOX).by("owner-stepped-up").send().await.refusal(), nowhere);
        for message in ["msg_01h455vb4pex5vsknk084sn02q", "x"] {
            let refused = unmask(&served, "owner-stepped-up", message, &json!({"reason": "to look"})).await;
            assert_eq!(refused.refusal(), nowhere, "{message}");
        }
    }
}

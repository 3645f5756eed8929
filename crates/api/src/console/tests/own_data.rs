//! What people are told of what is held about them, and the copies they take of it.

use super::crawl::{EMAIL, Person, person};
use super::*;
use serde_json::json;
use tacit_storage::both_engines;

const COPY: &str = "/api/v1/account/copy";

async fn copy(served: &Served, by: &str, query: &str) -> Got {
    served.ask(Method::POST, &format!("{COPY}{query}")).by(by).header("sec-fetch-site", "same-origin").send().await
}

both_engines! {
    async fn people_see_what_is_held_and_take_a_copy(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let held = served.get("/api/v1/account/data?language=zh").by(&token).send().await.json();
        let set = |name: &str| held["sets"].as_array().unwrap().iter().find(|set| set["name"] == name).unwrap().clone();
        assert_eq!((&set("account_contacts")["rows"], &set("account_contacts")["title"]), (&json!(2), &json!("联系方式")));
        assert!(set("calls")["columns"][0]["kept"].as_str().unwrap().contains("180"), "{held}");
        assert!(!held.to_string().contains(EMAIL) && !held["withheld"].as_array().unwrap().is_empty());
        let wrong = served.get("/api/v1/account/data?language=fr").by(&token).send().await;
        assert_eq!(wrong.refusal(), (422, "request.language".into()));

        // No key takes a copy, and nobody who has not just shown who they are.
        assert_eq!(copy(&served, "ann", "").await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(copy(&served, "tm-owner", "").await.refusal().0, 403);
        assert_eq!(served.ask(Method::POST, COPY).send().await.refusal().0, 401);
        let got = copy(&served, &token, "?language=en").await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/zip"));
        assert_eq!(got.header("content-disposition"), "attachment; filename=\"my-data.zip\"");
        assert!(got.body.starts_with(b"PK\x03\x04"), "an archive");

        // It is written down as what the person did, not as a look at them.
        let log = served.get("/api/v1/audit/entries?action=data.copy").by("auditor").send().await.json();
        assert!(log["items"].as_array().unwrap().iter().any(|entry| entry["subject"] == account.to_string()), "{log}");
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        assert!(looks["items"].as_array().unwrap().iter().all(|look| look["action"] != "data.copy"), "{looks}");
        let mut refused = 0;
        for _ in 0..6 {
            refused += u32::from(copy(&served, &token, "").await.status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(refused, 1, "five are free, and one waits then");
    }
}

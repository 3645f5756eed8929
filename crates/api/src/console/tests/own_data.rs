//! What people are told of what is held about them, and the copies they take of it.

use super::crawl::{EMAIL, Person, person};
use super::*;
use serde_json::json;
use tacit_storage::both_engines;

const COPY: &str = "/api/v1/account/copy";

async fn copy(served: &Served, by: &str, query: &str) -> Got {
    served.ask(Method::POST, &format!("{COPY}{query}")).by(by).header("sec-fetch-site", "same-origin").send().await
}

const PAPER: &[u8] = b"\xff\xd8\xff\xe0 Wilhelmina";

pub(super) fn files(archive: Vec<u8>) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let mut files = std::collections::BTreeMap::new();
    for place in 0..zip.len() {
        let mut file = zip.by_index(place).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    files
}

both_engines! {
    async fn people_see_what_is_held_and_take_a_copy(db: Db) {
        let served = served_with(db, Wishes { verification: verification::of_persons(), ..Wishes::default() }).await;
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
        // What the services keep of her, sealed as they seal it: papers, a key with an answer that is kept, letters.
        let said = json!({ "name": "Wilhelmina Canary", "document": "id_card", "number": "11010519491231002X" });
        served.submitted(&token, &said, PAPER).await;
        let key = served.ask(Method::POST, "/api/v1/keys").by(&token).header("idempotency-key", "once");
        let key = key.json(&json!({ "name": "phone of Wilhelmina" })).send().await.json();
        let secret = key["secret"].as_str().unwrap();
        let got = copy(&served, &token, "?language=en").await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/zip"));
        assert_eq!(got.header("content-disposition"), "attachment; filename=\"my-data.zip\"");
        let files = files(got.body.clone());
        for (name, said) in [
            ("json/account_contacts.json", EMAIL),
            ("csv/calls.csv", "203.0.113.99"),
            ("csv/calls.csv", "CanaryBrowser"),
            ("csv/api_keys.csv", "phone of Wilhelmina"),
            ("json/verification_cases.json", "11010519491231002X"),
            ("json/console_sessions.json", "address"),
            ("index.html", "holds about you"),
        ] {
            let file = files.get(name).unwrap_or_else(|| panic!("{name}: {:?}", files.keys()));
            assert!(String::from_utf8_lossy(file).contains(said), "{said} is not in {name}");
        }
        assert!(files.iter().any(|(name, bytes)| name.starts_with("papers/") && name.ends_with(".jpg") && bytes == PAPER));
        for (name, bytes) in &files {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains("[cannot be read]"), "{name}: {text}");
            assert!(!text.contains(secret), "whoever has the copy has no key: {name}");
        }

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

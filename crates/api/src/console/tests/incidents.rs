//! An incident, from when it is found until everybody was told, over a socket.

use super::crawl::{Person, person};
use super::*;
use serde_json::json;
use tacit_kernel::Clock as _;
use tacit_kernel::ids::IncidentId;
use tacit_privacy::Language;
use tacit_privacy::incidents::{Change, Criterion, Event, Kind, LegalClock, New, Part, Setup};
use tacit_storage::both_engines;

const BY: &str = "privacy_officer-stepped-up";
const AT: &str = "/api/v1/incidents";

/// What the operator of these tests sets.
pub(super) fn setup() -> Setup {
    let clocks = ["cn-4h 4h Provincial administration | 省级网信部门", "gdpr-33 72h Supervisory authority | 监管机构"];
    Setup {
        clocks: clocks.iter().map(|text| LegalClock::parse(text).unwrap()).collect(),
        controller: Controller {
            service: "Test".into(),
            company: Some("Test Ltd.".into()),
            contact: Some("the desk of privacy".into()),
            ..Controller::default()
        },
        site: Some("https://tacit.example".into()),
        days: 1095,
    }
}

/// An incident that concerns somebody, whom it is not told yet.
pub(super) async fn of(served: &Served, account: AccountId) -> IncidentId {
    let incidents = &served.console.incidents;
    let new = New { kind: Kind::Leak, found_at: served.clock.now(), began_at: None, ended_at: None };
    let id = incidents.open(&new).await.unwrap().id;
    incidents.seek(id, &Criterion::Listed(vec![account])).await.unwrap();
    while incidents.step().await.unwrap() {}
    id
}

/// The same, of which all is said, and which is assessed.
pub(super) async fn whole(served: &Served, account: AccountId) -> IncidentId {
    let (id, incidents) = (of(served, account).await, &served.console.incidents);
    let said = |language: &Language| {
        let language = *language;
        Part::ALL.iter().map(move |part| (language, *part, format!("{} {}", language.tag(), part.as_str())))
    };
    let words = Language::ALL.iter().flat_map(said).collect();
    let categories = Some(vec!["user.contact.email".to_owned()]);
    incidents.update(id, &Change { categories, words, ..Change::default() }).await.unwrap();
    incidents.happen(id, (Event::Assess, false)).await.unwrap();
    id
}

async fn asked(served: &Served, method: Method, path: &str, body: &Value) -> Got {
    served.ask(method, path).by(BY).json(body).send().await
}

async fn post(served: &Served, path: &str, body: Value) -> Got {
    asked(served, Method::POST, path, &body).await
}

/// What was written to somebody, as a development platform keeps it.
async fn letters(served: &Served, account: AccountId) -> Vec<String> {
    let stop = tokio_util::sync::CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(tacit_operations::messages::delivery::run(served.console.messages.clone(), stop));
    for _ in 0..400 {
        let written = served.console.messages.list(tacit_storage::Page::default()).await.unwrap().items;
        if written.iter().all(|message| message.state != tacit_operations::messages::State::Waiting) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let kept = served.console.messages.kept_list(tacit_storage::Page::default()).await.unwrap().items;
    let hers = kept.into_iter().filter(|kept| kept.account == Some(account)).filter_map(|kept| kept.content);
    hers.filter(|content| content.kind == tacit_operations::messages::Kind::Incident)
        .map(|content| content.text)
        .collect()
}

both_engines! {
    async fn an_incident_is_opened_assessed_told_reported_and_closed(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let opened = asked(&served, Method::POST, AT, &json!({"kind": "leak"})).await;
        assert_eq!(opened.status, StatusCode::CREATED);
        let id = opened.json()["id"].as_str().unwrap().to_owned();
        let path = |of: &str| format!("{AT}/{id}{of}");
        let future = served.clock.now().plus_micros(1).to_string();
        let wrong = post(&served, AT, json!({"kind": "leak", "found_at": future})).await;
        assert_eq!(wrong.refusal().1, "incident.moment");

        // What is missing is named.
        let early = post(&served, &path("/state"), json!({"event": "notify"})).await;
        assert_eq!(early.refusal(), (409, "incident.state".into()));
        assert_eq!(post(&served, &path("/state"), json!({"event": "assess"})).await.status, StatusCode::OK);
        let early = post(&served, &path("/state"), json!({"event": "notify"})).await;
        let told = early.json()["detail"].as_str().unwrap().to_owned();
        for missing in ["impact.en", "remedies.zh", "categories", "scope"] {
            assert!(told.contains(missing), "{told}");
        }
        let shown = served.get(&path("")).by(BY).send().await;
        let tag = shown.header("etag").to_owned();
        let words = |language: &str| json!({
            "impact": format!("{language}: addresses were read"), "measures": format!("{language}: the hole is closed"),
            "advice": format!("{language}: change the password"), "remedies": format!("{language}: credit"),
        });
        let patch = json!({"categories": ["user.contact.email"], "en": words("en"), "zh": words("zh")});
        let patched = served.ask(Method::PATCH, &path("")).by(BY).header("if-match", &tag).json(&patch).send().await;
        assert_eq!(patched.json()["missing"], json!(["scope"]), "{:?}", patched.json());
        let late = served.ask(Method::PATCH, &path("")).by(BY).header("if-match", &tag).json(&patch).send().await;
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
        let unknown = asked(&served, Method::PATCH, &path(""), &json!({"categories": ["user.shoes"]})).await;
        assert_eq!(unknown.refusal().1, "incident.category");

        let wrong = post(&served, &path("/scope"), json!({"kind": "everyone", "actor": "1000"})).await;
        assert_eq!(wrong.refusal().1, "incident.criterion");
        let scope = post(&served, &path("/scope"), json!({"kind": "listed", "accounts": [account.to_string()]})).await;
        assert_eq!((scope.status, &scope.json()["told"]["all"]), (StatusCode::ACCEPTED, &json!(1)));
        let draft = served.get(&path("/draft?draft=report&language=zh")).by(BY).send().await.json();
        assert!(draft["text"].as_str().unwrap().contains("zh: addresses were read"), "{draft}");
        let own = async || served.get("/api/v1/account/incidents").by(&token).send().await.json()["items"].clone();
        assert_eq!(own().await, json!([]), "she is not told yet");

        // Told: by mail, in her console, and on the page for everybody once it is announced.
        let told = post(&served, &path("/state"), json!({"event": "notify"})).await;
        assert_eq!(told.json()["incident"]["state"], "notifying");
        while served.console.incidents.step().await.unwrap() {}
        let letters = letters(&served, account).await;
        assert_eq!(letters.len(), 1);
        for said in ["en: addresses were read", "en: the hole is closed", "en: change the password", "en: credit", "the desk of privacy"] {
            assert!(letters[0].contains(said), "{said}: {}", letters[0]);
        }
        served.console.incidents.follow().await.unwrap();
        let subjects = served.get(&path("/subjects")).by(BY).send().await.json();
        assert_eq!((&subjects["items"][0]["account"], &subjects["items"][0]["state"]), (&json!(account), &json!("sent")));
        assert_eq!(own().await[0]["en"]["advice"], "en: change the password");
        assert_eq!(served.get("/api/v1/account/incidents").by("bob").send().await.json()["items"], json!([]));
        let page = async |language: &str| {
            let got = served.get(&format!("/privacy/incidents?language={language}")).send().await;
            String::from_utf8(got.body).unwrap()
        };
        assert!(!page("en").await.contains("addresses were read"));
        assert_eq!(post(&served, &path("/announcement"), json!({})).await.status, StatusCode::OK);
        for language in ["en", "zh"] {
            assert!(page(language).await.contains(&format!("{language}: addresses were read")));
        }

        // Over only when whoever must be told is.
        served.clock.advance_micros(5 * 3_600_000_000);
        let line = served.get(AT).by(BY).send().await.json()["items"][0].clone();
        assert_eq!(line["overdue"], json!(["cn-4h"]));
        assert_eq!(post(&served, &path("/state"), json!({"event": "close"})).await.refusal().1, "incident.clocks_run");
        for clock in ["cn-4h", "gdpr-33"] {
            let report = json!({"clock": clock, "to": "the authority"});
            assert_eq!(post(&served, &path("/reports"), report).await.status, StatusCode::OK);
        }
        let details = served.get(&path("")).by(BY).send().await.json();
        assert_eq!((&details["clocks"][0]["overdue"], &details["clocks"][1]["overdue"]), (&json!(true), &json!(false)));
        let staff = served.console.audit.list(&Default::default(), None, 1).await.unwrap()[0].kept.actor_id.clone();
        assert_eq!(details["clocks"][0]["reported_by"].as_str(), staff.as_deref());
        assert_eq!(post(&served, &path("/state"), json!({"event": "close"})).await.json()["incident"]["state"], "closed");
        // Who changed it stands in the log, with which incident it was.
        let kept = served.console.audit.list(&Default::default(), None, 100).await.unwrap();
        let states = kept.iter().filter(|entry| entry.kept.action == "incident.state" && entry.kept.phase == "done");
        assert!(states.clone().count() == 4 && states.clone().all(|entry| entry.kept.object_id.as_deref() == Some(&*id)));
        for by in ["support-stepped-up", "admin-stepped-up", "auditor", "ann"] {
            assert_eq!(served.get(AT).by(by).send().await.refusal().0, 403, "{by}");
        }
    }
}

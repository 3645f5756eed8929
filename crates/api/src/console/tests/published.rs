//! What is published, over a socket: the pages in both languages, and the well-known documents.

use super::*;
use serde_json::json;
use tacit_storage::both_engines;

both_engines! {
    async fn the_policy_is_read_by_anybody_in_their_language(db: Db) {
        let served = served(db).await;
        for (accept, query, language, said) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh", "隐私政策"),
            ("fr,en;q=0.8", "", "en", "never stored"),
            ("zh", "?language=en", "en", "never stored"),
            ("", "", "en", "never stored"),
        ] {
            let page = served.get(&format!("/privacy{query}")).header("accept-language", accept).send().await;
            let text = String::from_utf8(page.body.clone()).unwrap();
            assert_eq!((page.status.as_u16(), page.header("content-language")), (200, language), "{accept} {query}");
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
            assert!(text.contains(said) && text.contains(&format!("lang=\"{language}\"")), "{text}");
        }
        for page in ["cookies", "recipients", "record", "limits"] {
            let got = served.get(&format!("/privacy/{page}")).send().await;
            assert!(got.status == 200 && String::from_utf8(got.body).unwrap().contains("<h1>"), "{page}");
        }
        let style = served.get("/privacy/style.css").send().await;
        assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
        assert_eq!(served.get("/privacy/policy").send().await.refusal(), (404, "privacy.page_not_found".into()));
        assert_eq!(served.get("/privacy?language=xx").send().await.refusal(), (422, "request.language".into()));
    }

    async fn who_receives_data_is_read_by_anybody_and_as_it_is_now(db: Db) {
        let served = served(db).await;
        let by = "privacy_officer-stepped-up";
        let page = async |page: &str| {
            let got = served.get(&format!("/privacy/{page}")).header("accept-language", "zh").send().await;
            String::from_utf8(got.body).unwrap()
        };
        assert!(page("recipients").await.contains("尚未在名册中登记"));
        let entry = json!({"name": "Acme <Ltd.>", "kind": "mail", "role": "processor", "country": "DE", "purposes": ["essential.service"],
            "contract_at": "2023-01-02", "trains": "no", "retention_days": 30, "evidence_url": "https://acme.example/terms",
            "checked_at": "2023-11-10"});
        let made = served.ask(Method::POST, "/api/v1/recipients").by(by).json(&entry).send().await.json();
        for name in ["recipients", "record"] {
            let text = page(name).await;
            for said in ["Acme &lt;Ltd.&gt;", "德国（DE）", "保存 30 天", "不用于训练模型", "2023-01-02", "2023-11-10", "受托处理者"] {
                assert!(text.contains(said), "{name}: {said}");
            }
        }
        let facts = async || served.get("/.well-known/privacy.json").send().await.json()["recipients"].clone();
        assert_eq!((&facts().await[0]["retention_days"], &facts().await[0]["trains"]), (&json!(30), &json!(false)));
        served.clock.advance_micros(90 * 86_400_000_000);
        assert!(page("recipients").await.contains("视为用于训练模型"), "what is too old counts as the worst by itself");
        assert_eq!((&facts().await[0]["retention_days"], &facts().await[0]["trains"]), (&json!(null), &json!(true)));
        let path = format!("/api/v1/recipients/{}", made["id"].as_str().unwrap());
        let ended = served.ask(Method::PATCH, &path).by(by).json(&json!({"status": "disabled"})).send().await;
        assert_eq!(ended.status, 200, "{}", String::from_utf8_lossy(&ended.body));
        assert!(!page("recipients").await.contains("Acme") && facts().await == json!([]));
    }

    async fn programs_check_the_facts(db: Db) {
        let served = served(db).await;
        let facts = served.get("/.well-known/privacy.json").send().await.json();
        assert_eq!((&facts["bodies"], &facts["build"], &facts["checkpoint"]), (&json!("none"), &json!("00"), &json!(null)));
        let class = |name: &str| facts["retention"].as_array().unwrap().iter().find(|class| class["class"] == name).cloned();
        let addresses = json!({ "class": "call_addresses", "min_days": 180, "max_days": 180, "law": "cn.csl.21" });
        assert_eq!(class("call_addresses"), Some(addresses));
        let checkpoint = served.console.audit.checkpoint().await.unwrap();
        let facts = served.get("/.well-known/privacy.json").send().await.json();
        assert_eq!(facts["checkpoint"], json!(checkpoint));
        let control = served.get("/.well-known/gpc.json").header("sec-gpc", "1").send().await.json();
        assert_eq!(control["gpc"], true);

        let security = served.get("/.well-known/security.txt").send().await;
        assert_eq!(security.header("content-type"), "text/plain; charset=utf-8");
        let text = String::from_utf8(security.body).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        assert_eq!(field("Contact: "), "https://tacit.example/report");
        let expires = tacit_kernel::Timestamp::parse(&field("Expires: ")).unwrap();
        let days = expires.micros_since(tacit_kernel::Clock::now(&*served.clock)) / 86_400_000_000;
        assert!((1..366).contains(&days), "{days}");
        assert_eq!(field("Canonical: "), "https://tacit.example/.well-known/security.txt");
    }
}

//! `tacit prove no-bodies --drive`, as an operator runs it.

use crate::{both_engines, text};
use serde_json::Value;
use std::collections::HashMap;
use tacit_testkit::{Options, Platform};

both_engines! {
    /// No model of this platform speaks both dialects: the proof finds one for each.
    async fn the_proof_drives_a_platform_by_itself(engine) {
        let platform = Platform::start(engine, Options::default()).await?;
        let url = platform.url();
        let drive = ["prove", "no-bodies", "--drive", &url, "--key", platform.key(), "--settle", "1"];
        let report = platform.cli(&drive).await?;
        assert_eq!((&report["found"], &report["unreadable"]), (&0.into(), &Value::Array(Vec::new())), "{report}");
        let driven: HashMap<&str, u64> = report["driven"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| (text(call, "/scenario"), call["status"].as_u64().unwrap_or(0)))
            .collect();
        for path in ["/v1/chat/completions", "/v1/messages"] {
            for (scenario, status) in [
                ("answered whole", 200),
                ("answered as a stream", 200),
                ("left midway", 200),
                ("unknown model", 404),
                ("broken JSON", 400),
                ("wrong types", 400),
                ("unknown key", 401),
            ] {
                let name = format!("{path}: {scenario}");
                assert_eq!(driven.get(name.as_str()), Some(&status), "{name}: {driven:?}");
            }
            // Who still writes when the connection is closed may not see the answer.
            let large = driven[format!("{path}: too large").as_str()];
            assert!([0, 413].contains(&large), "{large}");
        }
        assert_eq!(driven.get("/v1/completions: completion"), Some(&200), "{driven:?}");
        assert_eq!(driven.get("/v1/embeddings: embedding"), Some(&200), "{driven:?}");
        // Named models are taken, the first that answers in each dialect.
        let named = platform.cli(&[drive.as_slice(), &["--model", "embed", "--model", "claude"]].concat()).await?;
        let statuses: Vec<(&str, u64)> = named["driven"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| (text(call, "/scenario"), call["status"].as_u64().unwrap_or(0)))
            .filter(|(scenario, _)| scenario.ends_with("answered whole"))
            .collect();
        assert!(statuses.contains(&("/v1/messages: answered whole", 200)), "{statuses:?}");
        // And a key that may use none proves nothing.
        let none = platform.cli(&["key", "create", "customer", "--name", "none", "--allow-model", "nothing"]).await?;
        let secret = text(&none, "/secret");
        let refused = ["prove", "no-bodies", "--drive", &url, "--key", secret];
        let (success, _, said) = platform.cli_whatever(&refused).await?;
        assert!(!success && said.contains("--model"), "{said}");
        Ok(())
    }
}

//! Panics and aborts in the gateway, at each place where a body is in its hands.

use super::gate::{Gate, listed};
use crate::{both_engines, nano, text};
use tacit_testkit::{Options, processes};

/// Where a panic strikes, and whether the client has got the head of a stream by then.
const PANICS: [(&str, bool); 4] =
    [("panic", false), ("panic-relay", false), ("panic-poll", true), ("panic-stream", true)];

both_engines! {
    async fn a_panic_and_an_abort_show_nothing_of_a_body(engine) {
        let options = Options { faulty: true, record_link: true, ..Options::default() };
        let mut gate = Gate::new(engine, options.set("gateway.keep_alive_seconds", "1")).await?;
        let mut calls = Vec::new();
        let gateway = gate.platform.pid("gateway")?;
        for (path, provider, upstream, side) in [
            ("/v1/chat/completions", "practice-openai", "practice-chat", "chat"),
            ("/v1/messages", "practice-anthropic", "practice-claude", "claude"),
        ] {
            let late = format!("late-{side}");
            let paced = format!("paced-{side}");
            gate.platform.add_model(&late, provider, &format!("{upstream}:wait-1300+tokens-30+pace-5")).await?;
            gate.platform.add_model(&paced, provider, &format!("{upstream}:tokens-30+pace-5")).await?;
            gate.platform.knows(&paced).await?;
            for stream in [false, true] {
                for (word, midway) in PANICS {
                    if midway && !stream {
                        continue;
                    }
                    let answer = gate.fault(word, path, &paced, stream).await.expect("a panic is answered");
                    if midway {
                        assert_eq!(answer.status.as_u16(), 200, "{word}");
                        assert!(!answer.complete_stream(), "{word}: an interrupted stream looks complete");
                        let last = answer.events().last().cloned().unwrap_or_default();
                        assert!(last.contains("error") && !last.contains(gate.canaries.magic()), "{word}: {last}");
                    } else {
                        assert_eq!(answer.status.as_u16(), 500, "{word}: {}", answer.text());
                        assert!(!answer.text().contains(gate.canaries.magic()), "{word}: {}", answer.text());
                    }
                    calls.push((word, answer));
                }
            }
            // The client already has the head of a stream, and a sign of life.
            let answer = gate.fault("panic-relay", path, &late, true).await.expect("a panic is answered");
            assert!(answer.status.is_success() && !answer.complete_stream(), "{}", answer.text());
            assert!(!answer.text().contains(gate.canaries.magic()), "{}", answer.text());
        }
        assert_eq!(gate.platform.pid("gateway")?, gateway, "a panic ends its call and no other");
        gate.settled().await?;
        for (word, answer) in calls {
            let call = gate.platform.call(&answer.call().unwrap()).await?;
            assert_eq!(text(&call, "/call/error_code"), "internal", "{word}: {call}");
            let status = text(&call, "/call/status");
            match word {
                "panic-stream" => assert_eq!(status, "interrupted", "{call}"),
                // Nothing of the answer was delivered.
                _ => assert_eq!(status, "failed", "{word}: {call}"),
            }
            assert_eq!(nano(&call, "/call/amount") > 0, word == "panic-stream", "{word}: {call}");
        }
        for (path, side) in [("/v1/chat/completions", "chat"), ("/v1/messages", "claude")] {
            for (word, model) in [("abort", side.to_owned()), ("abort-stream", format!("late-{side}"))] {
                let gateway = gate.platform.pid("gateway")?;
                let answer = gate.fault(word, path, &model, word == "abort-stream").await;
                assert!(answer.is_none_or(|answer| !answer.whole), "{word}: the gateway lives");
                processes::restarted(gate.platform.supervisor(), "gateway", Some(gateway)).await?;
                gate.platform.ready().await?;
            }
        }
        assert!(gate.platform.log().contains("\"panic\""), "a panic is told of: {}", gate.platform.log_end());
        let found = gate.scan().await?;
        assert!(found.is_empty(), "{}", listed(&found));
        Ok(())
    }
}

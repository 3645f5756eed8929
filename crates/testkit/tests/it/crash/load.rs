//! Clients that call without a pause, in both dialects, streamed and whole, and remember what they were given.

use crate::chat;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tacit_kernel::rating::Usage;
use tacit_practice::tokens;
use tacit_testkit::{Answer, Client, Platform};
use tokio::task::JoinSet;

/// An answer that arrived complete.
pub(super) struct Complete {
    /// The call, as the answer's head names it.
    pub(super) call: String,
    /// Which client saw it.
    pub(super) worker: usize,
    pub(super) asked_at: Instant,
    pub(super) complete_at: Instant,
    /// What the provider counted.
    pub(super) usage: Usage,
    pub(super) anthropic: bool,
    pub(super) stream: bool,
}

/// What all clients saw, each client's answers in order.
pub(super) struct Outcome {
    pub(super) complete: Vec<Complete>,
    pub(super) broken: u32,
}

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// How many answers were complete so far.
    complete: Arc<AtomicUsize>,
    workers: JoinSet<Outcome>,
}

/// The kinds of call, taken in turn by every client.
const KINDS: [Kind; 6] = [
    Kind { model: "paced", anthropic: false, stream: true, told: true },
    Kind { model: "chat", anthropic: false, stream: false, told: true },
    Kind { model: "claude", anthropic: true, stream: true, told: true },
    Kind { model: "chat", anthropic: false, stream: true, told: false },
    Kind { model: "claude", anthropic: true, stream: false, told: true },
    Kind { model: "paced-claude", anthropic: true, stream: true, told: true },
];

#[derive(Clone, Copy)]
struct Kind {
    model: &'static str,
    anthropic: bool,
    stream: bool,
    /// Whether the client is told the provider's counts; else it counts the tokens itself.
    told: bool,
}

/// The models of the load that a platform does not have anyway.
pub(super) async fn add_models(platform: &Platform) -> anyhow::Result<()> {
    platform.add_model("paced", "practice-openai", "practice-chat:tokens-20+pace-5").await?;
    platform.add_model("paced-claude", "practice-anthropic", "practice-claude:tokens-20+pace-5").await?;
    platform.knows("paced-claude").await
}

impl Load {
    pub(super) fn start(platform: &Platform, workers: usize) -> Self {
        let (stop, complete) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut set = JoinSet::new();
        for worker in 0..workers {
            set.spawn(work(worker, platform.client(), Arc::clone(&stop), Arc::clone(&complete)));
        }
        Self { stop, complete, workers: set }
    }

    /// Waits until so many more answers were complete: the platform is under load again.
    pub(super) async fn flows(&self, platform: &Platform, more: usize) -> anyhow::Result<()> {
        let wanted = self.complete.load(Ordering::Relaxed) + more;
        platform.until("answers arrive", async || self.complete.load(Ordering::Relaxed) >= wanted).await
    }

    /// Lets every client finish the call it is at.
    pub(super) async fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome { complete: Vec::new(), broken: 0 };
        for one in self.workers.join_all().await {
            all.complete.extend(one.complete);
            all.broken += one.broken;
        }
        all
    }
}

async fn work(worker: usize, client: Client, stop: Arc<AtomicBool>, complete: Arc<AtomicUsize>) -> Outcome {
    let mut seen = Outcome { complete: Vec::new(), broken: 0 };
    for round in worker.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let kind = KINDS[round % KINDS.len()];
        let prompt = format!("worker {worker}, round {round}");
        let (path, body) = kind.request(&prompt, round);
        let asked_at = Instant::now();
        let usage = match client.post(path, &body).await {
            Ok(answer) if answer.status.is_success() && answer.whole => {
                kind.usage(&answer, &prompt).map(|usage| (answer.call().unwrap(), usage))
            }
            _ => None,
        };
        match usage {
            Some((call, usage)) => {
                complete.fetch_add(1, Ordering::Relaxed);
                seen.complete.push(Complete {
                    call,
                    worker,
                    asked_at,
                    complete_at: Instant::now(),
                    usage,
                    anthropic: kind.anthropic,
                    stream: kind.stream,
                });
            }
            None => {
                seen.broken += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    seen
}

impl Kind {
    fn request(self, prompt: &str, round: usize) -> (&'static str, Value) {
        let mut body = chat(self.model, prompt, self.stream);
        if !self.anthropic {
            if self.stream && self.told {
                body["stream_options"] = json!({"include_usage": true});
            }
            return ("/v1/chat/completions", body);
        }
        body["max_tokens"] = json!(200);
        // Few enough beginnings that most are written to the cache once and read later.
        let lifetime = ["5m", "1h"][round % 2];
        let cached = format!("The background number {} of every question that is asked here.", round % 40);
        body["system"] = json!([{"type": "text", "text": cached,
                                 "cache_control": {"type": "ephemeral", "ttl": lifetime}}]);
        ("/v1/messages", body)
    }

    /// What the provider counted, if the answer is complete.
    fn usage(self, answer: &Answer, prompt: &str) -> Option<Usage> {
        if !self.stream {
            let whole = answer.json();
            return Some(self.reported(whole.get("usage")?));
        }
        if !answer.complete_stream() {
            return None;
        }
        let events: Vec<Value> = answer.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
        if self.anthropic {
            let start = events.iter().find_map(|event| event.pointer("/message/usage"))?;
            let output = events.iter().find_map(|event| event.pointer("/usage/output_tokens")?.as_u64())?;
            return Some(Usage { output, ..self.reported(start) });
        }
        let reported = events.iter().find_map(|event| event.get("usage").filter(|usage| usage.is_object()));
        assert_eq!(reported.is_some(), self.told, "usage is shown to those who ask for it and to no one else");
        if let Some(usage) = reported {
            return Some(self.reported(usage));
        }
        let text: String =
            events.iter().filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str()).collect();
        Some(Usage { input: tokens::count(prompt), output: tokens::count(&text), ..Usage::default() })
    }

    fn reported(self, usage: &Value) -> Usage {
        let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap();
        if self.anthropic {
            return Usage {
                input: count("/input_tokens"),
                cache_read: count("/cache_read_input_tokens"),
                cache_write_5m: count("/cache_creation/ephemeral_5m_input_tokens"),
                cache_write_1h: count("/cache_creation/ephemeral_1h_input_tokens"),
                output: count("/output_tokens"),
                ..Usage::default()
            };
        }
        let cached = count("/prompt_tokens_details/cached_tokens");
        Usage {
            input: count("/prompt_tokens") - cached,
            cache_read: cached,
            output: count("/completion_tokens"),
            ..Usage::default()
        }
    }
}

//! Canaries: a recipient and a code that are nowhere but in the mailbox.

use super::mail_server::MailServer;
use super::*;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

const RECIPIENT: &str = "canary-7f3a9c@customer.example";
const MANY: usize = 60;
const CODE: &str = "CANARY-CODE-90210";

/// Takes everything that is logged, with all its fields.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<String>>);

impl tracing::field::Visit for Logged {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle)
}

/// Which files of the directory hold one of these.
fn found_in(dir: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for (n, needle) in needles.iter().enumerate() {
            if holds(&bytes, needle) {
                found.push(format!("{} holds {n}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    found
}

#[test]
fn a_recipient_and_a_code_are_nowhere_but_in_the_mailbox() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}/tacit.db", dir.path().display())).await.unwrap();
        db.migrate(MIGRATED_AT).await.unwrap();
        let server = MailServer::open();
        // One attempt fails, so that the log has a word of that too.
        server.refuse(&[451]);
        let messages = live(&db, Route::Open(server.client(Protection::None)), Route::Closed).await;
        // Many, so that rows lie in several pages and leave room behind when they shrink.
        for _ in 0..MANY {
            messages.enqueue_alone(&code(RECIPIENT, CODE, in_minutes(10))).await.unwrap();
        }
        let mut needles: Vec<Vec<u8>> = vec![RECIPIENT.into(), CODE.into()];
        for row in rows(&db, "SELECT recipient_sealed, variables_sealed FROM messages").await {
            needles.push(row.get("recipient_sealed").unwrap());
            needles.push(row.get("variables_sealed").unwrap());
        }
        // The scan sees what is there: the sealed values, and neither of the others.
        let before = found_in(dir.path(), &needles);
        assert!(
            before.iter().any(|f| f.ends_with("holds 2")) && before.iter().any(|f| f.ends_with("holds 3")),
            "{before:?}"
        );
        assert!(!before.iter().any(|f| f.ends_with("holds 0") || f.ends_with("holds 1")), "{before:?}");

        let worker = Worker::of(&messages);
        let sent = async || {
            let page = messages.list(Page { limit: 500, ..Page::default() }).await.unwrap();
            page.items.iter().filter(|m| m.state == State::Sent).count()
        };
        while sent().await < MANY {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worker.stop().await;
        assert!(server.inbox()[0].data.contains(CODE) && server.inbox()[0].to == [RECIPIENT]);

        // Closing truncates the write-ahead log into the file.
        let metrics = messages.metrics_text();
        db.close().await;
        assert_eq!(found_in(dir.path(), &needles), Vec::<String>::new());
        let log = logged.0.lock().unwrap().clone();
        assert!(log.contains("message.sent") && log.contains("message.not_taken"), "{log}");
        for text in [&log, &metrics] {
            assert!(!text.contains(RECIPIENT) && !text.contains("canary") && !text.contains(CODE), "{text}");
        }
    });
}

#[test]
fn nothing_that_holds_a_person_or_a_code_can_be_printed() {
    let message = code(RECIPIENT, CODE, Timestamp(0));
    let text = format!("{message:?} {:?}", message.content);
    assert!(!text.contains("canary") && !text.contains(CODE), "{text}");
    let kept = KeptContent {
        kind: Kind::SignIn,
        channel: Channel::Email,
        language: Language::En,
        to: RECIPIENT.into(),
        subject: None,
        text: CODE.into(),
        html: None,
    };
    let text = format!(
        "{kept:?} {:?}",
        KeptMessage { account: None, id: MessageId::fresh(), at: Timestamp(0), content: Some(kept.clone()) }
    );
    assert!(!text.contains("canary") && !text.contains(CODE), "{text}");
}

//! Structured logs whose fields are a closed set ([`datamap`]).
//!
//! An event of Tacit's own crates is written with its declared fields and with nothing else: the text of a message is
//! dropped, its name is the field `event`. An event of a foreign crate (hyper, h2, sqlx, tonic, rustls …) is written
//! from `warn` on, as its level and target only, for its fields and text could quote a client. What was dropped is
//! counted. Lines go to standard error, each with one write.

pub(crate) mod datamap;
#[cfg(test)]
mod tests;

use crate::config::{Format, Level, Log};
use datamap::{Form, OWN, declared};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tacit_kernel::{Clock, SystemClock};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// How many fields were not written because they, or the form of their values, are not declared.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// See [`DROPPED`].
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Sets up logging and the panic hook of this process. `component` is `control`, `gateway`, `practice` or `serve`.
pub(crate) fn start(log: Log, component: &'static str) {
    let layer = ClosedLayer {
        log,
        component,
        out: Arc::new(|line| drop(std::io::stderr().write_all(line))),
        clock: SystemClock,
    };
    // The second call in one process (tests, `demo`) keeps the first.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)));
    std::panic::set_hook(Box::new(move |info| {
        drop(std::io::stderr().write_all(&panic_line(log, component, info.location())))
    }));
}

/// What is written of a panic: where, and nothing else; its message could quote a body.
fn panic_line(log: Log, component: &'static str, location: Option<&std::panic::Location<'_>>) -> Vec<u8> {
    let place = location.map_or_else(|| "unknown".to_owned(), |l| format!("{}:{}", l.file(), l.line()));
    let mut line = Line::new(log.format, SystemClock.now(), "ERROR", "panic", component);
    line.push("event", "panic");
    line.push("path", &place);
    line.finish()
}

/// Where lines go; each call is one line.
type Sink = Arc<dyn Fn(&[u8]) + Send + Sync>;

struct ClosedLayer<C> {
    log: Log,
    component: &'static str,
    out: Sink,
    clock: C,
}

fn ours(target: &str) -> bool {
    target.split("::").next().is_some_and(|root| root == "tacit" || root.starts_with("tacit_"))
}

impl<C: Clock> ClosedLayer<C> {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let most = if ours(metadata.target()) {
            match self.log.level {
                Level::Error => tracing::Level::ERROR,
                Level::Warn => tracing::Level::WARN,
                Level::Info => tracing::Level::INFO,
                Level::Debug => tracing::Level::DEBUG,
            }
        } else {
            tracing::Level::WARN
        };
        *metadata.level() <= most
    }
}

impl<S: Subscriber, C: Clock> Layer<S> for ClosedLayer<C> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_event() && self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(match self.log.level {
            Level::Error | Level::Warn => tracing::level_filters::LevelFilter::WARN,
            Level::Info => tracing::level_filters::LevelFilter::INFO,
            Level::Debug => tracing::level_filters::LevelFilter::DEBUG,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line =
            Line::new(self.log.format, self.clock.now(), metadata.level().as_str(), metadata.target(), self.component);
        if ours(metadata.target()) {
            event.record(&mut line);
        } else {
            DROPPED.fetch_add(metadata.fields().len() as u64, Ordering::Relaxed);
        }
        (self.out)(&line.finish());
    }
}

/// A log line in the making.
struct Line {
    format: Format,
    component: &'static str,
    text: String,
}

impl Line {
    fn new(format: Format, now: tacit_kernel::Timestamp, level: &str, target: &str, component: &'static str) -> Self {
        let mut line = Self { format, component, text: String::with_capacity(256) };
        match format {
            Format::Json => {
                line.text
                    .push_str(&format!("{{\"time\":\"{now}\",\"level\":\"{level}\",\"component\":\"{component}\""));
                line.text.push_str(",\"target\":");
                line.text.push_str(&quoted(target));
            }
            Format::Pretty => line.text.push_str(&format!("{now} {level:5} {component:8}")),
        }
        line
    }

    fn push(&mut self, name: &str, value: &str) {
        let Some((name, form)) = declared(name).filter(|(n, _)| !OWN.contains(n)) else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Some(value) = form.within(self.component).admit(value) else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let number = form == Form::Number;
        match self.format {
            Format::Json => {
                self.text.push_str(&format!(",\"{name}\":"));
                self.text.push_str(&if number { value } else { quoted(&value) });
            }
            Format::Pretty if name == "event" => self.text.push_str(&format!(" {value}")),
            Format::Pretty => self.text.push_str(&format!(" {name}={value}")),
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.text.push_str(if self.format == Format::Json { "}\n" } else { "\n" });
        self.text.into_bytes()
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Its text is for whoever reads the code.
        if field.name() == "message" {
            return;
        }
        // A name that is not declared is refused before its value is even rendered.
        if declared(field.name()).is_some() {
            self.push(field.name(), &format!("{value:?}"));
        } else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field.name(), value);
    }
}

//! What is counted about messages. Labels are words of the program.

use super::model::{Channel, State};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    channel: &'static str,
    outcome: &'static str,
}

pub(super) struct Metrics {
    registry: Registry,
    attempts: Family<Labels, Counter>,
    pub(super) waiting: Gauge,
    pub(super) ended: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tacit_messages"),
            attempts: Family::default(),
            waiting: Gauge::default(),
            ended: Counter::default(),
        };
        let r = &mut metrics.registry;
        r.register("attempts", "Attempts to send; waiting: tried again later", metrics.attempts.clone());
        r.register("waiting", "Messages that wait to be sent", metrics.waiting.clone());
        r.register("unsent", "Messages that expired or were lost without an attempt's end", metrics.ended.clone());
        metrics
    }

    pub(super) fn attempt(&self, channel: Channel, outcome: State) {
        self.attempts.get_or_create(&Labels { channel: channel.as_str(), outcome: outcome.as_str() }).inc();
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail; an empty page would show in monitoring.
        if text::encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datamap::ELEMENTS;
    use std::collections::BTreeSet;
    use tacit_kernel::datamap::Place;

    #[test]
    fn the_map_declares_every_label_and_no_other() {
        let metrics = Metrics::new();
        metrics.attempt(Channel::Email, State::Sent);
        metrics.ended.inc();
        let text = metrics.text();
        let line = r#"tacit_messages_attempts_total{channel="email",outcome="sent"} 1"#;
        assert!(text.contains(line), "{text}");
        let found: BTreeSet<(String, String)> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(|l| l.split_once('{'))
            .flat_map(|(name, rest)| {
                let name = name.trim_end_matches("_total").to_owned();
                let labels = rest.split('}').next().unwrap().to_owned();
                labels.split(',').map(|l| (name.clone(), l.split('=').next().unwrap().to_owned())).collect::<Vec<_>>()
            })
            .collect();
        let declared: BTreeSet<_> = ELEMENTS
            .iter()
            .filter_map(|e| match e.place {
                Place::MetricLabel { metric, label } => Some((metric.to_owned(), label.to_owned())),
                _ => None,
            })
            .collect();
        assert_eq!(found, declared);
    }
}

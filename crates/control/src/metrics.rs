//! What the control plane counts about itself. Labels are words of this file, never ids, names or text.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A request of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Method {
    Open,
    Watch,
    Key,
    Lease,
    Record,
    Close,
}

impl Method {
    /// As in the log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Watch => "watch",
            Self::Key => "key",
            Self::Lease => "lease",
            Self::Record => "record",
            Self::Close => "close",
        }
    }
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    /// As asked.
    Ok,
    /// Not as asked, for a reason that lies with the other side or with the wallet.
    Refused,
    /// A failure of ours.
    Failed,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Event {
    Begun,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) method: Method,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutcomeLabel {
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EventLabel {
    pub(crate) event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ClassLabel {
    pub(crate) class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DatabaseLabel {
    pub(crate) database: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CountryLabel {
    pub(crate) country: &'static str,
}

/// Bounds of the histograms: a commit takes a fraction of a millisecond where all is well.
const SECONDS: [f64; 13] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) links: Gauge,
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) events: Family<EventLabel, Counter>,
    pub(crate) set_aside: Family<EventLabel, Counter>,
    pub(crate) commits: Family<OutcomeLabel, Counter>,
    pub(crate) commit_seconds: Histogram,
    pub(crate) settlements: Family<OutcomeLabel, Counter>,
    pub(crate) settle_seconds: Histogram,
    pub(crate) unsettled_events: Gauge,
    pub(crate) deferred_sessions: Gauge,
    pub(crate) journal_unreadable: Counter,
    pub(crate) differences: Counter,
    pub(crate) leases: Family<OutcomeLabel, Counter>,
    pub(crate) recalls: Counter,
    pub(crate) changes: Counter,
    pub(crate) sessions_lost: Counter,
    pub(crate) panics: Counter,
    pub(crate) ledger_checks: Family<OutcomeLabel, Counter>,
    pub(crate) forgetting: Family<OutcomeLabel, Counter>,
    pub(crate) retention_behind: Family<ClassLabel, Gauge>,
    pub(crate) erasures_open: Gauge,
    pub(crate) rights_requests_open: Gauge,
    pub(crate) rights_requests_overdue: Gauge,
    pub(crate) recipients_unregistered: Gauge,
    pub(crate) transfer_subjects: Family<CountryLabel, Gauge>,
    pub(crate) transfer_subjects_abroad: Gauge,
    pub(crate) transfer_level: Gauge,
    pub(crate) erasure_notices_waiting: Gauge,
    pub(crate) incidents_open: Gauge,
    pub(crate) incident_clocks_overdue: Gauge,
    pub(crate) backup_age: Family<DatabaseLabel, Gauge>,
    pub(crate) ledger_problems: Gauge,
    pub(crate) ledger_checked_at: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tacit_control"),
            links: Gauge::default(),
            requests: Family::default(),
            events: Family::default(),
            set_aside: Family::default(),
            commits: Family::default(),
            commit_seconds: Histogram::new(SECONDS),
            settlements: Family::default(),
            settle_seconds: Histogram::new(SECONDS),
            unsettled_events: Gauge::default(),
            deferred_sessions: Gauge::default(),
            journal_unreadable: Counter::default(),
            differences: Counter::default(),
            leases: Family::default(),
            recalls: Counter::default(),
            changes: Counter::default(),
            sessions_lost: Counter::default(),
            panics: Counter::default(),
            ledger_checks: Family::default(),
            forgetting: Family::default(),
            retention_behind: Family::default(),
            erasures_open: Gauge::default(),
            rights_requests_open: Gauge::default(),
            rights_requests_overdue: Gauge::default(),
            recipients_unregistered: Gauge::default(),
            transfer_subjects: Family::default(),
            transfer_subjects_abroad: Gauge::default(),
            transfer_level: Gauge::default(),
            erasure_notices_waiting: Gauge::default(),
            incidents_open: Gauge::default(),
            incident_clocks_overdue: Gauge::default(),
            backup_age: Family::default(),
            ledger_problems: Gauge::default(),
            ledger_checked_at: Gauge::default(),
        };
        let r = &mut metrics.registry;
        r.register("links", "Gateways connected now", metrics.links.clone());
        r.register("requests", "Requests of gateways", metrics.requests.clone());
        r.register("events", "Call events made durable", metrics.events.clone());
        let aside = metrics.set_aside.clone();
        r.register("events_set_aside", "Call events that could not be settled and were set aside", aside);
        r.register("commits", "Group commits of call events to the journal", metrics.commits.clone());
        let seconds = metrics.commit_seconds.clone();
        r.register_with_unit("commit", "Duration of a group commit", Unit::Seconds, seconds);
        r.register("settlements", "Group commits that settle call events", metrics.settlements.clone());
        let seconds = metrics.settle_seconds.clone();
        r.register_with_unit("settle", "Duration of a settlement", Unit::Seconds, seconds);
        let unsettled = metrics.unsettled_events.clone();
        r.register("unsettled_events", "Call events received and neither settled nor let go to the journal", unsettled);
        let deferred = metrics.deferred_sessions.clone();
        r.register("deferred_sessions", "Gateway sessions whose settlement has failed and is tried again", deferred);
        let unreadable = metrics.journal_unreadable.clone();
        r.register("journal_unreadable", "Batches of call events in the journal that cannot be read", unreadable);
        r.register("differences", "Charges that are not what the gateway said", metrics.differences.clone());
        r.register("leases", "Lease requests", metrics.leases.clone());
        r.register("recalls", "Times that gateways were asked to give back a lease", metrics.recalls.clone());
        r.register("changes", "Changes passed on to gateways", metrics.changes.clone());
        r.register("sessions_lost", "Gateway sessions settled as lost", metrics.sessions_lost.clone());
        r.register("panics", "Panics caught", metrics.panics.clone());
        r.register(
            "ledger_checks",
            "Checks of the whole ledger; refused: problems found",
            metrics.ledger_checks.clone(),
        );
        r.register(
            "forgetting",
            "Runs that delete codes, sessions and counted guesses past their time",
            metrics.forgetting.clone(),
        );
        let behind = metrics.retention_behind.clone();
        r.register("retention_behind_seconds", "Since when the oldest row of a class may have been due", behind);
        let open = metrics.erasures_open.clone();
        r.register("erasures_open", "Erasures that are not done yet", open);
        let open = metrics.rights_requests_open.clone();
        r.register("rights_requests_open", "Requests of people about their data that are under way", open);
        let overdue = metrics.rights_requests_overdue.clone();
        r.register("rights_requests_overdue", "Those that should have been answered by now", overdue);
        let missing = metrics.recipients_unregistered.clone();
        r.register(
            "recipients_unregistered",
            "Who is sent data and stands in no active entry of the register",
            missing,
        );
        let subjects = metrics.transfer_subjects.clone();
        r.register("transfer_subjects", "Distinct accounts whose calls went to a country this year", subjects);
        let abroad = metrics.transfer_subjects_abroad.clone();
        r.register("transfer_subjects_abroad", "Distinct accounts whose calls went abroad this year", abroad);
        let level = metrics.transfer_level.clone();
        r.register("transfer_level", "0: few; 1: near the first bound; 2: it is reached; 3: the second is", level);
        let waiting = metrics.erasure_notices_waiting.clone();
        r.register("erasure_notices_waiting", "Recipients that are to be told of an erasure still", waiting);
        r.register("incidents_open", "Incidents that are not closed", metrics.incidents_open.clone());
        let overdue = metrics.incident_clocks_overdue.clone();
        r.register(
            "incident_clocks_overdue",
            "Legal clocks of incidents that ran out before anybody was told",
            overdue,
        );
        let age = metrics.backup_age.clone();
        r.register("backup_age_seconds", "Age of the newest backup; without one, of this process", age);
        r.register("ledger_problems", "Problems that the last check found", metrics.ledger_problems.clone());
        let at = metrics.ledger_checked_at.clone();
        r.register("ledger_checked_at", "When the last check ended, in seconds since 1970", at);
        metrics
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail; an empty page would show in monitoring.
        if text::encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }

    pub(crate) fn request(&self, method: Method, outcome: Outcome) {
        self.requests.get_or_create(&RequestLabels { method, outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datamap::ELEMENTS;
    use std::collections::BTreeSet;
    use tacit_kernel::datamap::Place;

    /// Every label in the text, as (metric, label).
    fn labels(text: &str) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let Some((name, rest)) = line.split_once('{') else { continue };
            for pair in rest.split('}').next().unwrap().split(',') {
                let metric = name.trim_end_matches("_total").trim_end_matches("_bucket");
                found.insert((metric.to_owned(), pair.split('=').next().unwrap().to_owned()));
            }
        }
        found
    }

    #[test]
    fn the_map_declares_every_label_and_no_other() {
        let metrics = Metrics::new();
        let outcome = Outcome::Refused;
        metrics.request(Method::Lease, outcome);
        metrics.events.get_or_create(&EventLabel { event: Event::Begun }).inc();
        metrics.set_aside.get_or_create(&EventLabel { event: Event::Ended }).inc();
        for family in
            [&metrics.commits, &metrics.settlements, &metrics.leases, &metrics.ledger_checks, &metrics.forgetting]
        {
            family.get_or_create(&OutcomeLabel { outcome }).inc();
        }
        metrics.retention_behind.get_or_create(&ClassLabel { class: "audit" }).set(1);
        metrics.backup_age.get_or_create(&DatabaseLabel { database: "data" }).set(1);
        metrics.transfer_subjects.get_or_create(&CountryLabel { country: "DE" }).set(1);
        metrics.commit_seconds.observe(0.3);
        metrics.settle_seconds.observe(0.3);
        let text = metrics.text();
        assert!(text.contains(r#"tacit_control_requests_total{method="Lease",outcome="Refused"} 1"#), "{text}");
        let declared: BTreeSet<_> = ELEMENTS
            .iter()
            .filter_map(|e| match e.place {
                Place::MetricLabel { metric, label } => Some((metric.to_owned(), label.to_owned())),
                _ => None,
            })
            .collect();
        assert_eq!(labels(&text), declared);
    }
}

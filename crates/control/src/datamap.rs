//! The metric labels of this crate, for the data map.

use tacit_kernel::datamap::{Element, Place, Protection, Retention, Subject};

const fn label(metric: &'static str, label: &'static str, why: &'static str) -> Element {
    Element {
        place: Place::MetricLabel { metric, label },
        category: "system.operations",
        subject: Subject::Nobody(why),
        purposes: &[],
        protection: Protection::Plain,
        retention: Retention::Configuration,
        cites: &[],
    }
}

const WORD: &str = "one of a few words of the program";

/// Every metric label that the control plane writes.
pub const ELEMENTS: &[Element] = &[
    label("tacit_control_requests", "method", WORD),
    label("tacit_control_requests", "outcome", WORD),
    label("tacit_control_events", "event", WORD),
    label("tacit_control_events_set_aside", "event", WORD),
    label("tacit_control_commits", "outcome", WORD),
    label("tacit_control_commit_seconds", "le", "a bound of the histogram"),
    label("tacit_control_leases", "outcome", WORD),
    label("tacit_control_ledger_checks", "outcome", WORD),
];

//! The metric labels of this crate, for the data map.

use tacit_kernel::datamap::Element;

const WORD: &str = "one of a few words of the program";

/// Every metric label that the control plane writes.
pub const ELEMENTS: &[Element] = &[
    Element::metric_label("tacit_control_requests", "method", WORD),
    Element::metric_label("tacit_control_requests", "outcome", WORD),
    Element::metric_label("tacit_control_events", "event", WORD),
    Element::metric_label("tacit_control_events_set_aside", "event", WORD),
    Element::metric_label("tacit_control_commits", "outcome", WORD),
    Element::metric_label("tacit_control_commit_seconds", "le", "a bound of the histogram"),
    Element::metric_label("tacit_control_settlements", "outcome", WORD),
    Element::metric_label("tacit_control_settle_seconds", "le", "a bound of the histogram"),
    Element::metric_label("tacit_control_leases", "outcome", WORD),
    Element::metric_label("tacit_control_ledger_checks", "outcome", WORD),
    Element::metric_label("tacit_control_forgetting", "outcome", WORD),
    Element::metric_label("tacit_control_retention_behind_seconds", "class", WORD),
    Element::metric_label("tacit_control_transfer_subjects", "country", "a code of ISO 3166-1, or ZZ"),
    Element::metric_label("tacit_control_backup_age_seconds", "database", WORD),
];

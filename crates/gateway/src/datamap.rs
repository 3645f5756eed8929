//! The gateway's part of the data map: labels of its metrics, and what it sends to model providers. What it reports to
//! the control plane is declared where it is stored.

use tacit_kernel::datamap::{Copying, Correcting, Element, Place, Protection, Purpose, Retention, Subject, Withheld};

const fn sent(field: &'static str, category: &'static str) -> Element {
    Element {
        place: Place::Egress { recipient: "model_provider", field },
        category,
        subject: Subject::Account("calls.account_id"),
        purposes: &[Purpose::Inference],
        protection: Protection::Plain,
        retention: Retention::OpenCall,
        // Nothing of it is held here.
        copying: Copying::Withheld(Withheld::SaysNothing),
        correcting: Correcting::Derived,
        cites: &["YY-1", "YY-2.2", "YY-5"],
    }
}

/// Everything the gateway counts by and everything it sends to providers.
pub const ELEMENTS: &[Element] = &[
    Element::metric_label("tacit_gateway_calls", "endpoint", "a path template from a fixed list"),
    Element::metric_label("tacit_gateway_calls", "status", "a word from a fixed list"),
    Element::metric_label("tacit_gateway_calls", "code", "a word from a fixed list"),
    Element::metric_label("tacit_gateway_provider_attempts", "provider", "a name that the operator registered"),
    Element::metric_label("tacit_gateway_provider_attempts", "code", "a word from a fixed list"),
    Element::metric_label("tacit_gateway_call_duration_seconds", "le", "a bound from a fixed list"),
    Element::metric_label("tacit_gateway_call_first_byte_seconds", "le", "a bound from a fixed list"),
    sent("body", "user.content.private"),
    sent("anthropic-version", "system.operations"),
    sent("anthropic-beta", "system.operations"),
    sent("openai-beta", "system.operations"),
];

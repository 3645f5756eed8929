//! The metric labels of this crate, and the fields that leave the platform in messages, for the data map.

use tacit_kernel::datamap::{
    Copying, Correcting, Element, Place, Protection, Purpose, Retention, Subject, Withheld, retention,
};

const WORD: &str = "one of a few words of the program";

/// What a recipient of messages is given about a person. The recipients are those that the operator configures: a mail
/// server, and at most one SMS provider.
const fn to(recipient: &'static str, field: &'static str, category: &'static str) -> Element {
    Element {
        place: Place::Egress { recipient, field },
        category,
        subject: Subject::Account("messages.account_id -> accounts.id"),
        purposes: &[Purpose::SignIn, Purpose::Security],
        protection: Protection::Plain,
        // Not kept here; how long the recipient keeps it is told by its own policy.
        retention: Retention::Class(retention::MESSAGE_CONTENT),
        copying: Copying::Given,
        correcting: Correcting::Derived,
        cites: &["YY-2.1", "YY-5"],
    }
}

/// What an agency is given about a person who agreed to it.
const fn asked(recipient: &'static str, field: &'static str) -> Element {
    Element {
        place: Place::Egress { recipient, field },
        category: "user.identity.verification",
        subject: Subject::Account("verification_cases.account_id -> accounts.id"),
        purposes: &[Purpose::SignIn, Purpose::Law],
        protection: Protection::Plain,
        // Not kept here; how long the recipient keeps it is told by its own policy.
        retention: Retention::Class(retention::VERIFICATION),
        copying: Copying::Given,
        correcting: Correcting::Derived,
        cites: &["01-2.2", "YY-5"],
    }
}

/// A variable of the templates of messages. It lies sealed in the outbox until the message is sent.
const fn said(field: &'static str, category: &'static str) -> Element {
    Element {
        place: Place::MessageField { field },
        category,
        subject: Subject::Account("messages.account_id -> accounts.id"),
        purposes: &[Purpose::SignIn, Purpose::Security],
        protection: Protection::SealedSubject,
        retention: Retention::Class(retention::MESSAGE_CONTENT),
        // As the column that they lie in.
        copying: Copying::Withheld(Withheld::Guards),
        correcting: Correcting::Derived,
        cites: &["YY-2.1", "YY-7"],
    }
}

/// Every metric label, every variable of messages and every outbound field of this crate.
pub const ELEMENTS: &[Element] = &[
    Element::metric_label("tacit_messages_attempts", "channel", WORD),
    Element::metric_label("tacit_messages_attempts", "outcome", WORD),
    said("code", "user.authorization.credentials"),
    said("minutes", "user.authorization"),
    said("what", "user.account"),
    said("time", "user.authorization"),
    said("device", "user.device"),
    said("place", "user.device.ip_address"),
    said("inviter", "user.account.username"),
    said("organisation", "user.account.username"),
    said("url", "user.authorization.credentials"),
    said("title", "user.content"),
    said("text", "user.content"),
    to("mail server", "To", "user.contact.email"),
    to("mail server", "Subject", "user.content"),
    to("mail server", "Message-ID", "user.unique_id.pseudonymous"),
    to("mail server", "body", "user.content"),
    to("aliyun", "PhoneNumbers", "user.contact.phone_number"),
    to("aliyun", "TemplateParam", "user.content"),
    to("aliyun", "OutId", "user.unique_id.pseudonymous"),
    to("tencent", "PhoneNumberSet", "user.contact.phone_number"),
    to("tencent", "TemplateParamSet", "user.content"),
    to("tencent", "SessionContext", "user.unique_id.pseudonymous"),
    to("twilio", "To", "user.contact.phone_number"),
    to("twilio", "Body", "user.content"),
    to("generic", "to", "user.contact.phone_number"),
    to("generic", "text", "user.content"),
    to("generic", "id", "user.unique_id.pseudonymous"),
    asked("verification agency, aliyun", "UserName"),
    asked("verification agency, aliyun", "IdentifyNum"),
    asked("verification agency, tencent", "Name"),
    asked("verification agency, tencent", "IdCard"),
    asked("verification agency, generic", "data.name"),
    asked("verification agency, generic", "data.number"),
    asked("verification agency, generic", "webhook-id"),
];

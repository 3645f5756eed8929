//! The data map of the log: every field a log line can have, and the form its values must take. A field that is not
//! here is not written; a value that does not have the form is not written either. So no line can hold a text that
//! came from a client, whatever the code that logs was careless enough to pass.

use tacit_kernel::datamap::{
    Copying, Correcting, Element, Place, Protection, Purpose, Retention, Subject, Withheld, retention,
};

/// The form of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A name from the program's own text: letters, digits and `_.-/{}`, at most 64.
    Name,
    /// A name that the operator chose, such as a registered model.
    Registered,
    /// A TypeID with this prefix.
    Id(&'static str),
    /// A whole number.
    Number,
    /// An address or a path of our own.
    Place,
    /// A private detail of ours ([`tacit_kernel::Fault::detail`]), which by rule quotes no client; cut at 300. The
    /// gateway, which holds bodies, has [`Form::Words`] in its place.
    Detail,
    /// A few plain words: letters, digits, spaces and `_.:/-`, at most 80. JSON has not this form, nor has a whole body.
    Words,
}

const fn field(field: &'static str) -> Element {
    Element {
        place: Place::LogField { field },
        category: "system.operations",
        subject: Subject::Nobody("tells of the program, not of a person"),
        purposes: &[],
        protection: Protection::Plain,
        retention: Retention::Class(retention::LOG),
        copying: Copying::Withheld(Withheld::SaysNothing),
        correcting: Correcting::Record,
        cites: &["YY-2.2"],
    }
}

const fn of_account(name: &'static str, path: &'static str) -> Element {
    Element {
        category: "user.unique_id.pseudonymous",
        subject: Subject::Account(path),
        purposes: &[Purpose::Support, Purpose::Security],
        ..field(name)
    }
}

/// Every field, with its form.
pub(crate) const FIELDS: &[(Element, Form)] = &[
    (field("time"), Form::Name),
    (field("level"), Form::Name),
    (field("target"), Form::Name),
    (field("event"), Form::Name),
    (field("component"), Form::Name),
    (field("version"), Form::Name),
    (field("error.code"), Form::Name),
    (field("detail"), Form::Detail),
    (of_account("account.id", "self"), Form::Id("acct")),
    (of_account("key.id", "api_keys.account_id"), Form::Id("key")),
    (of_account("call.id", "calls.account_id"), Form::Id("call")),
    (of_account("message.id", "messages.account_id"), Form::Id("msg")),
    (field("message.kind"), Form::Name),
    (field("message.channel"), Form::Name),
    (field("session.id"), Form::Id("gws")),
    (field("provider"), Form::Registered),
    (field("channel.id"), Form::Id("chan")),
    (field("model"), Form::Registered),
    (field("endpoint"), Form::Name),
    (field("status"), Form::Name),
    (field("count"), Form::Number),
    (field("attempt"), Form::Number),
    (field("duration_us"), Form::Number),
    (field("bytes"), Form::Number),
    (field("address.listen"), Form::Place),
    (field("path"), Form::Place),
];

/// The fields that the layer itself writes and that no event may set.
pub(crate) const OWN: &[&str] = &["time", "level", "target"];

/// The name and form of a declared field.
pub(crate) fn declared(name: &str) -> Option<(&'static str, Form)> {
    FIELDS.iter().find_map(|(element, form)| match element.place {
        Place::LogField { field } if field == name => Some((field, *form)),
        _ => None,
    })
}

impl Form {
    /// The form that holds in that process.
    pub(crate) fn within(self, component: &str) -> Self {
        if self == Self::Detail && component == "gateway" { Self::Words } else { self }
    }

    /// The value as it may be written, or nothing.
    pub(crate) fn admit(self, text: &str) -> Option<String> {
        let within = |most: usize, more: &[u8]| {
            let fine = text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
            (!text.is_empty() && text.len() <= most && fine).then(|| text.to_owned())
        };
        match self {
            Self::Name => within(64, b"_.-/{}"),
            Self::Registered => within(128, b"_.-/:@"),
            Self::Place => within(256, b"_.-/:[]"),
            Self::Words => within(80, b"_.-/: "),
            Self::Number => text.parse::<i128>().ok().map(|n| n.to_string()),
            Self::Id(prefix) => tacit_kernel::ids::parse(prefix, text).ok().map(|_| text.to_owned()),
            Self::Detail => {
                let clean: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
                Some(clean)
            }
        }
    }
}

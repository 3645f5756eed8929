//! The cookies, for the data map.

use tacit_kernel::datamap::{
    Copying, Correcting, Element, Place, Protection, Purpose, Retention, RetentionClass, Subject, Withheld, retention,
};

const fn cookie(
    name: &'static str,
    purposes: &'static [Purpose],
    class: RetentionClass,
    path: &'static str,
) -> Element {
    Element {
        place: Place::Cookie { name },
        category: "user.device.cookie",
        subject: Subject::Account(path),
        purposes,
        protection: Protection::Plain,
        retention: Retention::Class(class),
        copying: Copying::Withheld(Withheld::Guards),
        correcting: Correcting::Derived,
        cites: &["YY-6", "01-2.5"],
    }
}

/// Every cookie, without the prefix that it has over HTTPS.
pub const COOKIES: &[Element] = &[
    cookie("tacit-session", &[Purpose::SignIn], retention::SESSION, "console_sessions.account_id -> accounts.id"),
    cookie("tacit-device", &[Purpose::Security], retention::DEVICE, "known_devices.account_id -> accounts.id"),
    cookie("tacit-sign-in", &[Purpose::SignIn], retention::MOMENTARY, "sign_in_ceremonies.account_id -> accounts.id"),
];

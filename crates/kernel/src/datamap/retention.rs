//! How long data is kept: the classes of retention. An operator may move within the bounds of a class, and nowhere else.

use serde::Serialize;

/// A law that demands that something is kept. Which laws hold where is for counsel to say; these are those of the shipped
/// profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Law {
    /// Its id.
    pub id: &'static str,
    /// What it is called, in English.
    pub english: &'static str,
    /// What it is called, in Chinese.
    pub chinese: &'static str,
}

/// Logs of a network are kept for half a year.
pub const NETWORK_LOGS: Law = Law {
    id: "cn.csl.21",
    english: "Cybersecurity Law of China, article 21",
    chinese: "《中华人民共和国网络安全法》第二十一条",
};
/// What was bought is known for three years after it was done.
pub const TRADE_RECORDS: Law = Law {
    id: "cn.ecl.31",
    english: "E-Commerce Law of China, article 31",
    chinese: "《中华人民共和国电子商务法》第三十一条",
};
/// Records of how personal data was handled are kept for three years.
pub const HANDLING_RECORDS: Law = Law {
    id: "cn.pipl.56",
    english: "Personal Information Protection Law of China, article 56",
    chinese: "《中华人民共和国个人信息保护法》第五十六条",
};

crate::words! {
    /// From when days are counted.
    Since {
        /// Since it was written.
        Written = "written",
        /// Since it was over: used, expired, revoked, decided, not seen any more.
        Over = "over",
    }

    /// What happens when the days are over.
    Then {
        /// The row goes.
        Deleted = "deleted",
        /// The value goes, the row stays.
        Emptied = "emptied",
    }
}

/// A class of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetentionClass {
    /// Its name, in settings too.
    pub name: &'static str,
    /// Days it is kept at least; more than none only by a law.
    pub min: u32,
    /// Days it is kept at most.
    pub max: u32,
    /// What demands the least.
    pub law: Option<Law>,
    /// From when days are counted.
    pub since: Since,
    /// What happens then.
    pub then: Then,
}

impl RetentionClass {
    const fn days(name: &'static str, max: u32) -> Self {
        Self { name, min: 0, max, law: None, since: Since::Over, then: Then::Deleted }
    }

    const fn lawful(name: &'static str, min: u32, max: u32, law: Law) -> Self {
        Self { name, min, max, law: Some(law), since: Since::Written, then: Then::Deleted }
    }

    const fn emptied(self) -> Self {
        Self { then: Then::Emptied, ..self }
    }

    const fn since_written(self) -> Self {
        Self { since: Since::Written, ..self }
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $class:expr;)+) => {
        $($(#[$doc])* pub const $name: RetentionClass = $class;)+
        /// Every class.
        pub const CLASSES: &[RetentionClass] = &[$($name),+];
    };
}

classes! {
    /// Call records, and what tells of gateways.
    CALL_RECORD = RetentionClass::lawful("call_records", 180, 400, NETWORK_LOGS);
    /// Where a call came from, within its record.
    CALL_ADDRESS = RetentionClass::lawful("call_addresses", 180, 180, NETWORK_LOGS).emptied();
    /// What was paid, given and spent: three years, with a leap day; laws on the books of companies may want thirty.
    LEDGER = RetentionClass::lawful("ledger", 1096, 10_958, TRADE_RECORDS);
    /// Who did what.
    AUDIT = RetentionClass::lawful("audit", 1095, 2190, HANDLING_RECORDS);
    /// To whom in which country what somebody sent went, in a year: its first call may be a year older than its last.
    TRANSFER = RetentionClass::lawful("transfers", 1095, 1461, HANDLING_RECORDS);
    /// That a message was sent.
    MESSAGE = RetentionClass::days("messages", 180).since_written();
    /// What it said, and to whom.
    MESSAGE_CONTENT = RetentionClass::days("message_contents", 7).emptied().since_written();
    /// Invitations to register.
    INVITATION = RetentionClass::days("invitations", 90);
    /// Invitations into an organisation, and offers to own it.
    MEMBER_INVITATION = RetentionClass::days("member_invitations", 8);
    /// Codes, ceremonies, counted guesses, word of changes, answers to requests that may come again.
    MOMENTARY = RetentionClass::days("momentary", 1);
    /// Sign-ins.
    SESSION = RetentionClass::days("sessions", 90);
    /// Devices that were seen.
    DEVICE = RetentionClass::days("devices", 180);
    /// What somebody showed to prove who they are.
    VERIFICATION = RetentionClass::days("verification", 180).emptied();
    /// Backups of the data.
    BACKUP = RetentionClass::days("backups", 35).since_written();
    /// Backups of the keyring, which open what was erased since: only for days.
    KEYRING_BACKUP = RetentionClass::days("keyring_backups", 7).since_written();
    /// Lines of the log.
    LOG = RetentionClass::days("logs", 30).since_written();
}

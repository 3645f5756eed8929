//! For how many days the operator keeps what a class holds, within its bounds.

use super::Class;
use tacit_kernel::datamap::RetentionClass;

/// A number of days that a class does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} are kept for {min} to {max} days", .class.class().name)]
pub struct DaysError {
    class: Class,
    min: u32,
    max: u32,
}

/// Days of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    call_records: u32,
    audit: u32,
    ledger: u32,
}

impl Default for Days {
    /// As long as may be.
    fn default() -> Self {
        let most = |class: Class| class.class().max;
        Self { call_records: most(Class::CallRecords), audit: most(Class::Audit), ledger: most(Class::Ledger) }
    }
}

impl Days {
    /// Those.
    ///
    /// # Errors
    /// [`DaysError`] for a number that the class does not allow.
    pub fn new(call_records: u32, audit: u32, ledger: u32) -> Result<Self, DaysError> {
        for (class, days) in [(Class::CallRecords, call_records), (Class::Audit, audit), (Class::Ledger, ledger)] {
            let (min, max) = (class.class().min, class.class().max);
            if !(min..=max).contains(&days) {
                return Err(DaysError { class, min, max });
            }
        }
        Ok(Self { call_records, audit, ledger })
    }

    /// Days for which a class is kept.
    #[must_use]
    pub fn of(&self, class: Class) -> u32 {
        match class {
            Class::CallAddresses | Class::Backups | Class::KeyringBackups => class.class().max,
            Class::CallRecords | Class::GatewaySessions => self.call_records,
            Class::Audit => self.audit,
            Class::Ledger => self.ledger,
        }
    }

    /// Days for which what is of a class of the data map is kept at most.
    #[must_use]
    pub fn of_class(&self, class: RetentionClass) -> u32 {
        let own = Class::ALL.iter().copied().filter(|own| own.class() == class);
        own.map(|own| self.of(own)).max().unwrap_or(class.max)
    }
}

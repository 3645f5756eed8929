//! What a key or an account may do at most. `None` means: no such limit.

use crate::money::Nano;
use crate::time::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Limits of a key or of an account. Where both set one, both hold.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls begun per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens, in and out, per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Calls at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Charges per UTC day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_per_day: Option<Nano>,
    /// Charges per UTC calendar month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_per_month: Option<Nano>,
    /// Charges over its whole life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_total: Option<Nano>,
    /// From this moment on nothing is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Names of the models it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Addresses it may call from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_ranges: Option<Vec<IpNet>>,
}

/// What several keys may spend together: those of a member of an organisation, or of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Charges per UTC day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_per_day: Option<Nano>,
    /// Charges per UTC calendar month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_per_month: Option<Nano>,
}

impl Budget {
    /// Whether anything is limited.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.spend_per_day.is_some() || self.spend_per_month.is_some()
    }

    /// As limits, of which nothing else is set.
    #[must_use]
    pub fn limits(self) -> Limits {
        Limits { spend_per_day: self.spend_per_day, spend_per_month: self.spend_per_month, ..Limits::default() }
    }
}

impl Limits {
    /// Whether a call from this address is allowed. An IPv4 address in IPv6 form counts as IPv4.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ip_ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|r| r.contains(&address)))
    }

    /// Whether the model may be used.
    #[must_use]
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|m| m == model))
    }

    /// Whether it has expired.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let limits = Limits {
            ip_ranges: Some(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
            ..Limits::default()
        };
        for (address, ok) in
            [("10.9.9.9", true), ("11.0.0.1", false), ("::ffff:10.1.1.1", true), ("2001:db8::1", true), ("::1", false)]
        {
            assert_eq!(limits.allows_address(address.parse().unwrap()), ok, "{address}");
        }
        assert!(Limits::default().allows_address("::1".parse().unwrap()));
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let limits = Limits { models: Some(vec![]), ip_ranges: Some(vec![]), ..Limits::default() };
        assert!(!limits.allows_model("a"));
        assert!(!limits.allows_address("10.0.0.1".parse().unwrap()));
    }
}

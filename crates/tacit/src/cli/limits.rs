//! The limits of an account or a key as options.

use clap::Args;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Nano, Timestamp};

/// What it may do at most. What is not given is not limited.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits (they replace all that were set)")]
pub(crate) struct LimitArgs {
    /// Calls begun per minute.
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u32>,
    /// Tokens, in and out, per minute.
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// Calls at the same time.
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Charges per UTC day.
    #[arg(long, value_name = "AMOUNT")]
    spend_per_day: Option<Nano>,
    /// Charges per UTC month.
    #[arg(long, value_name = "AMOUNT")]
    spend_per_month: Option<Nano>,
    /// Charges over its whole life.
    #[arg(long, value_name = "AMOUNT")]
    spend_total: Option<Nano>,
    /// From this moment on nothing is served (2026-12-31 or 2026-12-31T12:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    expires_at: Option<Timestamp>,
    /// A model it may use; may be repeated.
    #[arg(long = "allow-model", value_name = "MODEL")]
    models: Vec<String>,
    /// An address range it may call from; may be repeated.
    #[arg(long = "allow-ip", value_name = "RANGE")]
    ip_ranges: Vec<ipnet::IpNet>,
}

impl LimitArgs {
    /// The limits, if any was given.
    pub(crate) fn given(self) -> Option<Limits> {
        let limits = self.into_limits();
        (limits != Limits::default()).then_some(limits)
    }

    /// The limits.
    pub(crate) fn into_limits(self) -> Limits {
        Limits {
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            concurrency: self.concurrency,
            spend_per_day: self.spend_per_day,
            spend_per_month: self.spend_per_month,
            spend_total: self.spend_total,
            expires_at: self.expires_at,
            models: (!self.models.is_empty()).then_some(self.models),
            ip_ranges: (!self.ip_ranges.is_empty()).then_some(self.ip_ranges),
        }
    }
}

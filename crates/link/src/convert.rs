//! What rows of bytes and numbers on the wire mean in the words of the kernel, and back. Both sides use these and
//! nothing else.

use crate::{Refused, wire};
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::limits::{Budget, Limits};
use tacit_kernel::rating::{Price, Usage};
use tacit_kernel::{Auth, Dialect, Nano};
use uuid::Uuid;

/// A typed id from its 16 bytes.
///
/// # Errors
/// [`Refused`] with that field name if it is not 16 bytes.
pub fn id<T: From<Uuid>>(field: &'static str, bytes: &[u8]) -> Result<T, Refused> {
    Uuid::from_slice(bytes).map(T::from).map_err(|_| Refused(field))
}

/// As [`id`], where no bytes mean none.
///
/// # Errors
/// [`Refused`] with that field name if it is neither 0 nor 16 bytes.
pub fn optional_id<T: From<Uuid>>(field: &'static str, bytes: &[u8]) -> Result<Option<T>, Refused> {
    if bytes.is_empty() { Ok(None) } else { id(field, bytes).map(Some) }
}

/// The 16 bytes of an id.
pub fn id_bytes(id: impl Into<Uuid>) -> Vec<u8> {
    id.into().into_bytes().to_vec()
}

impl<T: Into<Uuid>> From<T> for wire::Id {
    fn from(id: T) -> Self {
        let (high, low) = id.into().as_u64_pair();
        Self { high, low }
    }
}

/// A typed id of a call event.
///
/// # Errors
/// [`Refused`] with that field name if there is none.
pub fn event_id<T: From<Uuid>>(field: &'static str, id: Option<wire::Id>) -> Result<T, Refused> {
    optional_event_id(id).ok_or(Refused(field))
}

/// As [`event_id`], where it may be missing.
#[must_use]
pub fn optional_event_id<T: From<Uuid>>(id: Option<wire::Id>) -> Option<T> {
    id.map(|id| Uuid::from_u64_pair(id.high, id.low).into())
}

/// A call event, or a batch of them, as bytes to be kept.
#[must_use]
pub fn event_bytes(event: &impl prost::Message) -> Vec<u8> {
    event.encode_to_vec()
}

/// The end of a call from what [`event_bytes`] made of it.
///
/// # Errors
/// [`Refused`] if it is none.
pub fn ended_event(bytes: &[u8]) -> Result<wire::Ended, Refused> {
    prost::Message::decode(bytes).map_err(|_| Refused("ended"))
}

/// A batch of events from what [`event_bytes`] made of it.
///
/// # Errors
/// [`Refused`] if it is none.
pub fn events(bytes: &[u8]) -> Result<wire::Events, Refused> {
    prost::Message::decode(bytes).map_err(|_| Refused("events"))
}

/// The 32 bytes of a key or a keyed hash.
///
/// # Errors
/// [`Refused`] with that field name if it has another length.
pub fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], Refused> {
    bytes.try_into().map_err(|_| Refused(field))
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident: $word:ty = $field:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Refused`] for a number that stands for nothing.
        pub fn $name(number: u32) -> Result<$word, Refused> {
            <$word>::from_number(number).ok_or(Refused($field))
        }
    )*};
}

numbered! {
    /// An endpoint by its number.
    endpoint: Endpoint = "endpoint";
    /// A call's status by its number.
    status: CallStatus = "status";
    /// The origin of a usage by its number.
    usage_source: UsageSource = "usage_source";
    /// The source of a call by its number.
    source: CallSource = "source";
    /// A client's family by its number.
    agent: AgentFamily = "agent";
    /// A dialect by its number.
    dialect: Dialect = "dialect";
    /// A way to send a credential by its number.
    auth: Auth = "auth";
}

/// An error code by one more than its number; 0 is none.
///
/// # Errors
/// [`Refused`] for a number that stands for nothing.
pub fn error(number: u32) -> Result<Option<ErrorCode>, Refused> {
    match number.checked_sub(1) {
        None => Ok(None),
        Some(n) => ErrorCode::from_number(n).map(Some).ok_or(Refused("error")),
    }
}

/// The number that [`error()`] reads.
#[must_use]
pub const fn error_number(error: Option<ErrorCode>) -> u32 {
    match error {
        None => 0,
        Some(code) => code.number() + 1,
    }
}

macro_rules! classes {
    ($($class:ident),*) => {
        impl From<&wire::Usage> for Usage {
            fn from(u: &wire::Usage) -> Self {
                let wire::Usage { $($class),* } = *u;
                Self { $($class),* }
            }
        }

        impl From<&Usage> for wire::Usage {
            fn from(u: &Usage) -> Self {
                let Usage { $($class),* } = *u;
                Self { $($class),* }
            }
        }
    };
}

classes!(input, cache_read, cache_write_5m, cache_write_1h, audio_input, image_input, output, reasoning, audio_output);

/// A price from its JSON.
///
/// # Errors
/// [`Refused`] if it is not a valid price.
pub fn price(json: &str) -> Result<Price, Refused> {
    serde_json::from_str(json).map_err(|_| Refused("price_json"))
}

/// A price as JSON.
///
/// # Errors
/// [`Refused`] if it cannot be written; no price that exists does that.
pub fn price_json(price: &Price) -> Result<String, Refused> {
    serde_json::to_string(price).map_err(|_| Refused("price_json"))
}

/// Limits from their JSON.
///
/// # Errors
/// [`Refused`] if they are not valid.
pub fn limits(json: &str) -> Result<Limits, Refused> {
    serde_json::from_str(json).map_err(|_| Refused("limits_json"))
}

/// Limits as JSON.
///
/// # Errors
/// [`Refused`] if they cannot be written; no limits that exist do that.
pub fn limits_json(limits: &Limits) -> Result<String, Refused> {
    serde_json::to_string(limits).map_err(|_| Refused("limits_json"))
}

/// The budget of a grant.
#[must_use]
pub fn budget(shared: &wire::SharedBudget) -> Budget {
    let limit = |amount: i64| (amount >= 0).then_some(Nano(amount));
    Budget { spend_per_day: limit(shared.per_day), spend_per_month: limit(shared.per_month) }
}

/// The number that [`budget`] reads: -1 where there is no such limit.
#[must_use]
pub fn budget_limit(limit: Option<Nano>) -> i64 {
    limit.map_or(-1, |amount| amount.0.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::ids::CallId;
    use tacit_kernel::rating::Rates;

    #[test]
    fn ids_have_sixteen_bytes() {
        let call = CallId::fresh();
        assert_eq!(id::<CallId>("call", &id_bytes(call)), Ok(call));
        assert_eq!(id::<CallId>("call", &[0; 15]), Err(Refused("call")));
        assert_eq!(id::<CallId>("call", &[0; 17]), Err(Refused("call")));
        assert_eq!(id::<CallId>("call", &[]), Err(Refused("call")));
        assert_eq!(optional_id::<CallId>("call", &[]), Ok(None));
        assert_eq!(optional_id::<CallId>("call", &[0; 8]), Err(Refused("call")));
        assert_eq!(event_id("call", Some(call.into())), Ok(call));
        assert_eq!(event_id::<CallId>("call", None), Err(Refused("call")));
    }

    #[test]
    fn numbers_come_back_and_strange_ones_are_refused() {
        for code in ErrorCode::ALL {
            assert_eq!(error(error_number(Some(*code))), Ok(Some(*code)));
        }
        assert_eq!(error(error_number(None)), Ok(None));
        assert_eq!(error(1 + u32::try_from(ErrorCode::ALL.len()).unwrap()), Err(Refused("error")));
        // As the schema names them.
        assert_eq!([0, 1].map(dialect), [Ok(Dialect::OpenAi), Ok(Dialect::Anthropic)]);
        let ways = [Auth::Bearer, Auth::XApiKey, Auth::XGoogApiKey, Auth::None];
        assert_eq!([0, 1, 2, 3].map(auth), ways.map(Ok));
        assert_eq!(status(CallStatus::Lost.number()), Ok(CallStatus::Lost));
        assert!(status(99).is_err() && endpoint(99).is_err() && usage_source(3).is_err() && source(3).is_err());
        assert!(agent(99).is_err() && dialect(2).is_err() && auth(4).is_err());
    }

    #[test]
    fn usage_keeps_every_class_apart() {
        let usage = Usage {
            input: 1,
            cache_read: 2,
            cache_write_5m: 3,
            cache_write_1h: 4,
            audio_input: 5,
            image_input: 6,
            output: 7,
            reasoning: 8,
            audio_output: 9,
        };
        let wire = wire::Usage::from(&usage);
        assert_eq!((wire.input, wire.cache_write_1h, wire.audio_output), (1, 4, 9));
        assert_eq!(Usage::from(&wire), usage);
    }

    #[test]
    fn json_values_come_back() {
        let p = Price::flat(Nano(1), Rates::new(Nano(5), Nano(7))).unwrap();
        assert_eq!(price(&price_json(&p).unwrap()), Ok(p));
        assert_eq!(price("{}"), Err(Refused("price_json")));
        let l = Limits { concurrency: Some(3), ..Limits::default() };
        assert_eq!(limits(&limits_json(&l).unwrap()), Ok(l));
        assert_eq!(limits("[1"), Err(Refused("limits_json")));
        for b in [Budget::default(), Budget { spend_per_day: Some(Nano(0)), spend_per_month: Some(Nano(7)) }] {
            let (per_day, per_month) = (budget_limit(b.spend_per_day), budget_limit(b.spend_per_month));
            assert_eq!(budget(&wire::SharedBudget { per_day, per_month, ..wire::SharedBudget::default() }), b);
        }
    }
}

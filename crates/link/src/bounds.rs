//! A bound on every string, every row of bytes and every list of the link's messages.

use crate::wire;

/// Begun and ended events in one batch, together.
pub const MAX_EVENTS: usize = 2048;
/// Bytes of a sealed address or user agent.
pub const MAX_SEALED: usize = 400;

const MAX_ATTEMPTS: usize = 64;
const MAX_INVALIDATED: usize = 10_000;
const MAX_MODELS: usize = 20_000;
const MAX_CHANNELS: usize = 10_000;
const MAX_ROUTES: usize = 1_000;
const MAX_CREDENTIALS: usize = 1_000;
const MAX_BUDGETS: usize = 2;
const MAX_NAME: usize = 256;
const MAX_URL: usize = 2048;
const MAX_SECRET: usize = 8192;
const MAX_JSON: usize = 64 * 1024;

/// A message that breaks a bound or holds a number that stands for nothing; names the field, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {0} is not within its bounds")]
pub struct Refused(pub &'static str);

impl From<Refused> for tonic::Status {
    fn from(refused: Refused) -> Self {
        Self::invalid_argument(refused.to_string())
    }
}

/// A message whose size can be checked. Whoever receives one checks it before anything else.
pub trait Checked {
    /// Whether every field lies within its bounds.
    ///
    /// # Errors
    /// [`Refused`] with the name of the first field that does not.
    fn check(&self) -> Result<(), Refused>;
}

fn need(ok: bool, field: &'static str) -> Result<(), Refused> {
    if ok { Ok(()) } else { Err(Refused(field)) }
}

fn id(bytes: &[u8], field: &'static str) -> Result<(), Refused> {
    need(bytes.len() == 16, field)
}

fn id_or_none(bytes: &[u8], field: &'static str) -> Result<(), Refused> {
    need(matches!(bytes.len(), 0 | 16), field)
}

fn at_most<T: AsRef<[u8]>>(value: T, most: usize, field: &'static str) -> Result<(), Refused> {
    need(value.as_ref().len() <= most, field)
}

fn each<T: Checked>(list: &[T], most: usize, field: &'static str) -> Result<(), Refused> {
    need(list.len() <= most, field)?;
    list.iter().try_for_each(Checked::check)
}

fn inner<T: Checked>(message: Option<&T>) -> Result<(), Refused> {
    message.map_or(Ok(()), Checked::check)
}

macro_rules! checked {
    ($($name:ident: $message:ident => { $($check:expr;)* })*) => {$(
        impl Checked for wire::$name {
            fn check(&self) -> Result<(), Refused> {
                let $message = self;
                $($check?;)*
                Ok(())
            }
        }
    )*};
}

checked! {
    Hello: m => {
        need((1..=64).contains(&m.gateway.len()), "gateway");
        at_most(&m.version, 64, "version");
        need(m.sandbox <= 1, "sandbox");
        id_or_none(&m.session, "session");
    }
    Welcome: m => {
        id(&m.session, "session");
        at_most(&m.currency, 3, "currency");
        need(m.key_pepper.len() == 32, "key_pepper");
    }
    WatchRequest: m => { id(&m.session, "session"); }
    Invalidate: m => {
        need(m.key_hashes.len() <= MAX_INVALIDATED && m.key_hashes.iter().all(|h| h.len() == 32), "key_hashes");
        need(m.accounts.len() <= MAX_INVALIDATED && m.accounts.iter().all(|a| a.len() == 16), "accounts");
    }
    Recall: m => { id(&m.account, "account"); }
    Catalog: m => {
        each(&m.models, MAX_MODELS, "models");
        each(&m.channels, MAX_CHANNELS, "channels");
    }
    Model: m => {
        id(&m.id, "id");
        at_most(&m.name, MAX_NAME, "name");
        at_most(&m.owned_by, MAX_NAME, "owned_by");
        id(&m.price, "price");
        at_most(&m.price_json, MAX_JSON, "price_json");
        each(&m.routes, MAX_ROUTES, "routes");
        inner(m.next_price.as_ref());
    }
    Price: m => {
        id(&m.id, "id");
        at_most(&m.json, MAX_JSON, "json");
    }
    Route: m => {
        id(&m.channel, "channel");
        at_most(&m.upstream_model, MAX_NAME, "upstream_model");
    }
    Channel: m => {
        id(&m.id, "id");
        id(&m.provider, "provider");
        at_most(&m.provider_name, MAX_NAME, "provider_name");
        at_most(&m.base_url, MAX_URL, "base_url");
        each(&m.credentials, MAX_CREDENTIALS, "credentials");
    }
    Credential: m => {
        id(&m.id, "id");
        at_most(&m.secret, MAX_SECRET, "secret");
    }
    KeyRequest: m => {
        id(&m.session, "session");
        need(m.hash.len() == 32, "hash");
    }
    KeyReply: m => { inner(m.grant.as_ref()); }
    KeyGrant: m => {
        id(&m.key, "key");
        id(&m.account, "account");
        id(&m.group, "group");
        at_most(&m.key_limits_json, MAX_JSON, "key_limits_json");
        at_most(&m.account_limits_json, MAX_JSON, "account_limits_json");
        need(m.seal_key.len() == 32, "seal_key");
        each(&m.budgets, MAX_BUDGETS, "budgets");
    }
    SharedBudget: m => {
        id(&m.id, "id");
        need(m.per_day >= -1, "per_day");
        need(m.per_month >= -1, "per_month");
    }
    LeaseRequest: m => {
        id(&m.session, "session");
        id(&m.account, "account");
        need(m.need >= 0, "need");
        need(m.want >= m.need, "want");
        need(m.give_back >= 0, "give_back");
    }
    Events: m => {
        m.check_frame();
        each(&m.begun, MAX_EVENTS, "begun");
        each(&m.ended, MAX_EVENTS, "ended");
    }
    Begun: m => {
        need(m.call.is_some(), "call");
        need(m.key.is_some(), "key");
        need(m.account.is_some(), "account");
        need(m.group.is_some(), "group");
        need(m.group_multiplier_ppm >= 0, "group_multiplier_ppm");
        need(m.channel_multiplier_ppm >= 0, "channel_multiplier_ppm");
        need(m.reserved >= 0, "reserved");
    }
    Ended: m => {
        need(m.begun.is_some(), "begun");
        inner(m.begun.as_ref());
        need(m.http_status <= 999, "http_status");
        need(m.amount >= 0, "amount");
        need(m.first_byte_micros >= -1, "first_byte_micros");
        need(m.duration_micros >= 0, "duration_micros");
        at_most(&m.sealed_ip, MAX_SEALED, "sealed_ip");
        at_most(&m.sealed_user_agent, MAX_SEALED, "sealed_user_agent");
        each(&m.attempts, MAX_ATTEMPTS, "attempts");
    }
    Attempt: m => {
        need(m.channel.is_some(), "channel");
        need(m.http_status <= 999, "http_status");
    }
    CloseRequest: m => { id(&m.session, "session"); }
}

impl Checked for wire::Update {
    fn check(&self) -> Result<(), Refused> {
        use wire::update::Kind;
        match &self.kind {
            Some(Kind::Catalog(m)) => m.check(),
            Some(Kind::Invalidate(m)) => m.check(),
            Some(Kind::Recall(m)) => m.check(),
            Some(Kind::Tick(_)) => Ok(()),
            None => Err(Refused("kind")),
        }
    }
}

impl wire::Events {
    /// Whether the batch is within its bounds, whatever its events are: those can be checked one by one, so that one that
    /// is not does not keep the others from being taken.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check_frame(&self) -> Result<(), Refused> {
        id(&self.session, "session")?;
        need(self.batch > 0, "batch")?;
        need(self.begun.len().saturating_add(self.ended.len()) <= MAX_EVENTS, "events")
    }
}

/// An event that can be brought within its bounds, but for what it must have and has not: what is too large or too long
/// is left out, what is below its least is raised to it. A gateway does so before it sends an event that would be refused for
/// ever, a control plane before it keeps one that it cannot take.
pub trait Mend: Checked {
    /// Does it.
    fn mend(&mut self);
}

impl Mend for wire::Begun {
    fn mend(&mut self) {
        for number in [&mut self.group_multiplier_ppm, &mut self.channel_multiplier_ppm, &mut self.reserved] {
            *number = (*number).max(0);
        }
    }
}

impl Mend for wire::Ended {
    fn mend(&mut self) {
        if let Some(begun) = &mut self.begun {
            begun.mend();
        }
        for status in self.attempts.iter_mut().map(|a| &mut a.http_status).chain([&mut self.http_status]) {
            *status = if *status > 999 { 0 } else { *status };
        }
        self.amount = self.amount.max(0);
        self.first_byte_micros = self.first_byte_micros.max(-1);
        self.duration_micros = self.duration_micros.max(0);
        for seal in [&mut self.sealed_ip, &mut self.sealed_user_agent] {
            if seal.len() > MAX_SEALED {
                seal.clear();
            }
        }
        self.attempts.retain(|attempt| attempt.channel.is_some());
        self.attempts.truncate(MAX_ATTEMPTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_can_be_mended() {
        let id = Some(wire::Id { high: 1, low: 2 });
        let begun = wire::Begun { call: id, key: id, account: id, group: id, ..wire::Begun::default() };
        let good = wire::Ended { begun: Some(begun), first_byte_micros: -1, amount: 7, ..wire::Ended::default() };
        let mut same = good.clone();
        same.mend();
        assert_eq!(same, good);
        let attempt = wire::Attempt { channel: id, http_status: 1000, ..wire::Attempt::default() };
        let bad = [
            wire::Ended { begun: Some(wire::Begun { reserved: -1, ..begun }), ..good.clone() },
            wire::Ended { begun: Some(wire::Begun { group_multiplier_ppm: -1, ..begun }), ..good.clone() },
            wire::Ended { begun: Some(wire::Begun { channel_multiplier_ppm: -1, ..begun }), ..good.clone() },
            wire::Ended { http_status: 1000, ..good.clone() },
            wire::Ended { amount: -1, ..good.clone() },
            wire::Ended { first_byte_micros: -2, ..good.clone() },
            wire::Ended { duration_micros: -1, ..good.clone() },
            wire::Ended { sealed_ip: vec![0; MAX_SEALED + 1], ..good.clone() },
            wire::Ended { sealed_user_agent: vec![0; MAX_SEALED + 1], ..good.clone() },
            wire::Ended { attempts: vec![attempt; 2], ..good.clone() },
            wire::Ended { attempts: vec![wire::Attempt { channel: None, http_status: 1, ..attempt }], ..good.clone() },
            wire::Ended {
                attempts: vec![wire::Attempt { http_status: 1, ..attempt }; MAX_ATTEMPTS + 1],
                ..good.clone()
            },
        ];
        for mut event in bad {
            assert!(event.check().is_err(), "{event:?}");
            event.mend();
            assert_eq!(event.check(), Ok(()), "{event:?}");
        }
        let mut nameless = wire::Ended { begun: None, ..good };
        nameless.mend();
        assert_eq!(nameless.check(), Err(Refused("begun")));
    }
}

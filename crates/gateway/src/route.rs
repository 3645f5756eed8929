//! Which channel and which of its credentials a call tries next.

use crate::catalog::{Channel, Credential, Model, Route};
use crate::health::{Backoff, ChannelPlace};
use std::sync::Arc;
use tacit_kernel::Dialect;
use tacit_kernel::ids::{ChannelId, CredentialId};

/// What was tried already.
pub(crate) type Tried = Vec<(ChannelId, Option<CredentialId>)>;

/// A channel to try.
pub(crate) struct Pick<'a> {
    pub(crate) route: &'a Route,
    pub(crate) credential: &'a Credential,
    pub(crate) credential_backoff: Arc<Backoff>,
    pub(crate) place: ChannelPlace,
}

/// The next to try: of those that are well the highest priority, within it by weight. If none is well, one that is
/// backing off is tried all the same: it may have recovered, and there is nothing to lose. A channel of weight 0 is
/// drained: it gets nothing, whatever becomes of the others.
pub(crate) fn pick<'a>(model: &'a Model, dialect: Dialect, tried: &Tried, now: i64) -> Option<Pick<'a>> {
    [true, false].into_iter().find_map(|only_well| {
        let mut candidates: Vec<&Route> = model
            .routes
            .iter()
            .filter(|r| {
                r.channel.dialect == dialect
                    && r.channel.weight > 0
                    && (!only_well || r.channel.health.backoff.ready(now))
            })
            .collect();
        while let Some(at) = draw(&candidates) {
            let route = candidates.swap_remove(at);
            let channel = &route.channel;
            let Some((credential, credential_backoff)) = credential(channel, tried, only_well, now) else { continue };
            if let Some(place) = channel.health.enter(channel.max_concurrency) {
                return Some(Pick { route, credential, credential_backoff, place });
            }
        }
        None
    })
}

/// One of the highest priority, by weight.
fn draw(candidates: &[&Route]) -> Option<usize> {
    let highest = candidates.iter().map(|r| r.channel.priority).max()?;
    let weight = |r: &Route| if r.channel.priority == highest { u64::from(r.channel.weight) } else { 0 };
    let total: u64 = candidates.iter().map(|r| weight(r)).sum();
    let mut ticket = if candidates.len() == 1 { 0 } else { rand::random_range(0..total) };
    candidates.iter().position(|r| {
        let weight = weight(r);
        let hit = ticket < weight;
        ticket = ticket.saturating_sub(weight);
        hit
    })
}

fn credential<'a>(
    channel: &'a Channel,
    tried: &Tried,
    only_well: bool,
    now: i64,
) -> Option<(&'a Credential, Arc<Backoff>)> {
    let count = channel.credentials.len();
    let turn = if count > 1 { channel.health.turn() } else { 0 };
    (0..count).find_map(|i| {
        let credential = channel.credentials.get(turn.wrapping_add(i) % count)?;
        if tried.contains(&(channel.id, credential.id)) {
            return None;
        }
        let backoff = channel.health.credential(credential.id);
        (!only_well || backoff.ready(now)).then_some((credential, backoff))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use std::time::Duration;
    use tacit_link::wire;

    fn id(n: u128) -> Vec<u8> {
        n.to_be_bytes().to_vec()
    }

    fn channel(n: u128, priority: i32, weight: u32, credentials: &[u128]) -> wire::Channel {
        wire::Channel {
            id: id(n),
            provider: id(99),
            base_url: "http://127.0.0.1:1".into(),
            allow_private: true,
            priority,
            weight,
            credentials: credentials.iter().map(|c| wire::Credential { id: id(*c), secret: b"x".to_vec() }).collect(),
            ..Default::default()
        }
    }

    fn model(channels: Vec<wire::Channel>) -> Arc<Model> {
        let price = r#"{"per_call":"0","tiers":[{"above_input_tokens":0,"input":"1","output":"1"}]}"#;
        let routes = channels.iter().map(|c| wire::Route { channel: c.id.clone(), upstream_model: "m".into() });
        let model = wire::Model {
            id: id(1000),
            name: "m".into(),
            price: id(2000),
            price_json: price.into(),
            routes: routes.collect(),
            ..Default::default()
        };
        let message = wire::Catalog { version: 1, models: vec![model], channels };
        let (catalog, left_out) = catalog::compile(&message, &catalog::Catalog::default());
        assert_eq!(left_out, 0);
        Arc::clone(&catalog.list[0])
    }

    fn chosen(model: &Model, tried: &Tried) -> Option<(u128, u128)> {
        let pick = pick(model, Dialect::OpenAi, tried, 0)?;
        Some((pick.route.channel.id.0.as_u128(), pick.credential.id.unwrap().0.as_u128()))
    }

    #[test]
    fn priority_then_weight() {
        let m = model(vec![channel(1, 0, 1, &[10]), channel(2, 5, 1, &[20]), channel(3, 5, 3, &[30])]);
        let mut counts = [0; 4];
        for _ in 0..2000 {
            counts[usize::try_from(chosen(&m, &Vec::new()).unwrap().0).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((300..700).contains(&counts[2]), "{counts:?}");
        assert!(pick(&m, Dialect::Anthropic, &Vec::new(), 0).is_none());
    }

    #[test]
    fn what_fails_is_passed_over_until_nothing_else_is_left() {
        let m = model(vec![channel(1, 5, 1, &[10, 11]), channel(2, 0, 1, &[20])]);
        let first = &m.routes[0].channel;
        let back_off = |b: &Backoff| b.failure((0, 0), Duration::from_secs(1), Duration::from_secs(9), None);
        back_off(&first.health.credential(first.credentials[0].id));
        assert_eq!(chosen(&m, &Vec::new()), Some((1, 11)));
        back_off(&first.health.backoff);
        assert_eq!(chosen(&m, &Vec::new()), Some((2, 20)));
        back_off(&m.routes[1].channel.health.backoff);
        assert_eq!(chosen(&m, &Vec::new()).unwrap().0, 1);
        let tried = [(1, 10), (1, 11), (2, 20)];
        let tried: Tried = tried.map(|(c, k)| (ChannelId(u(c)), Some(CredentialId(u(k))))).into();
        assert_eq!(chosen(&m, &tried), None);
    }

    fn u(n: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(n)
    }

    #[test]
    fn a_channel_of_weight_0_is_drained() {
        let m = model(vec![channel(1, 5, 0, &[10]), channel(2, 5, 1, &[20]), channel(3, 9, 0, &[30])]);
        assert!((0..200).all(|_| chosen(&m, &Vec::new()) == Some((2, 20))));
        m.routes[1].channel.health.backoff.failure((0, 0), Duration::from_secs(1), Duration::from_secs(9), None);
        assert_eq!(chosen(&m, &Vec::new()), Some((2, 20)));
        assert_eq!(chosen(&model(vec![channel(1, 0, 0, &[10])]), &Vec::new()), None);
    }

    #[test]
    fn a_full_channel_is_passed_over() {
        let mut busy = channel(1, 5, 1, &[10]);
        busy.max_concurrency = 1;
        let m = model(vec![busy, channel(2, 0, 1, &[20])]);
        let held = pick(&m, Dialect::OpenAi, &Vec::new(), 0).unwrap();
        assert_eq!(chosen(&m, &Vec::new()), Some((2, 20)));
        drop(held);
        assert_eq!(chosen(&m, &Vec::new()), Some((1, 10)));
    }
}

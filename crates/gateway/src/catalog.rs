//! What can be called, compiled from the control plane's catalogue into the form the hot path reads: names looked up
//! by hash, prices parsed, request targets and credential headers built once.

use crate::health::ChannelHealth;
use http::Uri;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tacit_kernel::call::Endpoint;
use tacit_kernel::ids::{ChannelId, CredentialId, ModelId, PriceId, ProviderId};
use tacit_kernel::rating::Price;
use tacit_kernel::{Auth, Dialect, Ppm, Timestamp};
use tacit_link::{convert, wire};
use tacit_protocol::models::Listed;
use uuid::Uuid;

/// One state of everything that can be called; replaced as a whole.
#[derive(Default)]
pub(crate) struct Catalog {
    /// By registered name.
    pub(crate) models: HashMap<Box<str>, Arc<Model>>,
    /// In the order of the control plane.
    pub(crate) list: Vec<Arc<Model>>,
}

/// A model as registered here.
pub(crate) struct Model {
    pub(crate) id: ModelId,
    pub(crate) name: Arc<str>,
    owned_by: Arc<str>,
    created: Timestamp,
    /// 0: not known.
    pub(crate) max_output_tokens: u64,
    /// 0: not known.
    pub(crate) context_tokens: u64,
    price: Arc<PriceVersion>,
    next_price: Option<Arc<PriceVersion>>,
    pub(crate) routes: Vec<Route>,
}

impl Model {
    /// The price in force at that moment; an announced change takes effect by itself.
    pub(crate) fn price_at(&self, now: Timestamp) -> &Arc<PriceVersion> {
        self.next_price.as_ref().filter(|next| now >= next.effective_at).unwrap_or(&self.price)
    }

    /// As it is shown.
    pub(crate) fn listed(&self) -> Listed<'_> {
        Listed { name: &self.name, owned_by: &self.owned_by, created: self.created }
    }

    /// Whether any channel speaks that dialect.
    pub(crate) fn served_in(&self, dialect: Dialect) -> bool {
        self.routes.iter().any(|r| r.channel.dialect == dialect)
    }
}

/// A version of a price.
pub(crate) struct PriceVersion {
    pub(crate) id: PriceId,
    pub(crate) price: Price,
    effective_at: Timestamp,
}

/// One way to serve a model.
pub(crate) struct Route {
    pub(crate) channel: Arc<Channel>,
    /// What the provider calls the model; `None` where it is the registered name.
    pub(crate) upstream_model: Arc<str>,
}

/// One way to a provider.
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) provider: ProviderId,
    pub(crate) provider_name: Arc<str>,
    pub(crate) dialect: Dialect,
    pub(crate) allow_private: bool,
    pub(crate) priority: i32,
    pub(crate) weight: u32,
    pub(crate) multiplier: Ppm,
    pub(crate) max_concurrency: u32,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) health: Arc<ChannelHealth>,
    targets: [Option<Uri>; 4],
}

/// A provider credential, ready to be sent.
pub(crate) struct Credential {
    pub(crate) id: Option<CredentialId>,
    /// Header and value (marked sensitive); none for a provider that wants none.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

/// Endpoints that are relayed, in the order of [`Channel::targets`].
const RELAYED: [Endpoint; 4] =
    [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Messages];

impl Channel {
    /// Where a call of that endpoint goes.
    pub(crate) fn target(&self, endpoint: Endpoint) -> Option<&Uri> {
        let at = RELAYED.iter().position(|e| *e == endpoint)?;
        self.targets.get(at)?.as_ref()
    }
}

/// Builds the state from the control plane's message. Health of a channel and its credentials outlives the change.
/// What cannot be understood is left out and counted, so that one bad row does not stop the rest.
pub(crate) fn compile(message: &wire::Catalog, before: &Catalog) -> (Catalog, usize) {
    let old: HashMap<ChannelId, &Arc<Channel>> =
        before.list.iter().flat_map(|m| &m.routes).map(|r| (r.channel.id, &r.channel)).collect();
    let mut left_out = 0;
    let mut channels: HashMap<ChannelId, Arc<Channel>> = HashMap::new();
    for channel in &message.channels {
        match compile_channel(channel, &old) {
            Some(channel) => {
                channels.insert(channel.id, Arc::new(channel));
            }
            None => left_out += 1,
        }
    }
    let mut catalog = Catalog::default();
    for model in &message.models {
        match compile_model(model, &channels) {
            Some(model) => {
                let model = Arc::new(model);
                catalog.models.insert(Box::from(&*model.name), Arc::clone(&model));
                catalog.list.push(model);
            }
            None => left_out += 1,
        }
    }
    (catalog, left_out)
}

fn id(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

fn compile_model(model: &wire::Model, channels: &HashMap<ChannelId, Arc<Channel>>) -> Option<Model> {
    let price = |id: Uuid, json: &str, effective_at: i64| {
        let price = serde_json::from_str(json).ok()?;
        Some(Arc::new(PriceVersion { id: PriceId(id), price, effective_at: Timestamp(effective_at) }))
    };
    let next_price = match &model.next_price {
        Some(next) => Some(price(id(&next.id)?, &next.json, next.effective_at)?),
        None => None,
    };
    let routes = model.routes.iter().filter_map(|route| {
        let channel = channels.get(&ChannelId(id(&route.channel)?))?;
        Some(Route { channel: Arc::clone(channel), upstream_model: Arc::from(route.upstream_model.as_str()) })
    });
    Some(Model {
        id: ModelId(id(&model.id)?),
        name: Arc::from(model.name.as_str()),
        owned_by: Arc::from(model.owned_by.as_str()),
        created: Timestamp(model.created),
        max_output_tokens: model.max_output_tokens,
        context_tokens: model.context_tokens,
        price: price(id(&model.price)?, &model.price_json, 0)?,
        next_price,
        routes: routes.collect(),
    })
}

fn compile_channel(channel: &wire::Channel, old: &HashMap<ChannelId, &Arc<Channel>>) -> Option<Channel> {
    let channel_id = ChannelId(id(&channel.id)?);
    let (dialect, auth) = (convert::dialect(channel.dialect).ok()?, convert::auth(channel.auth).ok()?);
    let base: Uri = channel.base_url.parse().ok()?;
    let (scheme, authority) = (base.scheme()?, base.authority()?);
    if scheme != &Scheme::HTTP && scheme != &Scheme::HTTPS {
        return None;
    }
    // An address in the URL is never resolved, so it is looked at here.
    let literal = authority.host().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|address| !channel.allow_private && !tacit_kernel::addresses::is_public(address)) {
        return None;
    }
    let credentials: Vec<Credential> = if auth == Auth::None {
        vec![Credential { id: None, header: None }]
    } else {
        channel.credentials.iter().filter_map(|c| compile_credential(auth, c)).collect()
    };
    let health = old.get(&channel_id).map_or_else(Arc::default, |c| Arc::clone(&c.health));
    Some(Channel {
        id: channel_id,
        provider: ProviderId(id(&channel.provider)?),
        provider_name: Arc::from(channel.provider_name.as_str()),
        dialect,
        allow_private: channel.allow_private,
        priority: channel.priority,
        weight: channel.weight,
        multiplier: Ppm(channel.multiplier_ppm),
        max_concurrency: channel.max_concurrency,
        credentials,
        health,
        targets: RELAYED.map(|endpoint| target(scheme, authority, base.path(), dialect, endpoint)),
    })
}

fn compile_credential(auth: Auth, credential: &wire::Credential) -> Option<Credential> {
    let secret = credential.secret.as_slice();
    let (name, value) = match auth {
        Auth::Bearer => (AUTHORIZATION, HeaderValue::from_bytes(&[b"Bearer ", secret].concat())),
        Auth::XApiKey => (HeaderName::from_static("x-api-key"), HeaderValue::from_bytes(secret)),
        Auth::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), HeaderValue::from_bytes(secret)),
        Auth::None => return None,
    };
    let mut value = value.ok()?;
    value.set_sensitive(true);
    Some(Credential { id: Some(CredentialId(id(&credential.id)?)), header: Some((name, value)) })
}

/// The base URL is written as the provider's own SDK wants it: OpenAI's ends with the version (`…/v1`), Anthropic's
/// does not. A base without a path gets `/v1` in both dialects; a base of the Anthropic dialect that ends with `/v1`
/// does not get it twice.
fn target(scheme: &Scheme, authority: &Authority, base: &str, dialect: Dialect, endpoint: Endpoint) -> Option<Uri> {
    let of_dialect = if endpoint == Endpoint::Messages { Dialect::Anthropic } else { Dialect::OpenAi };
    if of_dialect != dialect {
        return None;
    }
    let base = base.trim_end_matches('/');
    let path = endpoint.as_str();
    let path = match dialect {
        Dialect::OpenAi if base.is_empty() => path.to_owned(),
        Dialect::OpenAi => format!("{base}{}", path.trim_start_matches("/v1")),
        Dialect::Anthropic => format!("{}{path}", base.trim_end_matches("/v1")),
    };
    let path: PathAndQuery = path.parse().ok()?;
    Uri::builder().scheme(scheme.clone()).authority(authority.clone()).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_follow_the_sdks() {
        let cases = [
            ("https://api.openai.com/v1", Dialect::OpenAi, Endpoint::ChatCompletions, "/v1/chat/completions"),
            ("http://127.0.0.1:9", Dialect::OpenAi, Endpoint::Embeddings, "/v1/embeddings"),
            ("https://a.example/api/paas/v4/", Dialect::OpenAi, Endpoint::Completions, "/api/paas/v4/completions"),
            ("https://api.anthropic.com", Dialect::Anthropic, Endpoint::Messages, "/v1/messages"),
            ("https://api.anthropic.com/v1", Dialect::Anthropic, Endpoint::Messages, "/v1/messages"),
            ("https://a.example/anthropic", Dialect::Anthropic, Endpoint::Messages, "/anthropic/v1/messages"),
        ];
        for (base, dialect, endpoint, want) in cases {
            let base: Uri = base.parse().unwrap();
            let got = target(base.scheme().unwrap(), base.authority().unwrap(), base.path(), dialect, endpoint);
            assert_eq!(got.unwrap().path(), want);
        }
        let base: Uri = "https://a.example".parse().unwrap();
        let (scheme, authority) = (base.scheme().unwrap(), base.authority().unwrap());
        assert!(target(scheme, authority, "/", Dialect::OpenAi, Endpoint::Messages).is_none());
    }

    fn message(base_url: &str, allow_private: bool) -> wire::Channel {
        wire::Channel {
            id: Uuid::from_u128(1).as_bytes().to_vec(),
            provider: Uuid::from_u128(2).as_bytes().to_vec(),
            base_url: base_url.into(),
            allow_private,
            ..wire::Channel::default()
        }
    }

    #[test]
    fn addresses_that_are_not_public_need_the_operators_word() {
        let none = HashMap::new();
        for url in ["http://127.0.0.1:1", "http://[::1]/v1", "http://169.254.169.254/v1", "http://[::ffff:10.0.0.1]/"] {
            assert!(compile_channel(&message(url, false), &none).is_none(), "{url}");
            assert!(compile_channel(&message(url, true), &none).is_some(), "{url}");
        }
        assert!(compile_channel(&message("http://8.8.8.8/v1", false), &none).is_some());
        assert!(compile_channel(&message("file:///etc/passwd", true), &none).is_none());
    }
}

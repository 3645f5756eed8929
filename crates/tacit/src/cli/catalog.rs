//! `tacit provider|channel|model|price`.

use super::{Session, Usage, read_secret};
use crate::output::Row;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tacit_api::admin::channels::{Channel, ChannelModel, ChannelPatch, NewChannel, NewCredential};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Moment, Status};
use tacit_api::admin::models::{Model, ModelPatch, NewModel};
use tacit_api::admin::prices::{NewPrice, Price, PriceQuery};
use tacit_api::admin::providers::{Auth, NewProvider, Provider, ProviderPatch};
use tacit_kernel::rating::{Rates, Tier};
use tacit_kernel::{Dialect, Nano, Ppm, Timestamp, rating};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DialectWord {
    Openai,
    Anthropic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AuthWord {
    Bearer,
    XApiKey,
    XGoogApiKey,
    None,
}

impl From<AuthWord> for Auth {
    fn from(word: AuthWord) -> Self {
        match word {
            AuthWord::Bearer => Self::Bearer,
            AuthWord::XApiKey => Self::XApiKey,
            AuthWord::XGoogApiKey => Self::XGoogApiKey,
            AuthWord::None => Self::None,
        }
    }
}

/// Names a thing.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its name or id.
    #[arg(value_name = "NAME")]
    pub(crate) reference: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Add a provider.
    Add {
        name: String,
        /// What it speaks.
        #[arg(long)]
        dialect: DialectWord,
        /// As the provider's own SDK is given it: https://api.openai.com/v1, https://api.anthropic.com
        #[arg(long, value_name = "URL")]
        base_url: String,
        /// How it wants its credential; by default what the dialect's inventor uses.
        #[arg(long)]
        auth: Option<AuthWord>,
        /// Allow a host in a private address range.
        #[arg(long)]
        allow_private: bool,
    },
    /// List providers.
    List,
    /// Show one.
    Show(Which),
    /// Change one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        #[arg(long)]
        auth: Option<AuthWord>,
        #[arg(long, value_name = "true|false")]
        allow_private: Option<bool>,
    },
    /// Take one out of use.
    Disable(Which),
    /// Put one in use again.
    Enable(Which),
}

#[derive(Debug, Args)]
pub(crate) struct ChannelOptions {
    /// Higher is tried first.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Share among channels of the same priority.
    #[arg(long)]
    weight: Option<u32>,
    /// Applied to every charge.
    #[arg(long)]
    multiplier: Option<Ppm>,
    /// Calls at the same time at most; 0 for no limit.
    #[arg(long, value_name = "N")]
    max_concurrency: Option<u32>,
    /// A model it serves, or MODEL=WHAT-THE-PROVIDER-CALLS-IT; may be repeated.
    #[arg(long = "model", value_name = "MODEL[=UPSTREAM]")]
    models: Vec<String>,
    /// Name of the credential given with --secret-env or --secret-file.
    #[arg(long, value_name = "NAME", default_value = "main")]
    credential: String,
    /// The environment variable that holds the provider's credential.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// The file that holds it (mode 0600); - for standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl ChannelOptions {
    fn models(&self) -> Vec<ChannelModel> {
        self.models
            .iter()
            .map(|text| {
                let (model, upstream) = text.split_once('=').unwrap_or((text, text));
                ChannelModel { model: model.to_owned(), upstream_model: upstream.to_owned() }
            })
            .collect()
    }

    fn credentials(&self) -> anyhow::Result<Vec<NewCredential>> {
        let secret = read_secret(self.secret_env.as_deref(), self.secret_file.as_deref())?;
        Ok(secret.into_iter().map(|secret| NewCredential { name: self.credential.clone(), secret }).collect())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Add a channel.
    Add {
        name: String,
        /// The provider, by name or id.
        #[arg(long)]
        provider: String,
        #[command(flatten)]
        options: ChannelOptions,
    },
    /// List channels.
    List,
    /// Show one.
    Show(Which),
    /// Change one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        options: ChannelOptions,
        /// A model to take away; may be repeated.
        #[arg(long, value_name = "MODEL")]
        remove_model: Vec<String>,
        /// A credential to take away; may be repeated.
        #[arg(long, value_name = "NAME")]
        remove_credential: Vec<String>,
    },
    /// Take one out of use.
    Disable(Which),
    /// Put one in use again.
    Enable(Which),
}

#[derive(Debug, Args)]
pub(crate) struct ModelOptions {
    /// Who made it; shown in the list of models.
    #[arg(long)]
    owned_by: Option<String>,
    /// Context length.
    #[arg(long, value_name = "N")]
    context_tokens: Option<u64>,
    /// Longest answer.
    #[arg(long, value_name = "N")]
    max_output_tokens: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Add a model.
    Add {
        name: String,
        #[command(flatten)]
        options: ModelOptions,
    },
    /// List models.
    List,
    /// Show one.
    Show(Which),
    /// Change one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        options: ModelOptions,
    },
    /// Take one out of use.
    Disable(Which),
    /// Put one in use again.
    Enable(Which),
}

#[derive(Debug, Args)]
pub(crate) struct PriceOptions {
    /// Currency per million input tokens.
    #[arg(long, value_name = "RATE", required_unless_present = "price_json")]
    input: Option<Nano>,
    /// Per million output tokens.
    #[arg(long, value_name = "RATE", required_unless_present = "price_json")]
    output: Option<Nano>,
    /// Per million tokens read from the cache.
    #[arg(long, value_name = "RATE")]
    cache_read: Option<Nano>,
    /// Per million tokens written to the cache for five minutes.
    #[arg(long = "cache-write-5m", value_name = "RATE")]
    cache_write_5m: Option<Nano>,
    /// … for an hour.
    #[arg(long = "cache-write-1h", value_name = "RATE")]
    cache_write_1h: Option<Nano>,
    /// Per million tokens of audio input.
    #[arg(long, value_name = "RATE")]
    audio_input: Option<Nano>,
    /// Per million tokens of image input.
    #[arg(long, value_name = "RATE")]
    image_input: Option<Nano>,
    /// Per million reasoning tokens.
    #[arg(long, value_name = "RATE")]
    reasoning: Option<Nano>,
    /// Per million tokens of audio output.
    #[arg(long, value_name = "RATE")]
    audio_output: Option<Nano>,
    /// Per call.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    per_call: Nano,
    /// The whole price as JSON, for prices with tiers by context length.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["input", "output"])]
    price_json: Option<String>,
}

impl PriceOptions {
    fn price(self) -> anyhow::Result<rating::Price> {
        if let Some(json) = self.price_json {
            return serde_json::from_str(&json).map_err(|e| Usage(format!("--price-json: {e}")).into());
        }
        let rates = Rates {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
            cache_read: self.cache_read,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            audio_input: self.audio_input,
            image_input: self.image_input,
            reasoning: self.reasoning,
            audio_output: self.audio_output,
        };
        let tiers = vec![Tier { above_input_tokens: 0, rates }];
        rating::Price::new(self.per_call, tiers).map_err(|e| Usage(e.to_string()).into())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PriceCommand {
    /// Give a model a new version of its price.
    Set {
        /// The model, by name or id.
        model: String,
        #[command(flatten)]
        options: Box<PriceOptions>,
        /// From when it holds; now if not given.
        #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
        effective_at: Option<Timestamp>,
    },
    /// List prices with their versions.
    List {
        /// Of this model only.
        #[arg(long)]
        model: Option<String>,
    },
}

impl Row for Provider {
    const HEAD: &'static [&'static str] = &["name", "dialect", "base url", "auth", "private", "status", "id"];

    fn cells(&self) -> Vec<String> {
        let auth = serde_json::to_value(self.auth).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let private = if self.allow_private { "yes" } else { "no" };
        vec![
            self.name.clone(),
            self.dialect.as_str().into(),
            self.base_url.clone(),
            auth,
            private.into(),
            self.status.as_str().into(),
            self.id.to_string(),
        ]
    }
}

impl Row for Channel {
    const HEAD: &'static [&'static str] =
        &["name", "provider", "priority", "weight", "multiplier", "models", "credentials", "status", "id"];

    fn cells(&self) -> Vec<String> {
        let models: Vec<&str> = self.models.iter().map(|m| m.model.as_str()).collect();
        vec![
            self.name.clone(),
            self.provider.clone(),
            self.priority.to_string(),
            self.weight.to_string(),
            self.multiplier.to_string(),
            models.join(","),
            self.credentials.len().to_string(),
            self.status.as_str().into(),
            self.id.to_string(),
        ]
    }
}

impl Row for Model {
    const HEAD: &'static [&'static str] = &["name", "owned by", "context", "max output", "status", "id"];

    fn cells(&self) -> Vec<String> {
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        vec![
            self.name.clone(),
            self.owned_by.clone(),
            number(self.context_tokens),
            number(self.max_output_tokens),
            self.status.as_str().into(),
            self.id.to_string(),
        ]
    }
}

impl Row for Price {
    const HEAD: &'static [&'static str] = &["model", "version", "effective at", "price", "id"];

    fn cells(&self) -> Vec<String> {
        let price = serde_json::to_string(&self.price).unwrap_or_default();
        vec![self.model.clone(), self.version.to_string(), self.effective_at.to_string(), price, self.id.to_string()]
    }
}

pub(crate) async fn provider(s: &Session, command: ProviderCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/providers/{}", escaped(&w.reference));
    let patched: Provider = match command {
        ProviderCommand::List => return s.out.list(&s.client.get::<Vec<Provider>>("/v1/providers").await?),
        ProviderCommand::Show(which) => s.client.get(&path(&which)).await?,
        ProviderCommand::Add { name, dialect, base_url, auth, allow_private } => {
            let dialect = match dialect {
                DialectWord::Openai => Dialect::OpenAi,
                DialectWord::Anthropic => Dialect::Anthropic,
            };
            let new = NewProvider { name, dialect, base_url, auth: auth.map(Auth::from), allow_private };
            s.client.post("/v1/providers", &new).await?
        }
        ProviderCommand::Update { which, base_url, auth, allow_private } => {
            let patch = ProviderPatch { base_url, auth: auth.map(Auth::from), allow_private, status: None };
            s.client.patch(&path(&which), &patch).await?
        }
        ProviderCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        ProviderCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
    };
    s.out.one(&patched)
}

/// A patch that changes the status only; every patch has that field.
pub(crate) fn status(status: Status) -> serde_json::Value {
    serde_json::json!({ "status": status })
}

pub(crate) async fn channel(s: &Session, command: ChannelCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/channels/{}", escaped(&w.reference));
    let shown: Channel = match command {
        ChannelCommand::List => return s.out.list(&s.client.get::<Vec<Channel>>("/v1/channels").await?),
        ChannelCommand::Show(which) => s.client.get(&path(&which)).await?,
        ChannelCommand::Add { name, provider, options } => {
            let new = NewChannel {
                name,
                provider,
                priority: options.priority.unwrap_or(0),
                weight: options.weight.unwrap_or(1),
                multiplier: options.multiplier.unwrap_or(Ppm::ONE),
                max_concurrency: options.max_concurrency.filter(|n| *n > 0),
                models: options.models(),
                credentials: options.credentials()?,
            };
            s.client.post("/v1/channels", &new).await?
        }
        ChannelCommand::Update { which, options, remove_model, remove_credential } => {
            let patch = ChannelPatch {
                priority: options.priority,
                weight: options.weight,
                multiplier: options.multiplier,
                max_concurrency: options.max_concurrency,
                status: None,
                add_models: options.models(),
                remove_models: remove_model,
                add_credentials: options.credentials()?,
                remove_credentials: remove_credential,
            };
            s.client.patch(&path(&which), &patch).await?
        }
        ChannelCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        ChannelCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
    };
    s.out.one(&shown)
}

pub(crate) async fn model(s: &Session, command: ModelCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/models/{}", escaped(&w.reference));
    let shown: Model = match command {
        ModelCommand::List => return s.out.list(&s.client.get::<Vec<Model>>("/v1/models").await?),
        ModelCommand::Show(which) => s.client.get(&path(&which)).await?,
        ModelCommand::Add { name, options } => {
            let new = NewModel {
                name,
                owned_by: options.owned_by.unwrap_or_default(),
                context_tokens: options.context_tokens,
                max_output_tokens: options.max_output_tokens,
            };
            s.client.post("/v1/models", &new).await?
        }
        ModelCommand::Update { which, options } => {
            let patch = ModelPatch {
                owned_by: options.owned_by,
                context_tokens: options.context_tokens,
                max_output_tokens: options.max_output_tokens,
                status: None,
            };
            s.client.patch(&path(&which), &patch).await?
        }
        ModelCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        ModelCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
    };
    s.out.one(&shown)
}

pub(crate) async fn price(s: &Session, command: PriceCommand) -> anyhow::Result<()> {
    match command {
        PriceCommand::Set { model, options, effective_at } => {
            let new = NewPrice { model, price: options.price()?, effective_at: effective_at.map(Moment) };
            s.out.one(&s.client.post::<Price>("/v1/prices", &new).await?)
        }
        PriceCommand::List { model } => {
            let query = query(&PriceQuery { model })?;
            s.out.list(&s.client.get::<Vec<Price>>(&format!("/v1/prices{query}")).await?)
        }
    }
}

/// A query string, with its question mark, of the fields that are set.
pub(crate) fn query(of: &impl serde::Serialize) -> anyhow::Result<String> {
    let mut parts = Vec::new();
    if let serde_json::Value::Object(map) = serde_json::to_value(of)? {
        for (name, value) in map {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => parts.push(format!("{name}={}", escaped(&text))),
                other => parts.push(format!("{name}={}", escaped(&other.to_string()))),
            }
        }
    }
    Ok(if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) })
}

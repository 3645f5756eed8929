//! What the profile development adds to a platform: the practice provider with models and prices, a demo account with
//! credit and a key. Everything goes through the admin socket, as an operator would do it, and can be done again.

use crate::config::source::{read_private, write_private};
use crate::config::{Config, Profile};
use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::time::Duration;
use tacit_api::admin::client::AdminClient;
use tacit_api::admin::forms::{Page, Secret, Status};
use tacit_api::admin::keys::{CreatedKey, Key, NewKey};
use tacit_api::admin::status::PlatformStatus;
use tacit_api::admin::wallets::{Moved, Movement, NewMovement};
use tacit_api::platform_file::{Applied, ApplyRequest, Secrets};
use tacit_kernel::Nano;
use tacit_kernel::call::CallSource;
use tacit_kernel::limits::Limits;

/// Name of the demo account.
pub(crate) const ACCOUNT: &str = "demo";
/// What it is given.
const CREDIT: Nano = Nano(10 * Nano::UNIT);
/// How long the platform may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is declared of the practice provider. Rates are made up, in the range of what providers ask.
const PLATFORM: &str = r#"
[groups.default]
multiplier = "1"

[providers.practice-openai]
dialect = "openai"
base_url = "{practice}/v1"
allow_private = true

[providers.practice-anthropic]
dialect = "anthropic"
base_url = "{practice}"
allow_private = true

[models.practice-small]
owned_by = "practice"
context_tokens = 200000
max_output_tokens = 8192
price = { tiers = [{ above_input_tokens = 0, input = "0.25", output = "1.25", cache_read = "0.025" }] }

[models.practice-large]
owned_by = "practice"
context_tokens = 1000000
max_output_tokens = 32768
price = { tiers = [
  { above_input_tokens = 0, input = "3", output = "15", cache_read = "0.3", cache_write_5m = "3.75", cache_write_1h = "6" },
  { above_input_tokens = 200000, input = "6", output = "22.5", cache_read = "0.6", cache_write_5m = "7.5", cache_write_1h = "12" },
] }

[models.practice-embed]
owned_by = "practice"
context_tokens = 8192
price = { tiers = [{ above_input_tokens = 0, input = "0.02", output = "0" }] }

[channels.practice-openai]
provider = "practice-openai"
models = { practice-small = "practice-chat", practice-large = "practice-chat", practice-embed = "practice-embed" }
credentials = { main = { env = "PRACTICE" } }

[channels.practice-anthropic]
provider = "practice-anthropic"
models = { practice-small = "practice-claude", practice-large = "practice-claude" }
credentials = { main = { env = "PRACTICE" } }

[accounts.demo]
group = "default"
"#;

/// Waits until the platform serves, declares all of it, and tells how to use it.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<String> {
    let client = AdminClient::new(&config.control.admin_socket);
    ready(&client).await?;
    let key = declare(config, &client).await?;
    Ok(banner(config, &key))
}

/// Waits for the control plane and for a gateway.
pub(crate) async fn ready(client: &AdminClient) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let why = match client.get::<PlatformStatus>("/v1/status").await {
            Ok(status) if !status.gateways.is_empty() => return Ok(()),
            Ok(_) => "no gateway has connected".to_owned(),
            Err(e) => e.to_string(),
        };
        anyhow::ensure!(tokio::time::Instant::now() < until, "the platform did not come up in time: {why}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Declares provider, models, prices and the demo account; gives the demo key.
pub(crate) async fn declare(config: &Config, client: &AdminClient) -> anyhow::Result<SecretString> {
    anyhow::ensure!(
        config.profile == Profile::Development,
        "the practice provider is for the profile development only"
    );
    let file = PLATFORM.replace("{practice}", &format!("http://{}", config.practice.listen));
    // Any credential will do: the practice provider only asks that there is one.
    let secrets = Secrets::from([("env:PRACTICE".to_owned(), Secret("practice".to_owned().into()))]);
    client.post::<Applied>("/v1/platform/apply", &ApplyRequest { file, secrets, prune: false }).await?;
    let credit =
        NewMovement { kind: Movement::Grant, amount: CREDIT, idempotency_key: "development-demo-credit".into() };
    client.post::<Moved>(&format!("/v1/accounts/{ACCOUNT}/wallet"), &credit).await?;
    demo_key(config, client).await
}

fn key_file(config: &Config) -> PathBuf {
    config.data_dir.join("demo.key")
}

/// The demo key: the one in its file, as long as the account has it; else a new one.
async fn demo_key(config: &Config, client: &AdminClient) -> anyhow::Result<SecretString> {
    let path = key_file(config);
    let known: Page<Key> = client.get(&format!("/v1/keys?account={ACCOUNT}&limit=500")).await?;
    if path.exists() {
        let kept = read_private(&path)?;
        let hint = tacit_kernel::keytext::hint(&kept);
        if known.items.iter().any(|k| k.hint == hint && k.status == Status::Active) {
            return Ok(kept);
        }
        // The file is of another database, or its key was disabled.
        std::fs::remove_file(&path)?;
    }
    let name = format!("demo-{}", known.items.len() + 1);
    let new = NewKey { account: ACCOUNT.into(), name, source: CallSource::Api, limits: Limits::default() };
    let created: CreatedKey = client.post("/v1/keys", &new).await?;
    write_private(&path, created.secret.0.expose_secret())
        .with_context(|| format!("the demo key cannot be written to {}", path.display()))?;
    Ok(created.secret.0)
}

/// How to make a first call.
fn banner(config: &Config, key: &SecretString) -> String {
    let scheme = if config.gateway.tls_cert.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", config.gateway.listen);
    let key = key.expose_secret();
    format!(
        r#"
Tacit runs at {url} with the practice provider: no account anywhere is needed.
Demo key (kept in {file}): {key}

curl:
  curl -N {url}/v1/chat/completions -H 'authorization: Bearer {key}' -H 'content-type: application/json' \
    -d '{{"model":"practice-small","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'

OpenAI SDK (Python):
  OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key} python3 -c 'import openai
for e in openai.OpenAI().chat.completions.create(model="practice-small", stream=True, messages=[{{"role":"user","content":"Hello"}}]):
    print(e.choices[0].delta.content or "" if e.choices else "", end="", flush=True)'

Claude Code:
  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={key} ANTHROPIC_MODEL=practice-large claude

Look at what was recorded:
  tacit --profile development --data-dir {dir} calls list
"#,
        file = key_file(config).display(),
        dir = config.data_dir.display(),
    )
}

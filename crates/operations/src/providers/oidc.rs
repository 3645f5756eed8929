//! OpenID Connect: discovery, which is kept for an hour, the code flow with PKCE (S256) and nonce, and the ID token, whose
//! issuer, audience, time, nonce and signature are judged by the library.

use super::Returned;
use super::model::{Person, Preset, ProviderError, ProviderSettings, Started};
use super::web::Web;
use oauth2::{AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata,
};
use openidconnect::{
    ClaimsVerificationError, ClientId, ClientSecret, IssuerUrl, Nonce, Scope, SignatureVerificationError,
    TokenResponse as _,
};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use tacit_kernel::{Clock, Personal, Timestamp};
use tokio::sync::Mutex;

const GOOGLE: &str = "https://accounts.google.com";
const SECOND: i64 = 1_000_000;
/// How long what a provider says of itself is believed, in microseconds.
const KNOWN: i64 = 3600 * SECOND;
/// Keys that are not there are looked for again no more often than this.
const AGAIN: i64 = 60 * SECOND;
/// A provider that failed is not asked again for so long: who waited for the one that asked is told at once, and so is who comes
/// a moment later.
const FAILED: i64 = 5 * SECOND;
/// With keys that are public: nobody who knows the client's secret can sign.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

pub(super) struct OpenId {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: SecretString,
    redirect: RedirectUrl,
    web: Web,
    clock: Arc<dyn Clock>,
    learnt: Mutex<Learnt>,
}

/// What a provider said of itself, and how it last failed to.
#[derive(Default)]
struct Learnt {
    known: Option<(Timestamp, Arc<CoreProviderMetadata>)>,
    failed: Option<(Timestamp, ProviderError)>,
}

/// A client with what discovery has told.
macro_rules! client {
    ($of:expr, $metadata:expr) => {{
        let secret = ClientSecret::new($of.client_secret.expose_secret().to_owned());
        CoreClient::from_provider_metadata(($metadata).clone(), $of.client_id.clone(), Some(secret))
            .set_redirect_uri($of.redirect.clone())
    }};
}

impl OpenId {
    pub(super) fn new(
        settings: &ProviderSettings,
        redirect: String,
        web: Web,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let issuer = match (settings.preset, &settings.issuer) {
            (Preset::Google, None) => GOOGLE.to_owned(),
            (Preset::Google, Some(_)) => {
                return Err(
                    "issuer: the preset \"google\" has its own; leave it out, or use the preset \"oidc\"".into()
                );
            }
            (_, Some(issuer)) => issuer.clone(),
            (_, None) => return Err("issuer: the preset \"oidc\" needs one".into()),
        };
        super::web::address(Some(&issuer), "", "issuer")?;
        Ok(Self {
            issuer: IssuerUrl::new(issuer).map_err(|_| "issuer is no URL".to_owned())?,
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: settings.client_secret.clone(),
            redirect: RedirectUrl::new(redirect).map_err(|_| "console.url is no URL".to_owned())?,
            web,
            clock,
            learnt: Mutex::default(),
        })
    }

    /// What the provider says of itself, no older than that.
    async fn metadata(&self, within: i64) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        // Held while it is asked: one asks, and the others wait for what it learns.
        let mut learnt = self.learnt.lock().await;
        let now = self.clock.now();
        if let Some((at, metadata)) = learnt.known.as_ref()
            && now.micros_since(*at) < within
        {
            return Ok(metadata.clone());
        }
        if let Some((at, failed)) = learnt.failed
            && now.micros_since(at) < FAILED
        {
            return Err(failed);
        }
        // That the document tells this very issuer is checked there.
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.web).await;
        let found = found.map(Arc::new).map_err(|error| match error {
            openidconnect::DiscoveryError::Validation(_) => ProviderError::Untrue,
            _ => ProviderError::Unreachable,
        });
        match &found {
            Ok(metadata) => (learnt.known, learnt.failed) = (Some((now, metadata.clone())), None),
            // From when it failed, which may be long after it was asked.
            Err(error) => learnt.failed = Some((self.clock.now(), *error)),
        }
        found
    }

    pub(super) async fn start(&self, state: &str) -> Result<Started, ProviderError> {
        let metadata = self.metadata(KNOWN).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = CsrfToken::new(state.to_owned());
        let client = client!(self, *metadata);
        let (url, _, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, Nonce::new_random)
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Started {
            url: url.into(),
            nonce: SecretString::from(nonce.secret().to_owned()),
            verifier: SecretString::from(verifier.into_secret()),
        })
    }

    pub(super) async fn finish(&self, returned: &Returned<'_>) -> Result<Person, ProviderError> {
        // RFC 9207: a code of another issuer is not redeemed here.
        if returned.issuer.is_some_and(|issuer| issuer != self.issuer.as_str()) {
            return Err(ProviderError::Untrue);
        }
        let metadata = self.metadata(KNOWN).await?;
        let client = client!(self, *metadata);
        let redeem = client
            .exchange_code(AuthorizationCode::new(returned.code.to_owned()))
            .map_err(|_| ProviderError::Untrue)?
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier.to_owned()));
        let tokens = redeem.request_async(&self.web).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(_) => ProviderError::Refused,
            RequestTokenError::Request(_) => ProviderError::Unreachable,
            _ => ProviderError::Untrue,
        })?;
        let token = tokens.id_token().ok_or(ProviderError::Untrue)?;
        match self.judged(token, &metadata, returned.nonce) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                // Its keys may have changed since.
                let metadata = self.metadata(AGAIN).await?;
                self.judged(token, &metadata, returned.nonce).map_err(|_| ProviderError::Untrue)
            }
            judged => judged.map_err(|_| ProviderError::Untrue),
        }
    }

    fn judged(
        &self,
        token: &CoreIdToken,
        metadata: &CoreProviderMetadata,
        nonce: &str,
    ) -> Result<Person, ClaimsVerificationError> {
        let client = client!(self, *metadata);
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;
        let shown = claims.email().map(|email| email.as_str()).unwrap_or_default();
        Ok(Person {
            subject: Personal::new(claims.subject().as_str().to_owned()),
            also: None,
            shown: Personal::new(shown.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tacit_kernel::time::ManualClock;

    /// A provider that takes a moment and then breaks off, and how often it was asked.
    async fn broken() -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                drop(connection);
            }
        });
        (issuer, asked)
    }

    #[tokio::test]
    async fn a_provider_that_fails_is_asked_once_for_all_and_left_alone_for_a_moment() {
        let (issuer, asked) = broken().await;
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
        let settings = ProviderSettings {
            id: "test".into(),
            preset: Preset::Oidc,
            client_id: "test".into(),
            client_secret: SecretString::from("test"),
            name_en: String::new(),
            name_zh: String::new(),
            issuer: Some(issuer),
            authorize_url: None,
            token_url: None,
            user_url: None,
            allow_private: true,
            authority: None,
        };
        let web = Web::new(true, None, Duration::from_secs(5)).unwrap();
        let provider = OpenId::new(&settings, "https://tacit.example/back".into(), web, clock.clone()).unwrap();
        let provider = &Arc::new(provider);
        let all = async || {
            let asking: Vec<_> = (0..8)
                .map(|_| {
                    let provider = Arc::clone(provider);
                    tokio::spawn(async move { provider.start("state").await.map(drop) })
                })
                .collect();
            for one in asking {
                assert_eq!(one.await.unwrap(), Err(ProviderError::Unreachable));
            }
        };
        all().await;
        clock.advance_micros(FAILED - 1);
        all().await;
        assert_eq!(asked.load(Ordering::Relaxed), 1, "eight ask at once, and eight a moment later");
        clock.advance_micros(1);
        all().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}

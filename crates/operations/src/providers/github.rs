//! GitHub: OAuth 2.0 with PKCE, and a number that is somebody's for ever; names there change hands.

use super::Returned;
use super::model::{Person, ProviderError, ProviderSettings, Started};
use super::web::{Web, address};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tacit_kernel::Personal;
use url::Url;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

pub(super) struct GitHub {
    client: Client,
    user: Url,
    web: Web,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
}

impl GitHub {
    pub(super) fn new(settings: &ProviderSettings, redirect: String, web: Web) -> Result<Self, String> {
        let of = |set: &Option<String>, preset, name| address(set.as_deref(), preset, name);
        let authorize = of(&settings.authorize_url, "https://github.com/login/oauth/authorize", "authorize_url")?;
        let token = of(&settings.token_url, "https://github.com/login/oauth/access_token", "token_url")?;
        let client = BasicClient::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(authorize))
            .set_token_uri(TokenUrl::from_url(token))
            .set_redirect_uri(RedirectUrl::new(redirect).map_err(|_| "console.url is no URL".to_owned())?);
        Ok(Self { client, user: of(&settings.user_url, "https://api.github.com/user", "user_url")?, web })
    }

    /// No scope: what is public of somebody is enough.
    pub(super) fn start(&self, state: &str) -> Started {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = CsrfToken::new(state.to_owned());
        let (url, _) = self.client.authorize_url(move || state).set_pkce_challenge(challenge).url();
        Started { url: url.into(), nonce: SecretString::from(""), verifier: SecretString::from(verifier.into_secret()) }
    }

    pub(super) async fn finish(&self, returned: &Returned<'_>) -> Result<Person, ProviderError> {
        let redeem = self
            .client
            .exchange_code(AuthorizationCode::new(returned.code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier.to_owned()));
        // It refuses with status 200 and an error in the body, which is no token.
        let tokens = redeem.request_async(&self.web).await.map_err(|error| match error {
            RequestTokenError::Request(_) => ProviderError::Unreachable,
            _ => ProviderError::Refused,
        })?;
        let user: User = self.web.get(&self.user, Some(tokens.access_token().secret())).await?;
        Ok(Person { subject: Personal::new(user.id.to_string()), also: None, shown: Personal::new(user.login) })
    }
}

//! QQ: OAuth 2.0 with the secret in the query, and a second question for who somebody is, whose answer also tells for which
//! program the token was made.

use super::Returned;
use super::model::{Person, ProviderError, ProviderSettings, Started};
use super::web::{Web, address};
use super::wechat::known;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

pub(super) struct Qq {
    id: String,
    secret: SecretString,
    redirect: String,
    authorize: Url,
    token: Url,
    user: Url,
    web: Web,
}

/// It refuses with status 200, `error` and no token.
#[derive(Deserialize)]
struct Redeemed {
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Me {
    client_id: Option<String>,
    openid: Option<String>,
    unionid: Option<String>,
}

impl Qq {
    pub(super) fn new(settings: &ProviderSettings, redirect: String, web: Web) -> Result<Self, String> {
        let of = |set: &Option<String>, preset, name| address(set.as_deref(), preset, name);
        Ok(Self {
            id: settings.client_id.clone(),
            secret: settings.client_secret.clone(),
            redirect,
            authorize: of(&settings.authorize_url, "https://graph.qq.com/oauth2.0/authorize", "authorize_url")?,
            token: of(&settings.token_url, "https://graph.qq.com/oauth2.0/token", "token_url")?,
            user: of(&settings.user_url, "https://graph.qq.com/oauth2.0/me", "user_url")?,
            web,
        })
    }

    pub(super) fn start(&self, state: &str) -> Started {
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("state", state)
            .append_pair("scope", "get_user_info");
        Started { url: url.into(), nonce: SecretString::from(""), verifier: SecretString::from("") }
    }

    pub(super) async fn finish(&self, returned: &Returned<'_>) -> Result<Person, ProviderError> {
        let mut url = self.token.clone();
        url.query_pairs_mut()
            .append_pair("grant_type", "authorization_code")
            .append_pair("client_id", &self.id)
            .append_pair("client_secret", self.secret.expose_secret())
            .append_pair("code", returned.code)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("fmt", "json");
        let redeemed: Redeemed = self.web.get(&url, None).await?;
        let token = redeemed.access_token.ok_or(ProviderError::Refused)?;
        let mut url = self.user.clone();
        url.query_pairs_mut()
            .append_pair("access_token", &token)
            .append_pair("unionid", "1")
            .append_pair("fmt", "json");
        let me: Me = self.web.get(&url, None).await?;
        // A token that was made for another program says nothing here.
        if me.client_id.as_deref() != Some(&self.id) {
            return Err(ProviderError::Untrue);
        }
        known(me.openid, me.unionid)
    }
}
